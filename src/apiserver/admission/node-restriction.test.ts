import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { StatusError } from '../../api/status.ts';
import type { ApiRequest } from '../../api/transport.ts';
import { openMemoryStore } from '../../store/memory/memory-store.ts';
import type { Identity } from '../identity/identity.ts';
import { startTestServer, type TestServer } from '../testing/test-server.ts';
import { forbiddenNodeLabels, modifiedLabels } from './node-labels.ts';

const space = '/clusters/a/api/v1/namespaces/default';
const nodes = '/clusters/a/api/v1/nodes';
const merge = 'application/merge-patch+json';
const spec = (nodeName: string) => ({ nodeName, containers: [{ name: 'c', image: 'i' }] });

let server: TestServer;
let podUid: string;
const node: Identity = {
  name: 'system:node:a',
  groups: ['system:nodes', 'system:authenticated'],
  kind: 'tenant',
  tenant: 'a',
};

before(async () => {
  server = await startTestServer(openMemoryStore(), { tenants: ['a'] });
  const post = (path: string, body: object) => server.transport.request<any>({ method: 'POST', path, body });
  for (const name of ['a', 'b']) await post(nodes, { metadata: { name } });
  for (const name of ['a', 'b']) {
    const pod = await post(`${space}/pods`, { metadata: { name: `on-${name}` }, spec: spec(name) });
    if (name === 'a') podUid = pod.metadata.uid;
  }
});
after(() => server.close());

/** '' where it is done, what stands against it otherwise. */
async function refusal(method: ApiRequest['method'], path: string, body?: object): Promise<string> {
  const contentType = method === 'PATCH' ? { contentType: merge } : {};
  try {
    await server.server.inProcess(node).request({ method, path, body, ...contentType });
    return '';
  } catch (error) {
    return (error as StatusError).message;
  }
}

test('a node writes its own Node, without what would draw pods to it', async () => {
  const labels = (set: object) => refusal('PATCH', `${nodes}/a`, { metadata: { labels: set } });
  assert.equal(await labels({ plain: 'x', 'node.kubernetes.io/x': 'y' }), '');
  assert.equal(
    await labels({ 'node-role.kubernetes.io/x': '', 'a.k8s.io/y': '' }),
    'nodes "a" is forbidden: is not allowed to modify labels: a.k8s.io/y, node-role.kubernetes.io/x',
  );
  assert.match(await refusal('PATCH', `${nodes}/b`, {}), /node "a" is not allowed to modify node "b"$/);
  const taints = [{ key: 'k', effect: 'NoSchedule' }];
  assert.match(await refusal('PATCH', `${nodes}/a`, { spec: { taints } }), /node "a" is not allowed to modify taints$/);
  assert.equal(await refusal('PATCH', `${nodes}/a/status`, { status: { phase: 'Running' } }), '');
});

test('a node tells of its own pods, and deletes no others', async () => {
  const status = (pod: string) => refusal('PATCH', `${space}/pods/${pod}/status`, { status: { phase: 'Running' } });
  assert.equal(await status('on-a'), '');
  assert.match(await status('on-b'), /only update pod status for pods with spec.nodeName set to itself$/);
  assert.match(await refusal('DELETE', `${space}/pods/on-b`), /only delete pods with spec.nodeName set to itself$/);
  assert.match(
    await refusal('POST', `${space}/pods`, { metadata: { name: 'x' }, spec: spec('a') }),
    /only create mirror pods$/,
  );
});

test('a node gets tokens for its pods alone, and for the audiences that they name', async () => {
  const token = (boundObjectRef?: object, audiences?: string[]) =>
    refusal('POST', `${space}/serviceaccounts/default/token`, { spec: { boundObjectRef, audiences } });
  const bound = (name: string, uid: string) => ({ apiVersion: 'v1', kind: 'Pod', name, uid });
  assert.equal(await token(bound('on-a', podUid)), '');
  assert.match(await token(), /node requested token not bound to a pod$/);
  assert.match(await token(bound('on-a', '')), /without a uid$/);
  assert.match(await token(bound('on-a', 'other')), /does not match the UID in record/);
  assert.match(await token(bound('on-a', podUid), ['x', 'y']), /node may only request 0 or 1 audiences$/);
  assert.match(
    await token(bound('on-a', podUid), ['vault']),
    /audience "vault" not found in pod spec volume, system:node:a is not authorized to request tokens for this audience$/,
  );
});

test('leases and slices of its own name', async () => {
  const leases = '/clusters/a/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases';
  assert.equal(await refusal('POST', leases, { metadata: { name: 'a' } }), '');
  assert.match(await refusal('POST', leases, { metadata: { name: 'b' } }), /same name as the requesting node$/);
});

test('labels that a kubelet may set', () => {
  assert.deepEqual(modifiedLabels({ a: '1', b: '2' }, { a: '1', c: '3' }), ['b', 'c']);
  const allowed = [
    'plain',
    'example.com/x',
    'kubernetes.io/hostname',
    'x.kubelet.kubernetes.io/y',
    'mykubernetes.io/x',
  ];
  assert.deepEqual(forbiddenNodeLabels(allowed), []);
  const refused = ['a.node-restriction.kubernetes.io/x', 'k8s.io/x', 'kubernetes.io/other'];
  assert.deepEqual(forbiddenNodeLabels([...refused].reverse()), refused);
});
