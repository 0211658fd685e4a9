import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ContainerInstance, UsageRecord } from '../api/pool.ts';
import { METERING_FINALIZER } from '../api/pool.ts';
import { CONTAINER_INSTANCES, HOSTS } from '../api/resources.ts';
import { internalError } from '../api/status.ts';
import type { ApiRequest } from '../api/transport.ts';
import { ManualClock } from '../base/clock.ts';
import { silentLogger } from '../base/log.ts';
import { settled, until } from '../base/testing/until.ts';
import { Client } from '../client/client.ts';
import { createInformerFactory } from '../client/informer-factory.ts';
import { FakeTransport } from '../client/testing/fake-transport.ts';
import { startMetering, summarize } from './index.ts';
import { rowsFor } from './ledger/rows.ts';

const at = (time: string) => Date.parse(`2026-01-01T${time}Z`);
const iso = (time: string) => new Date(at(time)).toISOString();

const draft = (status: object = {}, metadata: object = {}) =>
  ({
    metadata: { name: 'u-1', finalizers: [METERING_FINALIZER], ...metadata },
    spec: {
      podRef: { namespace: 'shop', name: 'web', uid: 'u-1' },
      zone: 'a',
      hostName: 'host-1',
      resources: { cpu: '500m', memory: '1Gi' },
      pod: { containers: [] },
    },
    status,
  }) as any;

const instance = (status: object, metadata: object = {}): ContainerInstance => {
  const object = draft(status, { namespace: 'acme', ...metadata });
  return object;
};

const intervals = (rows: { startMs: number; endMs: number }[]) =>
  rows.map(({ startMs, endMs }) => [
    new Date(startMs).toISOString().slice(11, 23),
    new Date(endMs).toISOString().slice(11, 23),
  ]);

test('rows stand on the hours and end with the instance', () => {
  const from = { meteredFrom: iso('10:20:00.500') };
  assert.deepEqual(rowsFor(instance({}), at('12:00:00')), []);
  assert.deepEqual(rowsFor(instance(from), at('10:59:59')), []);
  assert.deepEqual(intervals(rowsFor(instance(from), at('11:30:00'))), [['10:20:00.500', '11:00:00.000']]);
  assert.deepEqual(intervals(rowsFor(instance({ ...from, meteredTo: iso('12:05:00.250') }), at('12:06:00'))), [
    ['10:20:00.500', '11:00:00.000'],
    ['11:00:00.000', '12:00:00.000'],
    ['12:00:00.000', '12:05:00.250'],
  ]);
  const short = { ...from, meteredTo: iso('10:20:01.500') };
  assert.deepEqual(intervals(rowsFor(instance(short), at('10:21:00'))), [['10:20:00.500', '10:20:01.500']]);
  assert.deepEqual(rowsFor(instance({ ...from, meteredTo: from.meteredFrom }), at('10:21:00')), []);
});

test('an end on the boundary makes no empty row', () => {
  const status = { meteredFrom: iso('10:00:00'), meteredTo: iso('11:00:00') };
  assert.deepEqual(intervals(rowsFor(instance(status), at('12:00:00'))), [['10:00:00.000', '11:00:00.000']]);
});

test('a resize cuts the interval, and each part counts by its own shape', () => {
  const resized = instance({ meteredFrom: iso('10:20:00'), meteredTo: iso('11:10:00') });
  resized.spec.resources = { cpu: '2', memory: '4Gi' };
  resized.spec.resourceHistory = [
    { cpu: '500m', memory: '1Gi', until: iso('10:30:00') },
    { cpu: '1', memory: '2Gi', until: iso('11:00:00') },
  ];
  const rows = rowsFor(resized, at('12:00:00'));
  assert.deepEqual(intervals(rows), [
    ['10:20:00.000', '10:30:00.000'],
    ['10:30:00.000', '11:00:00.000'],
    ['11:00:00.000', '11:10:00.000'],
  ]);
  assert.deepEqual(
    rows.map(({ vcpus, gibs }) => [vcpus, gibs]),
    [
      [0.5, 1],
      [1, 2],
      [2, 4],
    ],
  );
  const running = rowsFor({ ...resized, status: { phase: 'Running', meteredFrom: iso('10:20:00') } }, at('10:45:00'));
  assert.deepEqual(intervals(running), [['10:20:00.000', '10:30:00.000']]);
});

test('an instance taken from a host that is gone counts to its deletion', () => {
  const lost = instance(
    { meteredFrom: iso('10:00:00') },
    { deletionTimestamp: '2026-01-01T10:30:00Z', deletionGracePeriodSeconds: 0 },
  );
  assert.deepEqual(intervals(rowsFor(lost, at('12:00:00'))), [['10:00:00.000', '10:30:00.000']]);
});

interface World {
  transport: FakeTransport;
  client: Client;
  clock: ManualClock;
  start(): Promise<() => Promise<void>>;
}

async function withWorld(
  run: (world: World) => Promise<void>,
  onRequest?: (request: ApiRequest) => void,
): Promise<void> {
  const clock = new ManualClock(at('10:20:00'));
  const transport = new FakeTransport({ now: () => clock.now(), ...(onRequest !== undefined && { onRequest }) });
  const client = new Client(transport);
  await client.resource('system', HOSTS).create({
    metadata: { name: 'host-1' },
    spec: { zone: 'a' },
    status: { conditions: [{ type: 'Ready', status: 'True' }] },
  } as any);
  const running: (() => Promise<void>)[] = [];
  const start = async () => {
    const stop = new AbortController();
    const informers = createInformerFactory(client, { clock, logger: silentLogger });
    const done = startMetering({ informers, clock, logger: silentLogger }, stop.signal);
    informers.start(stop.signal);
    await informers.waitForSync();
    const end = async () => {
      stop.abort();
      await done;
    };
    running.push(end);
    return end;
  };
  try {
    await run({ transport, client, clock, start });
  } finally {
    for (const end of running) await end();
  }
}

const records = (transport: FakeTransport) =>
  (transport.all('usagerecords') as UsageRecord[]).sort((a, b) =>
    a.spec.intervalStart < b.spec.intervalStart ? -1 : 1,
  );

/** Every recorded millisecond once: the intervals join without gap or overlap. */
function assertSeamless(rows: UsageRecord[], from: string, to: string): void {
  let cursor = at(from);
  for (const { spec } of rows) {
    assert.equal(Date.parse(spec.intervalStart), cursor);
    cursor = Date.parse(spec.intervalEnd);
    assert.equal(spec.seconds, (cursor - Date.parse(spec.intervalStart)) / 1000);
  }
  assert.equal(cursor, at(to));
}

test('hourly rows while it runs, the last one at its end, then the instance may go', () =>
  withWorld(async ({ transport, client, clock, start }) => {
    await start();
    const instances = client.resource<ContainerInstance>('system', CONTAINER_INSTANCES, 'acme');
    await instances.create(draft());
    await instances.patch('u-1', 'merge', { status: { meteredFrom: iso('10:20:00') } }, 'status');
    clock.advance(at('11:01:00') - clock.now());
    await settled();
    assert.equal(records(transport).length, 0, 'a late report may still change the hour');
    clock.advance(at('11:03:00') - clock.now());
    await until(() => records(transport).length === 1);
    clock.advance(at('13:03:00') - clock.now());
    await until(() => records(transport).length === 3);
    await instances.delete('u-1', { gracePeriodSeconds: 30 });
    await instances.patch('u-1', 'merge', { status: { meteredTo: iso('13:03:20') } }, 'status');
    await until(() => records(transport).length === 4);
    await instances.delete('u-1', { gracePeriodSeconds: 0 });
    await until(() => transport.all('containerinstances').length === 0);
    assertSeamless(records(transport), '10:20:00', '13:03:20');
    const [first] = records(transport);
    assert.equal(first!.metadata.name, `u-1-${at('10:20:00')}`);
    assert.equal(first!.metadata.namespace, 'acme');
    assert.deepEqual([first!.spec.seconds, first!.spec.vcpuSeconds, first!.spec.gibSeconds], [2400, 1200, 2400]);
  }));

test('an instance that never ran goes without a row', () =>
  withWorld(async ({ transport, client, start }) => {
    await start();
    const instances = client.resource<ContainerInstance>('system', CONTAINER_INSTANCES, 'acme');
    await instances.create({ ...draft(), spec: { ...draft().spec, hostName: undefined } });
    await instances.delete('u-1');
    await until(() => transport.all('containerinstances').length === 0);
    assert.equal(records(transport).length, 0);
  }));

test('an instance is held while its host is still stopping it', () =>
  withWorld(async ({ transport, client, start }) => {
    await start();
    const instances = client.resource<ContainerInstance>('system', CONTAINER_INSTANCES, 'acme');
    await instances.create(draft({ meteredFrom: iso('10:20:00') }));
    await instances.delete('u-1', { gracePeriodSeconds: 30 });
    await settled();
    assert.deepEqual((await instances.get('u-1')).metadata.finalizers, [METERING_FINALIZER]);
    assert.equal(records(transport).length, 0);
  }));

test('the hours of a host that is silent wait for its word', () =>
  withWorld(async ({ transport, client, clock, start }) => {
    await start();
    const instances = client.resource<ContainerInstance>('system', CONTAINER_INSTANCES, 'acme');
    await instances.create(draft({ meteredFrom: iso('10:20:00') }));
    await client
      .resource('system', HOSTS)
      .patch('host-1', 'merge', { status: { conditions: [{ type: 'Ready', status: 'Unknown' }] } }, 'status');
    await settled();
    clock.advance(at('12:03:00') - clock.now());
    await settled();
    assert.equal(records(transport).length, 0);
    await instances.patch('u-1', 'merge', { status: { meteredTo: iso('10:45:00') } }, 'status');
    await until(() => records(transport).length === 1);
    assertSeamless(records(transport), '10:20:00', '10:45:00');
  }));

test('an hour is not closed before late reports have come, though metering began after it', () =>
  withWorld(async ({ transport, client, clock, start }) => {
    const instances = client.resource<ContainerInstance>('system', CONTAINER_INSTANCES, 'acme');
    await instances.create(draft({ meteredFrom: iso('10:20:00') }));
    clock.advance(at('11:01:59') - clock.now());
    await start();
    await settled();
    assert.equal(records(transport).length, 0);
    clock.advance(at('11:02:00') - clock.now());
    await until(() => records(transport).length === 1);
  }));

test('dying before or after any write, and starting again, neither loses nor doubles a second', async () => {
  // The writes of a life of three rows: the rows and the release. Each is made to fail before or after it took effect.
  for (let failing = 0; failing < 4; failing++) {
    for (const when of ['before', 'after'] as const) {
      let writes = 0;
      let dead = false;
      let applying = false;
      let wound: FakeTransport;
      const isLedgerWrite = ({ method, path, body }: ApiRequest) =>
        path.includes('usagerecords')
          ? method === 'POST'
          : method === 'PATCH' && (body as any)?.metadata?.finalizers !== undefined;
      await withWorld(
        async ({ transport, client, clock, start }) => {
          wound = transport;
          const instances = client.resource<ContainerInstance>('system', CONTAINER_INSTANCES, 'acme');
          await instances.create(draft({ meteredFrom: iso('10:20:00'), meteredTo: iso('12:10:00') }));
          await instances.delete('u-1', { gracePeriodSeconds: 0 });
          clock.advance(at('12:20:00') - clock.now());
          const kill = await start();
          await until(() => dead);
          await kill();
          dead = false;
          await start();
          await until(() => transport.all('containerinstances').length === 0);
          assert.equal(records(transport).length, 3, `write ${failing}, ${when}`);
          assertSeamless(records(transport), '10:20:00', '12:10:00');
        },
        (request) => {
          if (applying || !isLedgerWrite(request)) return;
          if (dead) throw internalError('dead');
          if (writes++ !== failing) return;
          dead = true;
          if (when === 'before') throw internalError('died before');
          // The write takes effect, its answer is never heard.
          applying = true;
          void wound.request(request).catch(() => {});
          applying = false;
          throw internalError('died after');
        },
      );
    }
  }
});

test('the bill counts each second once, be it in the ledger or not', () => {
  const record = (from: string, to: string, tenant = 'acme', id = 'u-1'): UsageRecord => {
    const seconds = (at(to) - at(from)) / 1000;
    return {
      metadata: { name: `${id}-${at(from)}`, namespace: tenant },
      spec: {
        instance: id,
        pod: { namespace: 'shop', name: 'web' },
        zone: 'a',
        intervalStart: iso(from),
        intervalEnd: iso(to),
        seconds,
        vcpuSeconds: seconds / 2,
        gibSeconds: seconds,
      },
    } as any;
  };
  const prices = { currency: 'EUR', perVcpuSecond: 2, perGibSecond: 1 };
  const live = instance({ meteredFrom: iso('10:30:00') });
  const rows = summarize(
    [record('10:30:00', '11:00:00'), record('10:00:00', '10:00:10', 'other', 'u-9')],
    [live],
    at('11:10:00'),
    { prices },
  );
  assert.deepEqual(rows, [
    { tenant: 'acme', instances: 1, seconds: 2400, vcpuSeconds: 1200, gibSeconds: 2400, cost: 4800, currency: 'EUR' },
    { tenant: 'other', instances: 1, seconds: 10, vcpuSeconds: 5, gibSeconds: 10, cost: 20, currency: 'EUR' },
  ]);
  const before = summarize([], [live], at('11:10:00'), { tenant: 'acme', prices });
  assert.deepEqual(before, [rows[0]]);
  const ended = instance({ meteredFrom: iso('10:30:00'), meteredTo: iso('11:00:00') });
  assert.equal(summarize([record('10:30:00', '11:00:00')], [ended], at('12:00:00'))[0]!.seconds, 1800);
  assert.deepEqual(summarize([], [], 0), []);
});
