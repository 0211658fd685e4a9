import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Answer } from '../answer.ts';
import type { RequestContext } from '../request-context.ts';
import { Latencies, slowMs } from './latencies.ts';

const received = (agoMs: number, more: object = {}) =>
  ({ receivedMs: performance.now() - agoMs, ...more }) as unknown as RequestContext;

describe('where a slow request spent its time', () => {
  test('is told of no other', () => {
    const latencies = new Latencies();
    const context = received(0);
    latencies.note(context, 'authorization', 1);
    // It may become one while the test waits for its turn: then the time says so.
    const told = latencies.annotationsOf(context);
    assert.deepEqual(Object.keys(told).length > 0, performance.now() - context.receivedMs! > slowMs + 1);
    assert.deepEqual(latencies.annotationsOf({} as RequestContext), {});
  });

  test('is told by layer, and all in all', () => {
    const latencies = new Latencies();
    const context = received(slowMs * 2, { waitedMs: 250 });
    latencies.note(context, 'mutating-webhook', 100);
    latencies.note(context, 'mutating-webhook', 200.5);
    latencies.note(context, 'authorization', 0);
    const { 'apiserver.latency.k8s.io/total': total, ...others } = latencies.annotationsOf(context);
    assert.match(total!, /^[\d.]+(m[\d.]+)?s$/);
    assert.deepEqual(others, {
      'apiserver.latency.k8s.io/mutating-webhook': '300.5ms',
      'apiserver.latency.k8s.io/apf-queue-wait': '250ms',
    });
  });

  test('counts what a filter does, and not what comes after it', async () => {
    const latencies = new Latencies();
    const context = received(slowMs * 2);
    const answer = {} as Answer;
    const filter = latencies.timed('authorization', async (passed, next) => {
      latencies.note(passed, 'impersonation', 1);
      return next(passed);
    });
    const got = await filter(context, async (passed) => {
      assert.ok(Object.hasOwn(latencies.annotationsOf(passed), 'apiserver.latency.k8s.io/authorization'));
      return answer;
    });
    assert.equal(got, answer);
  });
});
