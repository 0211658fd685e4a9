import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { GroupResource, KubeObject } from '../../../api/object.ts';
import { resourceAttributes } from '../attributes.ts';
import { NodeAccess } from './node-access.ts';

const pod = {
  metadata: { name: 'web', namespace: 'shop' },
  spec: {
    nodeName: 'a',
    serviceAccountName: 'seller',
    imagePullSecrets: [{ name: 'pull' }],
    volumes: [
      { name: 'keys', secret: { secretName: 'mounted' } },
      { name: 'data', persistentVolumeClaim: { claimName: 'disk' } },
      { name: 'scratch', ephemeral: {} },
      { name: 'all', projected: { sources: [{ configMap: { name: 'projected' } }] } },
    ],
    containers: [{ name: 'c', env: [{ name: 'X', valueFrom: { configMapKeyRef: { name: 'settings', key: 'x' } } }] }],
    resourceClaims: [{ name: 'gpu', resourceClaimName: 'card' }],
  },
};
const mirror = {
  metadata: { name: 'static', namespace: 'shop', annotations: { 'kubernetes.io/config.mirror': 'x' } },
  spec: { nodeName: 'a', volumes: [{ name: 'v', secret: { secretName: 'grabbed' } }] },
};
const volume = {
  metadata: { name: 'pv' },
  spec: {
    claimRef: { namespace: 'shop', name: 'disk' },
    csi: {
      nodeStageSecretRef: { namespace: 'storage', name: 'stage' },
      controllerExpandSecretRef: { namespace: 'storage', name: 'controllers' },
    },
  },
};
const stored: Record<string, any[]> = {
  pods: [pod, mirror],
  persistentvolumes: [volume, { metadata: { name: 'free' }, spec: {} }],
  volumeattachments: [{ metadata: { name: 'va' }, spec: { nodeName: 'a' } }],
};
const objects = {
  async get({ resource }: GroupResource, _tenant: string, namespace: string, name: string) {
    const object = (stored[resource] ?? []).find(
      ({ metadata }) => metadata.name === name && (metadata.namespace ?? '') === namespace,
    );
    return object && { object };
  },
  async entries(
    { resource }: GroupResource,
    scope: { namespace?: string },
    filter?: { matches(o: KubeObject): boolean },
  ) {
    return (stored[resource] ?? [])
      .filter(({ metadata }) => scope.namespace === undefined || metadata.namespace === scope.namespace)
      .filter((object) => filter?.matches(object) ?? true)
      .map((object) => ({ object }));
  },
};
const nodes = new NodeAccess(objects as any);
const identity = (name: string, groups = ['system:nodes', 'system:authenticated']) =>
  ({ kind: 'tenant', tenant: 't', name, groups }) as any;

async function may(verb: string, what: string, more: object = {}, who = identity('system:node:a')) {
  const [resource = '', subresource = ''] = what.split('/');
  const group = {
    volumeattachments: 'storage.k8s.io',
    resourceclaims: 'resource.k8s.io',
    leases: 'coordination.k8s.io',
    podcertificaterequests: 'certificates.k8s.io',
  }[resource];
  const attributes = { ...resourceAttributes('t', { verb, group: group ?? '', resource, subresource }), ...more };
  const { allowed, reason } = await nodes.authorize(who, attributes);
  return allowed ? 'yes' : reason;
}

const unrelated = `no relationship found between node 'a' and this object`;

test('a node reads what its pods name, and nothing else', async () => {
  const shop = (name: string) => ({ namespace: 'shop', name });
  for (const [what, name] of [
    ['secrets', 'pull'],
    ['secrets', 'mounted'],
    ['configmaps', 'settings'],
    ['configmaps', 'projected'],
    ['persistentvolumeclaims', 'disk'],
    ['persistentvolumeclaims', 'web-scratch'],
    ['resourceclaims', 'card'],
    ['serviceaccounts', 'seller'],
    ['pods', 'web'],
  ] as const) {
    assert.equal(await may('get', what, shop(name)), 'yes', `${what} ${name}`);
    assert.equal(await may('get', what, shop('other')), unrelated, what);
    assert.equal(await may('get', what, { namespace: 'lab', name }), unrelated, what);
    const elsewhere = await may('get', what, shop(name), identity('system:node:b'));
    assert.equal(elsewhere, `no relationship found between node 'b' and this object`);
  }
  assert.equal(await may('watch', 'secrets', shop('mounted')), 'yes');
  assert.equal(await may('list', 'secrets', { namespace: 'shop' }), 'No Object name found');
  assert.equal(await may('update', 'secrets', shop('mounted')), 'can only read resources of this type');
  assert.equal(await may('get', 'secrets', shop('grabbed')), unrelated, 'a static pod names nothing');
});

test('a volume leads to its secrets, those for controllers aside', async () => {
  assert.equal(await may('get', 'persistentvolumes', { name: 'pv' }), 'yes');
  assert.equal(await may('get', 'persistentvolumes', { name: 'free' }), unrelated);
  assert.equal(await may('get', 'secrets', { namespace: 'storage', name: 'stage' }), 'yes');
  assert.equal(await may('get', 'secrets', { namespace: 'storage', name: 'controllers' }), unrelated);
  assert.equal(await may('get', 'volumeattachments', { name: 'va' }), 'yes');
});

test('its own Node, lease and pods; what all nodes need; writes that admission narrows', async () => {
  assert.equal(await may('get', 'nodes', { name: 'a' }), 'yes');
  assert.equal(await may('list', 'nodes'), `node 'a' cannot read all nodes, only its own Node object`);
  assert.equal(await may('list', 'pods', { fieldSelector: 'spec.nodeName=a' }), 'yes');
  assert.match(await may('list', 'pods'), /with spec.nodeName field selector/);
  assert.equal(await may('list', 'services'), 'yes');
  assert.equal(await may('create', 'events', { namespace: 'shop' }), 'yes');
  assert.equal(await may('update', 'leases', { namespace: 'kube-node-lease', name: 'a' }), 'yes');
  assert.match(await may('update', 'leases', { namespace: 'kube-node-lease', name: 'b' }), /same name/);
  for (const [verb, what] of [
    ['patch', 'nodes/status'],
    ['create', 'pods'],
    ['update', 'pods/status'],
    ['create', 'serviceaccounts/token'],
  ] as const) {
    assert.equal(await may(verb, what, { namespace: 'shop', name: 'seller' }), 'yes', `${verb} ${what}`);
  }
  for (const [verb, what] of [
    ['delete', 'nodes'],
    ['update', 'pods'],
    ['create', 'pods/binding'],
    ['get', 'pods/log'],
    ['get', 'podcertificaterequests'],
  ] as const) {
    assert.equal(await may(verb, what, { namespace: 'shop', name: 'seller' }), '', `${verb} ${what}`);
  }
});

test('nobody else is a node', async () => {
  assert.equal(NodeAccess.nodeOf(identity('system:node:a', ['system:authenticated'])), undefined);
  assert.equal(NodeAccess.nodeOf(identity('a')), undefined);
  assert.equal(await may('list', 'services', {}, identity('system:node:')), 'unknown node for user "system:node:"');
});
