import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { StatusError } from '../../api/status.ts';
import type { ApiRequest } from '../../api/transport.ts';
import { openMemoryStore } from '../../store/memory/memory-store.ts';
import type { Identity } from '../identity/identity.ts';
import { startTestServer, type TestServer } from '../testing/test-server.ts';

const rbac = '/clusters/a/apis/rbac.authorization.k8s.io/v1';
const claims = '/clusters/a/apis/resource.k8s.io/v1/namespaces/default/resourceclaims';
const merge = 'application/merge-patch+json';
const driver = 'gpu.example.com';
const device = { driver, pool: 'p', device: 'd' };
const nodeSelector = {
  nodeSelectorTerms: [{ matchFields: [{ key: 'metadata.name', operator: 'In', values: ['node-a'] }] }],
};

let server: TestServer;
const admin = <T = any>(method: ApiRequest['method'], path: string, body?: unknown, contentType?: string) =>
  server.transport.request<T>({ method, path, body, ...(contentType !== undefined && { contentType }) });

const account = (name: string, nodeName?: string): Identity => ({
  name: `system:serviceaccount:default:${name}`,
  groups: ['system:serviceaccounts', 'system:authenticated'],
  kind: 'tenant',
  tenant: 'a',
  ...(nodeName !== undefined && { extra: { 'authentication.kubernetes.io/node-name': [nodeName] } }),
});

/** '' when it is done, what stands against it otherwise. */
async function write(identity: Identity, status: object): Promise<string> {
  const request = { method: 'PATCH' as const, path: `${claims}/c/status`, body: { status }, contentType: merge };
  try {
    await server.server.inProcess(identity).request(request);
    return '';
  } catch (error) {
    assert.equal((error as StatusError).code, 422);
    return (error as StatusError).message;
  }
}

async function grant(name: string, ...rules: object[]): Promise<void> {
  await admin('POST', `${rbac}/clusterroles`, { metadata: { name }, rules });
  await admin('POST', `${rbac}/clusterrolebindings`, {
    metadata: { name },
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name },
    subjects: [{ kind: 'ServiceAccount', namespace: 'default', name }],
  });
}

const rule = (resource: string, verbs: string[], resourceNames?: string[]) => ({
  apiGroups: ['resource.k8s.io'],
  resources: [resource],
  verbs,
  ...(resourceNames !== undefined && { resourceNames }),
});

before(async () => {
  server = await startTestServer(openMemoryStore(), { tenants: ['a'] });
  await admin('POST', claims, {
    metadata: { name: 'c' },
    spec: { devices: { requests: [{ name: 'r', exactly: { deviceClassName: 'gpu' } }] } },
  });
  const status = rule('resourceclaims/status', ['update', 'patch']);
  await grant('plain', status);
  await grant('binder', status, rule('resourceclaims/binding', ['patch']));
  await grant('anywhere', status, rule('resourceclaims/driver', ['arbitrary-node:patch'], [driver]));
  await grant('at-home', status, rule('resourceclaims/driver', ['associated-node:patch'], [driver]));
});
after(() => server.close());

test('allocating and reserving needs the right to bind', async () => {
  const allocation = { devices: { results: [{ request: 'r', ...device }] }, nodeSelector };
  const refused = [
    'ResourceClaim.resource.k8s.io "c" is invalid: status.allocation: Forbidden: changing status.allocation or status.reservedFor requires',
    'resource="resourceclaims/binding", verb="patch" permission: resourceclaims.resource.k8s.io is forbidden:',
    'User "system:serviceaccount:default:plain" cannot patch resource "resourceclaims/binding" in API group "resource.k8s.io" at the cluster scope',
  ].join(' ');
  assert.equal(await write(account('plain'), { allocation }), refused);
  assert.equal(await write(account('binder'), { allocation }), '');
  assert.equal(await write(account('plain'), { allocation }), '', 'what is so already may be written');
});

test('what is told of a device needs the right of its driver, there or anywhere', async () => {
  const devices = [{ ...device, data: { tells: 'something' } }];
  const refused = (name: string, verb: string, verbs: string) =>
    [
      'ResourceClaim.resource.k8s.io "c" is invalid: status.devices: Forbidden: changing status.devices requires',
      `resource="resourceclaims/driver", verb="[${verbs}]" permission: resourceclaims.resource.k8s.io "${driver}" is forbidden:`,
      `User "system:serviceaccount:default:${name}" cannot ${verb} resource "resourceclaims/driver" in API group "resource.k8s.io" in the namespace "default"`,
    ].join(' ');
  const anywhere = 'arbitrary-node:patch';
  const there = 'associated-node:patch';
  assert.equal(await write(account('binder'), { devices }), refused('binder', anywhere, anywhere));
  assert.equal(await write(account('at-home', 'node-b'), { devices }), refused('at-home', anywhere, anywhere));
  assert.equal(await write(account('binder', 'node-a'), { devices }), refused('binder', there, `${there} ${anywhere}`));
  assert.equal(await write(account('at-home', 'node-a'), { devices }), '');
  assert.equal(await write(account('anywhere'), { devices: [{ ...device, data: { tells: 'more' } }] }), '');
});

test('what was told goes with the allocation', async () => {
  assert.equal(await write(account('binder'), { allocation: null }), '');
  const { status } = await admin('GET', `${claims}/c`);
  assert.deepEqual(status ?? {}, {});
});
