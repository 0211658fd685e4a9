import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Answer } from '../answer.ts';
import type { RequestContext } from '../request-context.ts';
import { parseRequestInfo } from '../request-info.ts';
import { requestDeadlineFilter } from './request-deadline.ts';

const filter = requestDeadlineFilter();
const done = {} as Answer;

function ask(path: string, query: string, work: () => Promise<Answer> = async () => done): Promise<Answer> {
  const parsed = new URLSearchParams(query);
  return filter({ query: parsed, info: parseRequestInfo('GET', path, parsed) } as unknown as RequestContext, work);
}

test('a timeout that is no duration is refused, with the words of Go', async () => {
  const refused = (text: string, message: string) =>
    assert.rejects(ask('/version', `timeout=${text}`), {
      code: 400,
      reason: 'BadRequest',
      message: `invalid timeout specified in the request URL - time: ${message}`,
    });
  await refused('invalid', 'invalid duration "invalid"');
  await refused('5', 'missing unit in duration "5"');
  await refused('5x', 'unknown unit "x" in duration "5x"');
  await refused('1s2', 'invalid duration "1s2"');
});

test('no wish, none at all and one beyond the maximum are no limit', async () => {
  for (const query of ['', 'timeout=', 'timeout=0s', 'timeout=3m', 'timeout=-1s']) {
    assert.equal(await ask('/version', query), done);
  }
});

test('what takes longer than was asked for ends with 504; in time it does not', async () => {
  const never = () => new Promise<Answer>(() => {});
  await assert.rejects(ask('/api/v1/pods', 'timeout=1ms', never), { code: 504, reason: 'Timeout' });
  assert.equal(await ask('/api/v1/pods', 'timeout=50s'), done);
});

test('long-running requests keep their own meaning of the word', async () => {
  assert.equal(await ask('/api/v1/pods', 'watch=true&timeout=invalid'), done);
  assert.equal(await ask('/api/v1/namespaces/a/pods/b/log', 'timeout=invalid'), done);
});
