import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { until } from '../../base/testing/until.ts';
import { IpBatch, IpCommandError } from './ip-batch.ts';

const skip = spawnSync('ip', ['-V']).status === 0 ? false : 'there is no ip command';

test('answers when all is done, and names what failed', { skip }, async () => {
  const batch = new IpBatch();
  await batch.run(['link show dev lo', 'link show dev lo']);
  await batch.run([]);
  await assert.rejects(batch.run(['link show dev lo', 'link show dev nosuch0', 'link show dev nosuch1']), (error) => {
    assert.ok(error instanceof IpCommandError);
    assert.deepEqual(
      error.failures.map(({ command }) => command),
      ['link show dev nosuch0', 'link show dev nosuch1'],
    );
    assert.match(error.failures[0]!.message, /does not exist/);
    return true;
  });
  batch.close();
});

test('a command that makes ip leave fails alone', { skip }, async () => {
  const batch = new IpBatch();
  const results = await Promise.allSettled([
    batch.run(['link show dev lo']),
    batch.run(['addr add 1.2.3.4.5 dev lo']),
    batch.run(['link show dev lo']),
  ]);
  assert.deepEqual(
    results.map(({ status }) => status),
    ['fulfilled', 'rejected', 'fulfilled'],
  );
  batch.close();
});

test('an idle process ends and the next run starts another', { skip }, async () => {
  const running = () => readFileSync(`/proc/self/task/${process.pid}/children`, 'utf8').trim().split(' ');
  const others = running();
  const own = () => running().filter((pid) => pid !== '' && !others.includes(pid));
  const batch = new IpBatch(undefined, 1);
  await batch.run(['link show dev lo']);
  const [first] = own();
  assert.ok(first !== undefined, 'it is there until it was idle');
  await until(() => !own().includes(first));
  await batch.run(['link show dev lo']);
  assert.equal(own().length, 1);
  batch.close();
  await until(() => own().length === 0);
});
