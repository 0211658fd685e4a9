import assert from 'node:assert/strict';
import { it } from 'node:test';
import type { ContainerInstance, ContainerInstanceStatus } from '../api/pool.ts';
import { notFound, serviceUnavailable } from '../api/status.ts';
import type { ApiRequest, Transport } from '../api/transport.ts';
import { ManualClock } from '../base/clock.ts';
import { silentLogger } from '../base/log.ts';
import { until } from '../base/testing/until.ts';
import { Client } from '../client/client.ts';
import { StatusWriter, statusPatch } from './status-writer.ts';
import { instanceOf } from './testing/fixtures.ts';

const resource = { group: 'pool.skypod.io', resource: 'containerinstances' };
const statusOf = (phase: ContainerInstanceStatus['phase'], message?: string): ContainerInstanceStatus => ({
  phase,
  ...(message !== undefined && { message }),
});

function setUp() {
  const writes: any[] = [];
  const answers: (Error | undefined)[] = [];
  const clock = new ManualClock();
  const transport = {
    async request(request: ApiRequest) {
      writes.push(request.body);
      const error = answers.shift();
      if (error !== undefined) throw error;
      return {};
    },
  } as unknown as Transport;
  const { signal } = new AbortController();
  const writer = new StatusWriter({ client: new Client(transport), clock, logger: silentLogger, signal });
  const instance: ContainerInstance = instanceOf({});
  const settle = () => new Promise((resolve) => setImmediate(resolve));
  return { writes, answers, clock, writer, instance, settle };
}

it('a status that hurries nobody waits for a better one', async () => {
  const { writes, clock, writer, instance, settle } = setUp();
  writer.write(instance, statusOf('Pending'));
  writer.write(instance, statusOf('Pending', 'more'));
  await settle();
  assert.equal(writes.length, 0);
  writer.write(instance, statusOf('Running'));
  await settle();
  clock.advance(1000);
  await settle();
  assert.deepEqual(writes, [{ metadata: { uid: 'instance-uid' }, status: { phase: 'Running' } }]);
  writer.write(instance, statusOf('Running'));
  await settle();
  assert.equal(writes.length, 1, 'what the server has is not written again');
});

it('a pending status is written after a moment all the same', async () => {
  const { writes, clock, writer, instance, settle } = setUp();
  writer.write(instance, statusOf('Pending'));
  clock.advance(20);
  await settle();
  assert.equal(writes.length, 1);
});

it('a failed write is tried again, with the newest status', async () => {
  const { writes, answers, clock, writer, instance, settle } = setUp();
  answers.push(serviceUnavailable('away'), serviceUnavailable('away'));
  writer.write(instance, statusOf('Running'));
  await settle();
  let written = false;
  const done = writer.written(instance, statusOf('Failed')).then(() => (written = true));
  clock.advance(100);
  await settle();
  assert.equal(written, false);
  clock.advance(200);
  await until(() => written);
  await done;
  assert.deepEqual(
    writes.map(({ status }) => status.phase),
    ['Running', 'Failed', 'Failed'],
  );
});

it('nobody is waited for when the instance is gone', async () => {
  const { writes, answers, writer, instance } = setUp();
  answers.push(notFound(resource, 'uid-1'));
  await writer.written(instance, statusOf('Failed'));
  assert.equal(writes.length, 1);
  const { writer: other, answers: refusals } = setUp();
  refusals.push(serviceUnavailable('away'));
  const waiting = other.written(instance, statusOf('Failed'));
  other.forget(instance.metadata.name);
  await waiting;
});

it('a patch takes away what no longer is', () => {
  const before = { phase: 'Running', reason: 'x', podIP: '1' } as ContainerInstanceStatus;
  const patch = statusPatch(before, { phase: 'Running', podIP: '1' }, undefined);
  assert.deepEqual(patch, { status: { phase: 'Running', podIP: '1', reason: null } });
});
