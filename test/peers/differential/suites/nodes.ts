import type { Ask } from '../client.ts';
import type { Twin } from '../twin.ts';
import { configMap, MERGE, makeNamespace, pod } from './objects.ts';

const MIRROR = 'kubernetes.io/config.mirror';

/** What a node may do: the authorizer, and what admission takes back. */
export async function nodes(twin: Twin): Promise<void> {
  const namespace = `nodes-${twin.run}`;
  await makeNamespace(twin, namespace);
  const [own, other] = [`own-${twin.run}`, `other-${twin.run}`];
  const core = `/api/v1/namespaces/${namespace}`;
  const asNode = (name: string, ask: Ask): Ask => ({
    ...ask,
    headers: { ...ask.headers, 'impersonate-user': `system:node:${name}`, 'impersonate-group': 'system:nodes' },
  });
  const as = (label: string, ask: Ask, name = own) => twin.ask(label, asNode(name, ask));
  const post = (path: string, body: object): Ask => ({ method: 'POST', path, body });
  const patch = (path: string, body: object): Ask => ({ method: 'PATCH', path, type: MERGE, body });

  for (const name of ['mounted', 'free']) {
    await twin.prepare(post(`${core}/configmaps`, configMap(name)));
    await twin.prepare(post(`${core}/secrets`, { metadata: { name }, data: {} }));
  }
  await twin.prepare(post(`${core}/serviceaccounts`, { metadata: { name: 'runner' } }));
  const volumes = [
    { name: 'a', configMap: { name: 'mounted' } },
    { name: 'b', secret: { secretName: 'mounted' } },
    { name: 'c', persistentVolumeClaim: { claimName: 'claim' } },
    { name: 'd', projected: { sources: [{ serviceAccountToken: { path: 't', audience: 'vault' } }] } },
  ];
  const claim = {
    metadata: { name: 'claim' },
    spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } }, storageClassName: 'x' },
  };
  await twin.prepare(post(`${core}/persistentvolumeclaims`, claim));
  const spec = { volumes, serviceAccountName: 'runner' };
  const mine = await twin.prepare(post(`${core}/pods`, pod('mine', { spec: { ...spec, nodeName: own } })));
  twin.note('pod', mine, ({ json }) => json.metadata.uid);
  await twin.prepare(post(`${core}/pods`, pod('theirs', { spec: { ...spec, nodeName: other } })));

  await as('registers another', post('/api/v1/nodes', { metadata: { name: other } }));
  await as('registers with labels', post('/api/v1/nodes', { metadata: { name: own, labels: { 'x.k8s.io/a': 'b' } } }));
  await as(
    'registers restricted',
    post('/api/v1/nodes', { metadata: { name: own, labels: { 'node-restriction.kubernetes.io/a': 'b' } } }),
  );
  const labels = { 'kubernetes.io/hostname': own, plain: 'x', 'x.node.kubernetes.io/y': 'z' };
  await twin.prepare(post('/api/v1/nodes', { metadata: { name: own, labels }, spec: { taints: [] } }));
  await twin.prepare(patch(`/api/v1/nodes/${own}`, { spec: { taints: null } }));
  await twin.prepare(post('/api/v1/nodes', { metadata: { name: other } }));
  for (const side of twin.sides)
    side.notes['node'] = (await side.client.send({ path: `/api/v1/nodes/${own}` })).json.metadata.uid;
  // Upstream's authorizer and admission hear of objects by watches.
  await new Promise((resolve) => setTimeout(resolve, 1000));

  const asks: [string, Ask][] = [
    ['own node', { path: `/api/v1/nodes/${own}` }],
    ['other node', { path: `/api/v1/nodes/${other}` }],
    ['all nodes', { path: '/api/v1/nodes' }],
    ['own node by field', { path: `/api/v1/nodes?fieldSelector=metadata.name%3D${own}` }],
    ['own pod', { path: `${core}/pods/mine` }],
    ['other pod', { path: `${core}/pods/theirs` }],
    ['all pods', { path: '/api/v1/pods' }],
    ['own pods', { path: `/api/v1/pods?fieldSelector=spec.nodeName%3D${own}` }],
    ['other pods', { path: `/api/v1/pods?fieldSelector=spec.nodeName%3D${other}` }],
    ['pod log', { path: `${core}/pods/mine/log` }],
    ['mounted map', { path: `${core}/configmaps/mounted` }],
    ['free map', { path: `${core}/configmaps/free` }],
    ['mounted secret', { path: `${core}/secrets/mounted` }],
    ['mounted secret by field', { path: `${core}/secrets?fieldSelector=metadata.name%3Dmounted` }],
    ['free secret', { path: `${core}/secrets/free` }],
    ['secrets', { path: `${core}/secrets` }],
    ['update secret', patch(`${core}/secrets/mounted`, {})],
    ['claim', { path: `${core}/persistentvolumeclaims/claim` }],
    ['claims', { path: `${core}/persistentvolumeclaims` }],
    ['claim status', { path: `${core}/persistentvolumeclaims/claim/status` }],
    ['account', { path: `${core}/serviceaccounts/runner` }],
    ['other account', { path: `${core}/serviceaccounts/default` }],
    ['services', { path: '/api/v1/services?limit=1&fieldSelector=metadata.name%3Dnone' }],
    ['endpoints', { path: `${core}/endpoints/x` }],
    ['leases', { path: '/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases' }],
    ['lease elsewhere', { path: `/apis/coordination.k8s.io/v1/namespaces/default/leases/${own}` }],
    ['other lease', { path: `/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases/${other}` }],
    ['csi node', { path: `/apis/storage.k8s.io/v1/csinodes/${own}` }],
    ['other csi node', { path: `/apis/storage.k8s.io/v1/csinodes/${other}` }],
    ['csi nodes', { path: '/apis/storage.k8s.io/v1/csinodes' }],
    ['csi drivers', { path: '/apis/storage.k8s.io/v1/csidrivers' }],
    ['attachment', { path: '/apis/storage.k8s.io/v1/volumeattachments/x' }],
    ['runtime classes', { path: '/apis/node.k8s.io/v1/runtimeclasses' }],
    ['slices', { path: '/apis/resource.k8s.io/v1/resourceslices' }],
    ['own slices', { path: `/apis/resource.k8s.io/v1/resourceslices?fieldSelector=spec.nodeName%3D${own}` }],
    ['claims of devices', { path: `/apis/resource.k8s.io/v1/namespaces/${namespace}/resourceclaims` }],
    ['requests', { path: '/apis/certificates.k8s.io/v1/certificatesigningrequests' }],
    ['deployments', { path: '/apis/apps/v1/deployments' }],
    ['namespaces', { path: '/api/v1/namespaces' }],
    ['roles', { path: '/apis/rbac.authorization.k8s.io/v1/clusterroles' }],
    ['delete own node', { method: 'DELETE', path: `/api/v1/nodes/${own}` }],
    ['delete other pod', { method: 'DELETE', path: `${core}/pods/theirs` }],
    ['delete no pod', { method: 'DELETE', path: `${core}/pods/none` }],
    ['update pod', patch(`${core}/pods/mine`, { metadata: { labels: { a: 'b' } } })],
    ['other pod status', patch(`${core}/pods/theirs/status`, { status: { phase: 'Running' } })],
    ['own pod status', patch(`${core}/pods/mine/status`, { status: { phase: 'Running' } })],
    ['own pod labels', patch(`${core}/pods/mine/status`, { metadata: { labels: { a: 'b' } } })],
    [
      'own pod claims',
      patch(`${core}/pods/mine/status`, { status: { resourceClaimStatuses: [{ name: 'x', resourceClaimName: 'y' }] } }),
    ],
    ['evict other', post(`${core}/pods/theirs/eviction`, { metadata: { name: 'theirs' } })],
    ['evict none', post(`${core}/pods/none/eviction`, { metadata: { name: 'none' } })],
    ['bind', post(`${core}/pods/mine/binding`, { target: { name: own } })],
    ['own label', patch(`/api/v1/nodes/${own}`, { metadata: { labels: { plain: 'y' } } })],
    ['kubelet label', patch(`/api/v1/nodes/${own}`, { metadata: { labels: { 'node.kubernetes.io/mine': 'y' } } })],
    [
      'role label',
      patch(`/api/v1/nodes/${own}`, { metadata: { labels: { 'node-role.kubernetes.io/control-plane': '' } } }),
    ],
    [
      'two labels',
      patch(`/api/v1/nodes/${own}`, { metadata: { labels: { 'z.k8s.io/a': '', 'a.kubernetes.io/b': '' } } }),
    ],
    ['taints', patch(`/api/v1/nodes/${own}`, { spec: { taints: [{ key: 'a', effect: 'NoSchedule' }] } })],
    [
      'owner',
      patch(`/api/v1/nodes/${own}`, {
        metadata: { ownerReferences: [{ apiVersion: 'v1', kind: 'Node', name: 'x', uid: 'u' }] },
      }),
    ],
    ['unschedulable', patch(`/api/v1/nodes/${own}`, { spec: { unschedulable: true } })],
    ['own status', patch(`/api/v1/nodes/${own}/status`, { status: { phase: 'Running' } })],
    ['other status', patch(`/api/v1/nodes/${other}/status`, { status: { phase: 'Running' } })],
    [
      'claim capacity',
      patch(`${core}/persistentvolumeclaims/claim/status`, { status: { capacity: { storage: '2Gi' } } }),
    ],
    ['claim itself', patch(`${core}/persistentvolumeclaims/claim`, { metadata: { labels: { a: 'b' } } })],
    ['token of nothing', post(`${core}/serviceaccounts/runner/token`, { spec: {} })],
    [
      'token of a secret',
      post(`${core}/serviceaccounts/runner/token`, {
        spec: { boundObjectRef: { apiVersion: 'v1', kind: 'Secret', name: 'mounted' } },
      }),
    ],
    [
      'token without uid',
      post(`${core}/serviceaccounts/runner/token`, {
        spec: { boundObjectRef: { apiVersion: 'v1', kind: 'Pod', name: 'mine' } },
      }),
    ],
    [
      'token of no pod',
      post(`${core}/serviceaccounts/runner/token`, {
        spec: { boundObjectRef: { apiVersion: 'v1', kind: 'Pod', name: 'none', uid: 'u' } },
      }),
    ],
    [
      'token of another pod',
      post(`${core}/serviceaccounts/runner/token`, {
        spec: { boundObjectRef: { apiVersion: 'v1', kind: 'Pod', name: 'mine', uid: 'u' } },
      }),
    ],
    ['token of another account', post(`${core}/serviceaccounts/default/token`, { spec: {} })],
    ['lease', post('/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases', { metadata: { name: own } })],
    [
      'lease of another',
      post('/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases', { metadata: { name: other } }),
    ],
    [
      'make csi node',
      post('/apis/storage.k8s.io/v1/csinodes', {
        metadata: { name: own },
        spec: { drivers: [{ name: 'a.b', nodeID: 'n', topologyKeys: ['k'] }] },
      }),
    ],
    [
      'make other csi node',
      post('/apis/storage.k8s.io/v1/csinodes', {
        metadata: { name: other },
        spec: { drivers: [{ name: 'a.b', nodeID: 'n', topologyKeys: ['k'] }] },
      }),
    ],
    ['event', post(`${core}/events`, { metadata: { name: `e-${twin.run}` }, involvedObject: { namespace } })],
    ['pod', post(`${core}/pods`, pod('static', { spec: { nodeName: own } }))],
    ['mirror pod elsewhere', post(`${core}/pods`, mirror('static', other))],
    ['mirror pod without owner', post(`${core}/pods`, mirror('static', own))],
    ['mirror pod of two', post(`${core}/pods`, mirror('static', own, [{}, {}]))],
    [
      'mirror pod of another',
      post(`${core}/pods`, mirror('static', own, [{ apiVersion: 'v1', kind: 'Node', name: other, uid: 'u' }])),
    ],
    [
      'mirror pod of no controller',
      post(`${core}/pods`, mirror('static', own, [{ apiVersion: 'v1', kind: 'Node', name: own, uid: 'u' }])),
    ],
    [
      'mirror pod of another uid',
      post(
        `${core}/pods`,
        mirror('static', own, [{ apiVersion: 'v1', kind: 'Node', name: own, uid: 'u', controller: true }]),
      ),
    ],
  ];
  for (const [label, ask] of asks) await as(label, ask);
  for (const [label, audiences] of [
    ['mounted', ['vault']],
    ['default', []],
    ['other', ['bank']],
    ['two', ['vault', 'bank']],
  ] as const) {
    const answered = (answer: any) => (answer.status === 201 ? answer.json.spec.audiences.length : answer.json);
    await twin.ask(
      `token for ${label}`,
      (side) =>
        asNode(
          own,
          post(`${core}/serviceaccounts/runner/token`, {
            spec: {
              audiences,
              boundObjectRef: { apiVersion: 'v1', kind: 'Pod', name: 'mine', uid: side.notes['pod'] },
            },
          }),
        ),
      { reduce: answered },
    );
  }
  for (const [label, volume] of Object.entries({
    nothing: undefined,
    'empty directory': { emptyDir: {} },
    secret: { secret: { secretName: 'free' } },
    map: { configMap: { name: 'free' } },
    claim: { persistentVolumeClaim: { claimName: 'claim' } },
    driver: { csi: { driver: 'a.b' } },
    token: { projected: { sources: [{ serviceAccountToken: { path: 'x' } }] } },
    'downward api': { projected: { sources: [{ downwardAPI: { items: [] } }] } },
  })) {
    await twin.ask(`mirror pod with ${label}`, (side) => {
      const owner = { apiVersion: 'v1', kind: 'Node', name: own, uid: side.notes['node'], controller: true };
      const body = mirror(`static-${label.replace(' ', '-')}`, own, [owner]);
      if (volume !== undefined) body.spec.volumes = [{ name: 'v', ...volume }];
      return asNode(own, post(`${core}/pods`, body));
    });
  }
  const unnamed = { 'impersonate-user': 'system:node:', 'impersonate-group': 'system:nodes' };
  await twin.ask('a node without a name', { path: '/api/v1/services', headers: unnamed });
  await as('rules', post('/apis/authorization.k8s.io/v1/selfsubjectrulesreviews', { spec: { namespace } }));
  await as('evict own', post(`${core}/pods/mine/eviction`, { metadata: { name: 'mine' } }));
}

function mirror(name: string, nodeName: string, ownerReferences?: object[]): any {
  return pod(name, {
    metadata: { annotations: { [MIRROR]: 'x' }, ...(ownerReferences !== undefined && { ownerReferences }) },
    spec: { nodeName },
  });
}
