import assert from 'node:assert/strict';
import { createHook } from 'node:async_hooks';
import { describe, test } from 'node:test';
import { ManualClock } from '../../base/clock.ts';
import { type Asked, PLATFORM_ACCOUNT, Turn } from './account.ts';
import { bootstrapConfiguration, compile, type FlowControlConfiguration } from './configuration.ts';
import { Scheduler, type SchedulerLimits } from './scheduler.ts';

const never = new AbortController().signal;

/** A processor whose time only passes when a request says so. */
function setUp(limits: Partial<SchedulerLimits> = {}) {
  const clock = new ManualClock();
  let nowMs = 0;
  let idleMs = 0;
  const scheduler = new Scheduler({
    clock,
    preciseNow: () => nowMs,
    idleMs: () => idleMs,
    limits: { busyShare: 1, ...limits },
  });
  const ran: string[] = [];
  const askedOf = (account: string, options: Partial<Asked>): Asked => {
    const { configuration = bootstrapConfiguration } = options;
    const schema = configuration.schemas.find((one) => one.name === (options.schema?.name ?? 'global-default'))!;
    return { account, weight: 1, configuration, distinguisher: 'user', width: 1, signal: never, ...options, schema };
  };
  const admit = async (account: string): Promise<Turn> => {
    const turn = await scheduler.admit(askedOf(account, {}));
    assert.ok(turn instanceof Turn);
    return turn;
  };
  const ask = (
    account: string,
    options: Partial<Asked> & { ms?: number; name?: string; hold?: Promise<void> } = {},
  ) => {
    const { ms = 1, name = account, hold } = options;
    return scheduler.admit(askedOf(account, options)).then(async (turn) => {
      if (!(turn instanceof Turn)) return turn;
      ran.push(name);
      nowMs += ms;
      await hold;
      turn.answered();
      turn.end();
      return 'ran';
    });
  };
  const pass = (ms: number) => {
    nowMs += ms;
    idleMs += ms;
  };
  /** When two tenants are no more there together. */
  const muchLater = () => {
    pass(2000);
    clock.advance(2000);
  };
  return { scheduler, ran, ask, admit, clock, pass, muchLater };
}

const schemaNamed = (configuration: FlowControlConfiguration, name: string) =>
  configuration.schemas.find((one) => one.name === name)!;

function customLevel(limited: object) {
  return compile(
    [
      {
        kind: 'FlowSchema',
        apiVersion: 'flowcontrol.apiserver.k8s.io/v1',
        metadata: { name: 'mine', uid: 'schema', resourceVersion: '1' },
        spec: { priorityLevelConfiguration: { name: 'mine' }, matchingPrecedence: 10, rules: [] },
      } as never,
    ],
    [
      {
        kind: 'PriorityLevelConfiguration',
        apiVersion: 'flowcontrol.apiserver.k8s.io/v1',
        metadata: { name: 'mine', uid: 'level', resourceVersion: '1' },
        spec: { type: 'Limited', limited },
      } as never,
    ],
  );
}

describe('turns at the processor', () => {
  test('a tenant that asks now and then comes before what another has queued', async () => {
    const { ask, ran } = setUp();
    const heavy = Array.from({ length: 20 }, () => ask('heavy'));
    await Promise.all(heavy.slice(0, 5));
    await ask('quiet');
    assert.ok(ran.indexOf('quiet') <= 7, `quiet ran as number ${ran.indexOf('quiet')}`);
    await Promise.all(heavy);
  });

  test('the processor is shared by time, not by requests', async () => {
    const { ask, ran } = setUp();
    await Promise.all([
      ...Array.from({ length: 40 }, () => ask('long', { ms: 10 })),
      ...Array.from({ length: 40 }, () => ask('short', { ms: 1 })),
    ]);
    // By the time the short ones are done, they and the long ones had as many milliseconds.
    const before = ran.slice(0, ran.lastIndexOf('short')).filter((name) => name === 'long').length;
    assert.ok(before <= 6, `${before} long requests ran before the last short one`);
  });

  test('weights divide it', async () => {
    const { ask, ran } = setUp();
    await Promise.all([
      ...Array.from({ length: 60 }, () => ask('three', { weight: 3 })),
      ...Array.from({ length: 60 }, () => ask('one', { weight: 1 })),
    ]);
    const ones = ran.slice(0, 40).filter((name) => name === 'one').length;
    assert.ok(ones >= 8 && ones <= 12, `${ones} of 40`);
  });

  test('being away earns nothing', async () => {
    const { ask, ran } = setUp();
    const busy = Array.from({ length: 100 }, () => ask('busy'));
    await Promise.all(busy.slice(0, 80));
    const late = Array.from({ length: 20 }, () => ask('late'));
    await Promise.all([...busy, ...late]);
    const after = ran.slice(80, 100).filter((name) => name === 'late').length;
    assert.ok(after <= 12, `${after} of 20 slices went to who came late`);
  });

  test('while who came a moment ago is served, others wait; if that is long, a round of the loop is one slice', async () => {
    const { ask, ran, pass, clock } = setUp({ running: 1000, runningPerTenant: 1000 });
    const roundsOf = async (rounds: number) => {
      const before = ran.length;
      for (let round = 0; round < rounds; round++) await new Promise(setImmediate);
      return ran.length - before;
    };
    const busy = Array.from({ length: 300 }, () => ask('busy', { ms: 0.001 }));
    await busy[0];
    let open = () => {};
    const hold = new Promise<void>((resolve) => (open = resolve));
    const late = ask('late', { hold, ms: 0 });
    while (!ran.includes('late')) await new Promise(setImmediate);
    assert.equal(await roundsOf(10), 0);
    pass(9);
    clock.advance(9);
    const hurried = await roundsOf(10);
    assert.ok(hurried > 0 && hurried <= 12, `${hurried} slices in 10 rounds`);
    // Who stays is no longer one who came a moment ago.
    pass(31);
    const shared = await roundsOf(5);
    assert.ok(shared > 20, `${shared} slices in 5 rounds`);
    open();
    await Promise.all([...busy, late]);
  });

  test('while nobody may have a slice, rounds do not follow one another', async () => {
    const { ask, ran, pass, clock, admit } = setUp({ running: 1000, runningPerTenant: 1000 });
    const busy = Array.from({ length: 300 }, () => ask('busy', { ms: 0.001 }));
    await busy[0];
    const late = await admit('late');
    for (let round = 0; round < 5; round++) await new Promise(setImmediate);
    const before = ran.length;
    const immediates: unknown[] = [];
    const hook = createHook({
      init: (_id, type, _trigger, resource) => type === 'Immediate' && immediates.push(resource),
    }).enable();
    // A timer of Node's, that the loop sleeps until: what it is asked to do meanwhile is nothing.
    await new Promise((resolve) => setTimeout(resolve, 20));
    hook.disable();
    assert.deepEqual([ran.length, immediates.length], [before, 0]);
    pass(9);
    clock.advance(9);
    late.end();
    await Promise.all(busy);
  });

  test('while one is there that asks for little, the others get no more than their part of the time', async () => {
    const { ask, ran, pass, clock, admit } = setUp({
      busyShare: 0.5,
      running: 10_000,
      runningPerTenant: 10_000,
      presentPerTenant: 10_000,
    });
    const schema = schemaNamed(bootstrapConfiguration, 'exempt');
    const busy = Array.from({ length: 6000 }, () => ask('busy', { ms: 0.1, schema }));
    await busy[0];
    const tick = async (ms: number) => {
      for (let passed = 0; passed < ms; passed++) {
        pass(1);
        clock.advance(1);
        for (let round = 0; round < 20; round++) await new Promise(setImmediate);
      }
    };
    const turn = await admit('late');
    turn.end();
    // What it did before is known for a while.
    await tick(200);
    const before = ran.length;
    await tick(100);
    // Each tenth of a millisecond of theirs passes as well: 100 ms beside their own.
    const usedMs = (ran.length - before) / 10;
    assert.ok(usedMs >= 80 && usedMs <= 120, `they had ${usedMs} ms beside 100 of others`);
    // Nobody was there for more than a second.
    await tick(1000);
    await Promise.all(busy);
  });

  describe('what others wait', () => {
    const busyLoop = async () => {
      const all = setUp({ running: 10_000, runningPerTenant: 10_000, presentPerTenant: 10_000 });
      const { ask, ran, pass, clock, admit } = all;
      const schema = schemaNamed(bootstrapConfiguration, 'exempt');
      const busy = Array.from({ length: 10_000 }, () => ask('busy', { ms: 0.01, schema }));
      await busy[0];
      const waitsFor = async (name: string, idleMs: number) => {
        const turn = await admit(name);
        for (let round = 0; round < 3; round++) await new Promise(setImmediate);
        const before = ran.length;
        for (let round = 0; round < 3; round++) await new Promise(setImmediate);
        const waited = ran.length === before;
        pass(idleMs);
        clock.advance(idleMs);
        turn.end();
        for (let round = 0; round < 2; round++) await new Promise(setImmediate);
        return waited;
      };
      return { waitsFor, ran, busy: Promise.all(busy) };
    };

    test('is charged by a quarter', async () => {
      const { waitsFor, ran, busy } = await busyLoop();
      const before = ran.length;
      for (let index = 0; index < 4; index++) assert.equal(await waitsFor('first', 7), true);
      // Three quarters of seven milliseconds, of which three are lent.
      assert.ok(ran.length - before >= 200, `the others had ${ran.length - before} turns of 10 µs before its fourth`);
      await busy;
    });

    test('is fifty milliseconds at once, and a quarter of all time, whoever comes', async () => {
      const { waitsFor, busy } = await busyLoop();
      const waited: boolean[] = [];
      for (let index = 0; index < 24; index++) waited.push(await waitsFor(`other-${index}`, 7));
      const count = (from: number) => waited.slice(from, from + 6).filter(Boolean).length;
      assert.equal(count(0), 6);
      assert.ok(count(18) <= 3, `${count(18)} of the last six were waited for`);
      await busy;
    });
  });

  test('nobody waits for who took much lately, though it was away for a moment', async () => {
    const { ask, admit, pass, clock } = setUp();
    await Promise.all([ask('quiet'), ...Array.from({ length: 30 }, () => ask('heavy', { ms: 10 }))]);
    for (let round = 0; round < 3; round++) await new Promise(setImmediate);
    // Who is waited for is so for some milliseconds.
    const admitLater = (account: string) => {
      const turn = admit(account);
      pass(10);
      clock.advance(10);
      return turn;
    };
    const quiet = await admit('quiet');
    const heavy = await admitLater('heavy');
    assert.deepEqual([quiet.awaited, heavy.awaited], [true, false]);
    heavy.end();
    for (let round = 0; round < 3; round++) await new Promise(setImmediate);
    pass(900);
    const again = await admitLater('heavy');
    assert.equal(again.awaited, true, 'that was long ago');
    again.end();
    quiet.end();
  });

  test('what comes back from elsewhere takes a slice where tenants share the loop', async () => {
    const { admit, pass, clock } = setUp();
    const busy = await admit('busy');
    await new Promise(setImmediate);
    await new Promise(setImmediate);
    assert.equal(busy.resume(), undefined, 'nobody else is there');
    const late = await admit('late');
    assert.equal(late.resume(), undefined, 'it is in its slice');
    await new Promise(setImmediate);
    await new Promise(setImmediate);
    assert.equal(late.resume(), undefined, 'who came a moment ago goes first');
    const slice = busy.resume();
    assert.ok(slice instanceof Promise);
    pass(9);
    clock.advance(9);
    await slice;
    assert.equal(busy.resume(), undefined, 'it is in its slice');
    busy.end();
    late.end();
  });

  test('work in the background takes slices where tenants share the loop, and is charged', async () => {
    const { admit, scheduler, pass, muchLater, ask, ran } = setUp();
    assert.equal(scheduler.background('busy'), undefined, 'nobody is there');
    const busy = await admit('busy');
    assert.equal(scheduler.background('busy'), undefined, 'nobody else is there');
    const other = scheduler.background('other');
    assert.ok(other instanceof Promise);
    await other;
    pass(10);
    for (let round = 0; round < 3; round++) await new Promise(setImmediate);
    // It had ten milliseconds: three requests of one go first.
    const mine = [...Array.from({ length: 3 }, () => ask('busy')), ask('other')];
    await Promise.all(mine);
    assert.deepEqual(ran, ['busy', 'busy', 'busy', 'other']);
    busy.end();
    for (let round = 0; round < 3; round++) await new Promise(setImmediate);
    muchLater();
    assert.deepEqual([...scheduler.accounts()], []);
  });

  test('one tenant never has all requests in their handlers at once', async () => {
    const { ask, ran } = setUp({ running: 6, runningPerTenant: 2 });
    let open = () => {};
    const hold = new Promise<void>((resolve) => (open = resolve));
    const asked = Array.from({ length: 20 }, () => ask('heavy', { hold, ms: 0 }));
    const quiet = ask('quiet', { ms: 0 });
    await quiet;
    assert.ok(ran.filter((name) => name === 'heavy').length <= 6);
    open();
    await Promise.all(asked);
  });

  test('a request that waits for something else makes room', async () => {
    const { ask, ran, clock, pass } = setUp({ running: 2, runningPerTenant: 2, processorWaitMs: 100 });
    let open = () => {};
    const hold = new Promise<void>((resolve) => (open = resolve));
    const slow = [ask('tenant', { hold, ms: 0 }), ask('tenant', { hold, ms: 0 })];
    const next = ask('tenant', { name: 'next' });
    while (ran.length < 2) await new Promise(setImmediate);
    for (let round = 0; round < 5; round++) await new Promise(setImmediate);
    assert.deepEqual(ran, ['tenant', 'tenant']);
    pass(101);
    clock.advance(101);
    assert.equal(await next, 'ran');
    open();
    await Promise.all(slow);
  });

  test('nothing is left of who is idle', async () => {
    const { ask, scheduler, muchLater } = setUp();
    await Promise.all([ask('a'), ask('b'), ask('c')]);
    for (let round = 0; round < 5; round++) await new Promise(setImmediate);
    muchLater();
    assert.deepEqual([...scheduler.accounts()], []);
  });

  test('so many requests of one tenant, and no more', async () => {
    const { ask } = setUp({ presentPerTenant: 10 });
    const results = await Promise.all(
      Array.from({ length: 15 }, () => ask('flood', { schema: schemaNamed(bootstrapConfiguration, 'exempt') })),
    );
    assert.equal(results.filter((result) => result === 'tenant-full').length, 5);
  });

  test('who went away takes no slice', async () => {
    const { ask, ran } = setUp();
    const abort = new AbortController();
    const gone = ask('tenant', { signal: abort.signal, name: 'gone' });
    abort.abort();
    assert.equal(await gone, 'cancelled');
    assert.equal(await ask('tenant'), 'ran');
    assert.deepEqual(ran, ['tenant']);
  });
});

describe('priority levels', () => {
  test('Reject refuses what has no seat', async () => {
    const configuration = customLevel({
      nominalConcurrencyShares: 1,
      limitResponse: { type: 'Reject' },
      borrowingLimitPercent: 0,
    });
    const seats = Math.ceil(600 / 6);
    const { ask } = setUp();
    const schema = schemaNamed(configuration, 'mine');
    const results = await Promise.all(
      Array.from({ length: seats + 7 }, () => ask('tenant', { configuration, schema, ms: 0 })),
    );
    assert.equal(results.filter((result) => result === 'concurrency-limit').length, 7);
  });

  test('Queue holds as many as its queues, then refuses; all that is held runs', async () => {
    const configuration = customLevel({
      nominalConcurrencyShares: 1,
      borrowingLimitPercent: 0,
      limitResponse: { type: 'Queue', queuing: { queues: 2, handSize: 1, queueLengthLimit: 5 } },
    });
    const { ask } = setUp();
    const schema = schemaNamed(configuration, 'mine');
    const results = await Promise.all(
      Array.from({ length: 120 }, () => ask('tenant', { configuration, schema, ms: 0 })),
    );
    assert.equal(results.filter((result) => result === 'ran').length, 105);
    assert.equal(results.filter((result) => result === 'queue-full').length, 15);
  });

  test('what waits too long is refused', async () => {
    const configuration = customLevel({
      nominalConcurrencyShares: 0,
      borrowingLimitPercent: 0,
      limitResponse: { type: 'Queue', queuing: { queues: 1, handSize: 1, queueLengthLimit: 5 } },
    });
    const { scheduler, ask, clock, pass } = setUp({ processorWaitMs: 60_000 });
    const schema = schemaNamed(configuration, 'mine');
    let open = () => {};
    const hold = new Promise<void>((resolve) => (open = resolve));
    const first = ask('tenant', { configuration, schema, hold, isMutating: true });
    const second = ask('tenant', { configuration, schema, width: 3 });
    await new Promise(setImmediate);
    const [account] = scheduler.accounts();
    const uses = () => Object.fromEntries(account!.level('mine').bySchema);
    assert.deepEqual(uses(), { mine: { executing: 1, seats: 1, waiting: 1, waitingSeats: 3 } });
    assert.deepEqual(account!.inflight, { mutating: 1, readOnly: 0 });
    assert.deepEqual(account!.queued, { mutating: 0, readOnly: 1 });
    pass(16_000);
    clock.advance(16_000);
    assert.equal(await second, 'time-out');
    open();
    assert.equal(await first, 'ran');
    const none = { mutating: 0, readOnly: 0 };
    assert.deepEqual([account!.inflight, account!.queued], [none, none]);
    assert.deepEqual(uses(), { mine: { executing: 0, seats: 0, waiting: 0, waitingSeats: 0 } });
    account!.configure({ ...configuration });
    assert.deepEqual(uses(), {}, 'a schema that nobody uses may be gone');
  });

  test('seats nobody uses are lent, up to the limit', async () => {
    const borrowing = (borrowingLimitPercent: number | undefined) =>
      customLevel({
        nominalConcurrencyShares: 1,
        ...(borrowingLimitPercent !== undefined && { borrowingLimitPercent }),
        limitResponse: { type: 'Reject' },
      });
    const refusedOf = async (configuration: FlowControlConfiguration) => {
      const { ask } = setUp();
      const schema = schemaNamed(configuration, 'mine');
      const results = await Promise.all(
        Array.from({ length: 160 }, () => ask('tenant', { configuration, schema, ms: 0 })),
      );
      return results.filter((result) => result !== 'ran').length;
    };
    // 100 of its own; catch-all, the only other one, lends nothing.
    assert.equal(await refusedOf(borrowing(undefined)), 60);
    const lender = borrowing(50);
    const levels = new Map(lender.levels);
    levels.set('catch-all', { ...levels.get('catch-all')!, lendablePercent: 100 });
    assert.equal(await refusedOf({ ...lender, levels }), 10);
  });
});

test("the platform's own requests make nobody wait: they are no neighbour's", async () => {
  const { scheduler, admit } = setUp();
  const platform = await admit(PLATFORM_ACCOUNT);
  assert.equal(scheduler.background('red'), undefined);
  const red = await admit('red');
  assert.equal(scheduler.background('red'), undefined);
  assert.equal(scheduler.owesSlice(platform), false);
  const blue = scheduler.background('blue');
  assert.ok(blue instanceof Promise);
  await blue;
  for (const turn of [platform, red]) {
    turn.answered();
    turn.end();
  }
});
