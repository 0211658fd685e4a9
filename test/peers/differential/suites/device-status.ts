import type { Twin } from '../twin.ts';
import { MERGE, makeNamespace } from './objects.ts';

const roles = '/apis/rbac.authorization.k8s.io/v1';
const allAbout = (resource: string, verbs: string[]) => ({
  apiGroups: ['resource.k8s.io'],
  resources: [resource],
  verbs,
});

/** Who may write which part of a claim's status. */
export async function deviceStatus(twin: Twin): Promise<void> {
  const namespace = `devices-${twin.run}`;
  await makeNamespace(twin, namespace);
  const claims = `/apis/resource.k8s.io/v1/namespaces/${namespace}/resourceclaims`;
  const rights: Record<string, object[]> = {
    plain: [],
    binder: [allAbout('resourceclaims/binding', ['patch', 'update'])],
    anywhere: [allAbout('resourceclaims/driver', ['arbitrary-node:patch'])],
    home: [allAbout('resourceclaims/driver', ['associated-node:patch'])],
  };
  for (const [name, rules] of Object.entries(rights)) {
    const role = `${name}-${twin.run}`;
    const all = [
      allAbout('resourceclaims/status', ['patch', 'update', 'get']),
      allAbout('resourceclaims', ['get']),
      ...rules,
    ];
    await twin.prepare({
      method: 'POST',
      path: `${roles}/clusterroles`,
      body: { metadata: { name: role }, rules: all },
    });
    await twin.prepare({
      method: 'POST',
      path: `${roles}/clusterrolebindings`,
      body: {
        metadata: { name: role },
        roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: role },
        subjects: [{ kind: 'ServiceAccount', namespace, name }],
      },
    });
  }
  const spec = { devices: { requests: [{ name: 'r', exactly: { deviceClassName: 'gpu' } }] } };
  await twin.prepare({ method: 'POST', path: claims, body: { metadata: { name: 'c' }, spec } });
  const device = { driver: 'gpu.example.com', pool: 'p', device: 'd' };
  const other = { driver: 'a.example.com', pool: 'p', device: 'd' };
  const results = [device, other].map((one) => ({ request: 'r', ...one }));
  const at = (values: string[]) => ({
    nodeSelectorTerms: [{ matchFields: [{ key: 'metadata.name', operator: 'In', values }] }],
  });
  const allocation = { devices: { results }, nodeSelector: at(['n1']) };
  const reservedFor = [{ resource: 'pods', name: 'p', uid: 'u' }];
  const steps: [string, string, string | undefined, object][] = [
    ['allocates', 'plain', undefined, { allocation }],
    ['reserves', 'plain', undefined, { reservedFor }],
    ['tells before there is an allocation', 'plain', undefined, { devices: [device] }],
    ['allocates wrongly', 'plain', undefined, { allocation: { devices: { results: [{ request: 'x' }] } } }],
    ['allocates', 'binder', undefined, { allocation, reservedFor }],
    ['allocates again', 'plain', undefined, { allocation }],
    ['tells of two', 'plain', undefined, { devices: [device, other] }],
    ['tells of two there', 'plain', 'n1', { devices: [device, other] }],
    ['tells elsewhere', 'home', 'n2', { devices: [device] }],
    ['tells there', 'home', 'n1', { devices: [device] }],
    ['tells more anywhere', 'anywhere', undefined, { devices: [{ ...device, data: { a: 1 } }, other] }],
    ['tells the same', 'plain', undefined, { devices: [{ ...device, data: { a: 1 } }, other] }],
    ['takes one back', 'plain', undefined, { devices: [device] }],
    ['tells wrongly', 'plain', undefined, { devices: [{ driver: 'x' }] }],
    ['releases', 'plain', undefined, { allocation: null, reservedFor: null }],
    ['releases one', 'binder', undefined, { allocation: null, reservedFor: null }],
  ];
  for (const [index, [label, name, nodeName, status]] of steps.entries()) {
    await twin.ask(`${index}: ${name} ${label}`, {
      method: 'PATCH',
      path: `${claims}/c/status`,
      type: MERGE,
      body: { status },
      headers: {
        'impersonate-user': `system:serviceaccount:${namespace}:${name}`,
        ...(nodeName !== undefined && { 'impersonate-extra-authentication.kubernetes.io%2fnode-name': nodeName }),
      },
    });
  }
  await twin.ask('what is left', { path: `${claims}/c` });
  await oddStatuses(twin, claims, { device, allocation });
}

async function oddStatuses(twin: Twin, claims: string, { device, allocation }: { device: object; allocation: object }) {
  const asker = (label: string, status: object) =>
    twin.ask(label, { method: 'PATCH', path: `${claims}/c/status`, type: MERGE, body: { status } });
  const result = { request: 'r', ...device };
  const results = (...all: object[]) => ({ allocation: { devices: { results: all } } });
  const opaque = { driver: 'x.y', parameters: { a: 1 } };
  const config = (...all: object[]) => ({ allocation: { devices: { results: [result], config: all } } });
  const selector = (nodeSelector: object) => ({ allocation: { devices: { results: [result] }, nodeSelector } });
  const allocations: Record<string, object> = {
    'no result': { allocation: {} },
    'empty result': results({}),
    'wrong request': results({ ...result, request: 'x' }),
    'wrong request path': results({ ...result, request: 'r/x/y' }),
    'wrong subrequest': results({ ...result, request: 'r/x' }),
    'wrong driver': results({ ...result, driver: 'A_b' }),
    'long driver': results({ ...result, driver: 'a'.repeat(64) }),
    'wrong pool': results({ ...result, pool: 'A/b/' }),
    'wrong device': results({ ...result, device: 'a.b' }),
    'wrong share': results({ ...result, shareID: 'x' }),
    'share in capitals': results({ ...result, shareID: '6BA7B810-9DAD-11D1-80B4-00C04FD430C8' }),
    'share as urn': results({ ...result, shareID: 'urn:uuid:6ba7b810-9dad-11d1-80b4-00c04fd430c8' }),
    'share in braces': results({ ...result, shareID: '{6ba7b810-9dad-11d1-80b4-00c04fd430c8}' }),
    'share of 36 letters': results({ ...result, shareID: 'x'.repeat(36) }),
    'share of 32 letters': results({ ...result, shareID: 'x'.repeat(32) }),
    'many results': results(...new Array(33).fill(result)),
    'binding conditions alone': results({ ...result, bindingConditions: ['a'] }),
    'binding failures alone': results({ ...result, bindingFailureConditions: ['a'] }),
    'empty binding conditions': results({ ...result, bindingConditions: [], bindingFailureConditions: ['a'] }),
    'binding conditions twice': results({
      ...result,
      bindingConditions: ['a', 'a', 'b'],
      bindingFailureConditions: ['b', 'c', 'c'],
    }),
    'odd binding conditions': results({ ...result, bindingConditions: ['a/b/c', ''], bindingFailureConditions: ['d'] }),
    'many binding conditions': results({
      ...result,
      bindingConditions: ['a', 'b', 'c', 'd', 'e'],
      bindingFailureConditions: ['f'],
    }),
    'config without source': config({ opaque }),
    'config of wrong source': config({ source: 'x', opaque }),
    'config of nothing': config({ source: 'FromClaim' }),
    'config of wrong request': config({ source: 'FromClass', requests: ['x', 'r', 'r'], opaque }),
    'wrong config': config({ source: 'FromClass', opaque: { driver: '', parameters: 1 } }),
    'empty node selector': selector({}),
    'empty node selector terms': selector({ nodeSelectorTerms: [] }),
    'wrong node selector': selector({
      nodeSelectorTerms: [{ matchFields: [{ key: 'x', operator: 'In', values: ['a'] }] }],
    }),
    'reserved alone': { reservedFor: [{ resource: 'pods', name: 'p', uid: 'u' }] },
    'reserved oddly': { ...results(result), reservedFor: [{}, {}, { resource: 'pods', name: 'p', uid: 'u' }] },
    'reserved twice': {
      ...results(result),
      reservedFor: [
        { resource: 'pods', name: 'p', uid: 'u' },
        { resource: 'pods', name: 'q', uid: 'u' },
      ],
    },
    'reserved by many': {
      ...results(result),
      reservedFor: Array.from({ length: 257 }, (_, index) => ({ resource: 'pods', name: 'p', uid: `u-${index}` })),
    },
  };
  for (const [label, status] of Object.entries(allocations)) {
    await asker(`odd allocation: ${label}`, { ...status });
    await asker(`odd allocation: back from ${label}`, { allocation: null, reservedFor: null, devices: null });
  }
  await asker('allocated', { allocation });
  const now = '2026-01-01T00:00:00Z';
  const told: Record<string, object[]> = {
    'not allocated': [{ ...device, device: 'other' }],
    nothing: [{}],
    twice: [device, device],
    'wrong names': [{ driver: 'A_', pool: '/', device: 'a.b' }],
    'wrong share': [{ ...device, shareID: 'x' }],
    'not its share': [{ ...device, shareID: '6ba7b810-9dad-11d1-80b4-00c04fd430c8' }],
    conditions: [
      { ...device, conditions: [{ type: 'a', status: 'True', reason: 'R', message: '', lastTransitionTime: now }] },
    ],
    'wrong conditions': [{ ...device, conditions: [{ type: 'a' }, { type: 'a', status: 'x' }] }],
    'many conditions': [
      {
        ...device,
        conditions: Array.from({ length: 9 }, (_, index) => ({
          type: `t${index}`,
          status: 'True',
          reason: 'R',
          message: '',
          lastTransitionTime: now,
        })),
      },
    ],
    'a list': [{ ...device, data: [1] }],
    'a number': [{ ...device, data: 1 }],
    'no data': [{ ...device, data: null }],
    'much data': [{ ...device, data: { a: 'x'.repeat(10_240) } }],
    network: [
      {
        ...device,
        networkData: { interfaceName: 'eth0', hardwareAddress: 'aa', ips: ['10.9.8.7/24', '2001:db8::1/64'] },
      },
    ],
    'odd network': [
      {
        ...device,
        networkData: {
          interfaceName: 'x'.repeat(257),
          hardwareAddress: 'x'.repeat(129),
          ips: ['10.9.8.7', '010.9.8.7/24', '2001:DB8::1/64', '::ffff:1.2.3.4/120', '1.2.3.4/33', 'a', 'a'],
        },
      },
    ],
    'many addresses': [
      { ...device, networkData: { ips: Array.from({ length: 17 }, (_, index) => `10.0.0.${index}/24`) } },
    ],
  };
  for (const [label, devices] of Object.entries(told)) await asker(`told: ${label}`, { devices });
  await asker('allocated anew', { allocation: { devices: { results: [{ ...result, device: 'z' }] } } });
}
