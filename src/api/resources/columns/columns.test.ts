import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { KubeObject } from '../../object.ts';
import { columnsOf } from './index.ts';

const now = Date.parse('2026-01-01T01:00:00Z');

function row(group: string, resource: string, object: unknown, wide = false): unknown[] {
  return columnsOf(group, resource)
    .filter((column) => wide || column.priority === 0)
    .map((column) => column.value(object as KubeObject, now));
}
const headers = (group: string, resource: string) =>
  columnsOf(group, resource)
    .filter((column) => column.priority === 0)
    .map((column) => column.name.toUpperCase())
    .join(' ');

const pod = (spec: object, status: object, metadata: object = {}) => ({
  metadata: { name: 'a', creationTimestamp: '2026-01-01T00:00:00Z', ...metadata },
  spec: { containers: [{ name: 'c' }, { name: 'd' }], ...spec },
  status,
});
const running = { ready: true, restartCount: 0, state: { running: {} } };
const cells = (object: object) => row('', 'pods', object).slice(1, 4);

test('pods print as kubectl prints them', () => {
  assert.equal(headers('', 'pods'), 'NAME READY STATUS RESTARTS AGE');
  assert.deepEqual(row('', 'pods', pod({}, { phase: 'Pending' }), true), [
    'a',
    '0/2',
    'Pending',
    '0',
    '60m',
    '<none>',
    '<none>',
    '<none>',
    '<none>',
  ]);
  assert.deepEqual(cells(pod({}, { phase: 'Running', containerStatuses: [running, running] })), [
    '2/2',
    'Running',
    '0',
  ]);
  assert.deepEqual(
    cells(
      pod(
        {},
        {
          phase: 'Running',
          containerStatuses: [
            running,
            {
              ready: false,
              restartCount: 2,
              state: { waiting: { reason: 'CrashLoopBackOff' } },
              lastState: { terminated: { exitCode: 1, finishedAt: '2026-01-01T00:55:00Z' } },
            },
          ],
        },
      ),
    ),
    ['1/2', 'CrashLoopBackOff', '2 (5m ago)'],
  );
  const done = { ready: false, restartCount: 0, state: { terminated: { exitCode: 0, reason: 'Completed' } } };
  assert.deepEqual(cells(pod({}, { phase: 'Succeeded', containerStatuses: [done, done] })), ['0/2', 'Completed', '0']);
  assert.deepEqual(cells(pod({}, { phase: 'Running', containerStatuses: [done, running] })), ['1/2', 'NotReady', '0']);
  assert.deepEqual(
    cells(
      pod(
        {},
        {
          phase: 'Running',
          conditions: [{ type: 'Ready', status: 'True' }],
          containerStatuses: [done, running],
        },
      ),
    ),
    ['1/2', 'Running', '0'],
  );
  const killed = { ready: false, restartCount: 0, state: { terminated: { exitCode: 137, signal: 9 } } };
  assert.deepEqual(cells(pod({}, { phase: 'Failed', containerStatuses: [killed, done] })), ['0/2', 'Signal:9', '0']);
  assert.deepEqual(cells(pod({}, { phase: 'Failed', reason: 'Evicted' })), ['0/2', 'Evicted', '0']);
  assert.deepEqual(
    cells(pod({}, { phase: 'Running', containerStatuses: [running, running] }, { deletionTimestamp: 'x' })),
    ['2/2', 'Terminating', '0'],
  );
});

test('init containers and sidecars have their say', () => {
  const init = { initContainers: [{ name: 'i' }, { name: 'j' }] };
  const waiting = { name: 'i', restartCount: 0, state: { waiting: { reason: 'PodInitializing' } } };
  assert.deepEqual(
    cells(pod(init, { phase: 'Pending', initContainerStatuses: [waiting, { ...waiting, name: 'j' }] })),
    ['0/2', 'Init:0/2', '0'],
  );
  const failed = { name: 'i', restartCount: 3, state: { terminated: { exitCode: 1, reason: 'Error' } } };
  assert.deepEqual(cells(pod(init, { phase: 'Pending', initContainerStatuses: [failed] })), ['0/2', 'Init:Error', '3']);
  const backOff = { name: 'i', restartCount: 3, state: { waiting: { reason: 'CrashLoopBackOff' } } };
  assert.deepEqual(cells(pod(init, { phase: 'Pending', initContainerStatuses: [backOff] })), [
    '0/2',
    'Init:CrashLoopBackOff',
    '3',
  ]);
  const sidecar = { initContainers: [{ name: 's', restartPolicy: 'Always' }] };
  assert.deepEqual(
    cells(
      pod(sidecar, {
        phase: 'Running',
        initContainerStatuses: [{ name: 's', started: true, ready: true, restartCount: 1, state: { running: {} } }],
        containerStatuses: [running, running],
      }),
    ),
    ['3/3', 'Running', '1'],
  );
});

test('other resources print as kubectl prints them', () => {
  const metadata = { name: 'a', creationTimestamp: '2025-12-30T00:00:00Z' };
  assert.equal(headers('apps', 'deployments'), 'NAME READY UP-TO-DATE AVAILABLE AGE');
  assert.deepEqual(
    row(
      'apps',
      'deployments',
      {
        metadata,
        spec: {
          replicas: 3,
          selector: { matchLabels: { b: 'c', a: 'b' } },
          template: {
            spec: {
              containers: [
                { name: 'x', image: 'i' },
                { name: 'y', image: 'j' },
              ],
            },
          },
        },
        status: { readyReplicas: 2, updatedReplicas: 3 },
      },
      true,
    ),
    ['a', '2/3', 3, 0, '2d1h', 'x,y', 'i,j', 'a=b,b=c'],
  );
  assert.deepEqual(
    row('', 'services', {
      metadata,
      spec: { type: 'NodePort', clusterIPs: ['10.0.0.1'], ports: [{ port: 80, nodePort: 30080, protocol: 'TCP' }] },
    }),
    ['a', 'NodePort', '10.0.0.1', '<none>', '80:30080/TCP', '2d1h'],
  );
  assert.deepEqual(
    row('', 'nodes', {
      metadata: { ...metadata, labels: { 'node-role.kubernetes.io/worker': '', 'node-role.kubernetes.io/agent': '' } },
      spec: { unschedulable: true },
      status: { conditions: [{ type: 'Ready', status: 'True' }], nodeInfo: { kubeletVersion: 'v1.36.0' } },
    }),
    ['a', 'Ready,SchedulingDisabled', 'agent,worker', '2d1h', 'v1.36.0'],
  );
  assert.deepEqual(
    row('batch', 'jobs', {
      metadata,
      spec: { completions: 2, parallelism: 1 },
      status: {
        startTime: '2026-01-01T00:00:00Z',
        completionTime: '2026-01-01T00:00:42Z',
        succeeded: 2,
        conditions: [{ type: 'Complete', status: 'True' }],
      },
    }),
    ['a', 'Complete', '2/2', '42s', '2d1h'],
  );
  assert.deepEqual(
    row('', 'events', {
      metadata,
      type: 'Normal',
      reason: 'Scheduled',
      message: ' ok\n',
      involvedObject: { kind: 'Pod', name: 'p' },
      lastTimestamp: '2026-01-01T00:59:00Z',
    }),
    ['60s', 'Normal', 'Scheduled', 'pod/p', 'ok'],
  );
  assert.deepEqual(
    row('', 'endpoints', {
      metadata,
      subsets: [{ addresses: [{ ip: '1.1.1.1' }, { ip: '1.1.1.2' }], ports: [{ port: 80 }, { port: 81 }] }],
    }),
    ['a', '1.1.1.1:80,1.1.1.2:80,1.1.1.1:81 + 1 more...', '2d1h'],
  );
  assert.equal(headers('rbac.authorization.k8s.io', 'roles'), 'NAME CREATED AT');
});
