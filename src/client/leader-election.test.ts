import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ApiRequest } from '../api/transport.ts';
import { type Clock, ManualClock } from '../base/clock.ts';
import { silentLogger } from '../base/log.ts';
import { until } from '../base/testing/until.ts';
import { Client } from './client.ts';
import { runWhileLeader } from './leader-election.ts';
import { FakeTransport } from './testing/fake-transport.ts';

function candidate(
  transport: FakeTransport,
  clock: Clock,
  identity: string,
  isBroken = () => false,
  broken: (request: ApiRequest) => Promise<any> = () => Promise.reject(new Error('down')),
) {
  const stop = new AbortController();
  const state = { leading: false, terms: 0, stop, done: Promise.resolve() };
  const client = new Client({
    request: (request) => (isBroken() ? broken(request) : transport.request(request)),
    watch: (request) => transport.watch(request),
  });
  state.done = runWhileLeader(
    { client, clock, logger: silentLogger, tenant: 'system', namespace: 'kube-system', name: 'controllers', identity },
    async (signal) => {
      state.leading = true;
      state.terms++;
      await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
      state.leading = false;
    },
    stop.signal,
  );
  return state;
}
/** Time passes in small steps, each with room for the requests it causes. */
async function pass(clock: ManualClock, byMs: number): Promise<void> {
  for (let passed = 0; passed < byMs; passed += 500) {
    clock.advance(500);
    for (let turn = 0; turn < 10; turn++) await new Promise((resolve) => setImmediate(resolve));
  }
}

test('one leads; another takes over when it stops, at once', async () => {
  const clock = new ManualClock();
  const transport = new FakeTransport({ now: () => clock.now() });
  const first = candidate(transport, clock, 'first');
  await until(() => first.leading);
  const second = candidate(transport, clock, 'second');
  await pass(clock, 60_000);
  assert.equal(first.leading, true);
  assert.equal(second.leading, false);
  first.stop.abort();
  await first.done;
  await pass(clock, 5000);
  assert.equal(second.leading, true);
  assert.equal((transport.all('leases')[0] as any).spec.leaseTransitions, 1);
  second.stop.abort();
  await second.done;
});

for (const [how, broken] of [
  ['cut off', () => Promise.reject(new Error('down'))],
  ['whose server hangs', () => new Promise<never>(() => {})],
] as const) {
  test(`a leader ${how} steps down before another may lead`, async () => {
    const clock = new ManualClock();
    const transport = new FakeTransport({ now: () => clock.now() });
    let isCut = false;
    const first = candidate(transport, clock, 'first', () => isCut, broken);
    await until(() => first.leading);
    const second = candidate(transport, clock, 'second');
    isCut = true;
    let bothLed = false;
    for (let seconds = 0; seconds < 30; seconds++) {
      await pass(clock, 1000);
      bothLed ||= first.leading && second.leading;
      if (seconds === 8) assert.equal(first.leading, true, 'within the renew deadline');
    }
    assert.equal(bothLed, false);
    assert.equal(second.leading, true);
    assert.equal(first.leading, false);
    isCut = false;
    first.stop.abort();
    second.stop.abort();
    await pass(clock, 20_000);
    await Promise.all([first.done, second.done]);
  });
}

test('a renewal counts from when it was asked for, however late its answer', async () => {
  const clock = new ManualClock();
  const transport = new FakeTransport({ now: () => clock.now() });
  let isSlow = false;
  let renewedMs: number | undefined;
  const late = async (request: ApiRequest) => {
    if (renewedMs !== undefined) throw new Error('down');
    const answer = await transport.request(request);
    if (request.method !== 'PUT') return answer;
    renewedMs = clock.now();
    return new Promise((resolve) => clock.schedule(7_000, () => resolve(answer)));
  };
  const leader = candidate(transport, clock, 'first', () => isSlow, late);
  await until(() => leader.leading);
  isSlow = true;
  while (renewedMs === undefined) await pass(clock, 500);
  await pass(clock, renewedMs + 8_500 - clock.now());
  assert.equal(leader.leading, true);
  await pass(clock, renewedMs + 12_500 - clock.now());
  assert.equal(leader.leading, false, 'others may lead from 15 s after the renewal on');
  leader.stop.abort();
  await pass(clock, 20_000);
  await leader.done;
});

test('a clock that is set makes nobody leader, and no leader step down', async () => {
  const time = new ManualClock();
  const transport = new FakeTransport({ now: () => time.now() });
  /** How far each clock is from the right time. */
  const wrongMs = [0, 0];
  const clockOf = (index: number): Clock => ({
    now: () => time.now() + wrongMs[index]!,
    monotonic: () => time.now(),
    schedule: (delayMs, callback) => time.schedule(delayMs, callback),
  });
  const first = candidate(transport, clockOf(0), 'first');
  await until(() => first.leading);
  const second = candidate(transport, clockOf(1), 'second');
  for (const setMs of [3_600_000, -3_600_000, 20_000, 0]) {
    await pass(time, 7_000);
    wrongMs[1] = setMs;
    await pass(time, 3_000);
    wrongMs[0] = -setMs;
    await pass(time, 7_000);
    assert.deepEqual([first.leading, first.terms, second.terms], [true, 1, 0], `set by ${setMs}`);
  }
  first.stop.abort();
  await first.done;
  await pass(time, 5_000);
  assert.equal(second.leading, true);
  second.stop.abort();
  await second.done;
});
