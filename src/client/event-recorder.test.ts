import assert from 'node:assert/strict';
import { test } from 'node:test';
import { EVENTS } from '../api/resources.ts';
import { ManualClock } from '../base/clock.ts';
import { silentLogger } from '../base/log.ts';
import { Client } from './client.ts';
import { createEventRecorder } from './event-recorder.ts';
import { FakeTransport } from './testing/fake-transport.ts';

const target = {
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: 'web', namespace: 'shop', uid: 'u', resourceVersion: '7', clusterName: 'acme' },
  fieldPath: 'spec.containers{web}',
};
function setUp() {
  const clock = new ManualClock(Date.parse('2026-01-01T00:00:00Z'));
  const transport = new FakeTransport();
  const client = new Client(transport);
  const recorder = createEventRecorder({ client, clock, logger: silentLogger, component: 'kubelet', host: 'node-a' });
  return { clock, transport, client, recorder, all: () => transport.all('events') as any[] };
}

test('an event says who, about what, when; repeated, it counts', async () => {
  const { clock, recorder, all } = setUp();
  recorder.event(target, 'Normal', 'Pulled', 'Successfully pulled image');
  clock.advance(5000);
  recorder.event(target, 'Normal', 'Pulled', 'Successfully pulled image');
  recorder.event(target, 'Normal', 'Pulled', 'Successfully pulled image');
  await recorder.flush();
  assert.equal(all().length, 1);
  const [event] = all();
  assert.match(event.metadata.name, /^web\.[0-9a-f]{16}$/);
  assert.equal(event.metadata.namespace, 'shop');
  assert.deepEqual(event.involvedObject, {
    kind: 'Pod',
    namespace: 'shop',
    name: 'web',
    uid: 'u',
    apiVersion: 'v1',
    resourceVersion: '7',
    fieldPath: 'spec.containers{web}',
  });
  assert.equal(event.count, 3);
  assert.equal(event.firstTimestamp, '2026-01-01T00:00:00Z');
  assert.equal(event.lastTimestamp, '2026-01-01T00:00:05Z');
  assert.deepEqual(event.source, { component: 'kubelet', host: 'node-a' });
});

test('many similar ones become one, and a flood ends', async () => {
  const { clock, recorder, all } = setUp();
  for (let index = 0; index < 15; index++) recorder.event(target, 'Normal', 'Created', `Created pod: web-${index}`);
  await recorder.flush();
  assert.equal(all().length, 10);
  const combined = all().find((event) => event.message.startsWith('(combined from similar events): '));
  assert.equal(combined.count, 6);
  for (let index = 0; index < 100; index++) recorder.event(target, 'Normal', 'Other', 'the same');
  await recorder.flush();
  assert.equal(all().find((event) => event.reason === 'Other').count, 10, '25 in all');
  clock.advance(300_000);
  recorder.event(target, 'Normal', 'Other', 'the same');
  await recorder.flush();
  assert.equal(all().find((event) => event.reason === 'Other').count, 11, 'one more in five minutes');
});

test('an event that aged away is written anew; refusals are swallowed', async () => {
  const { client, recorder, all, transport } = setUp();
  recorder.event(target, 'Warning', 'BackOff', 'Back-off');
  await recorder.flush();
  await client.resource('acme', EVENTS, 'shop').delete(all()[0].metadata.name);
  recorder.event(target, 'Warning', 'BackOff', 'Back-off');
  await recorder.flush();
  assert.equal(all()[0].count, 2);
  const broken = createEventRecorder({
    client: new Client(
      new FakeTransport({
        onRequest: () => {
          throw new Error('down');
        },
      }),
    ),
    clock: new ManualClock(),
    logger: silentLogger,
    component: 'x',
  });
  broken.event(target, 'Normal', 'A', 'b');
  await broken.flush();
  assert.equal(transport.all('events').length, 1);
});

test("what one tenant floods, and writes of it that hang, keep no other's event waiting", async () => {
  const clock = new ManualClock();
  const transport = new FakeTransport();
  const ends: (() => void)[] = [];
  const slow = {
    request: async (request: any) => {
      if (request.path.startsWith('/clusters/slow/')) await new Promise<void>((resolve) => ends.push(resolve));
      return transport.request(request);
    },
    watch: (request: any) => transport.watch(request),
  };
  const client = new Client(slow as never);
  const recorder = createEventRecorder({ client, clock, logger: silentLogger, component: 'kubelet' });
  const about = (clusterName: string, uid: string) => ({
    ...target,
    metadata: { ...target.metadata, name: uid, uid, clusterName },
  });
  for (let index = 0; index < 1500; index++) recorder.event(about('slow', `${index}`), 'Normal', 'Pulled', 'x');
  for (let index = 0; index < 10; index++) recorder.event(about('acme', `${index}`), 'Normal', 'Pulled', 'x');
  while (transport.all('events').length < 10) await new Promise(setImmediate);
  assert.equal(ends.length, 4);
  let isDone = false;
  const flushed = recorder.flush().then(() => {
    isDone = true;
  });
  while (!isDone) {
    for (const end of ends.splice(0)) end();
    await new Promise(setImmediate);
  }
  await flushed;
  assert.equal(transport.all('events').length, 1014, 'its own queue is bounded');
});
