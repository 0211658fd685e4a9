import type { Twin } from '../../twin.ts';
import { MERGE, makeNamespace, pod } from '../objects.ts';
import { settle } from './settle.ts';

/** What plug-ins give pods and refuse them: service accounts, priorities, runtime classes, tolerations. */
export async function podPlugins(twin: Twin): Promise<void> {
  const namespace = `plugins-${twin.run}`;
  const pods = `/api/v1/namespaces/${namespace}/pods`;
  const accounts = `/api/v1/namespaces/${namespace}/serviceaccounts`;
  await twin.prepare({ method: 'POST', path: '/api/v1/namespaces', body: { metadata: { name: namespace } } });
  await twin.ask('a pod before its service account', { method: 'POST', path: `${pods}?dryRun=All`, body: pod('p') });
  await twin.prepare({
    method: 'POST',
    path: accounts,
    body: { metadata: { name: 'default' }, imagePullSecrets: [{ name: 'pull' }] },
  });
  await twin.prepare({
    method: 'POST',
    path: accounts,
    body: { metadata: { name: 'silent' }, automountServiceAccountToken: false },
  });
  await twin.prepare({
    method: 'POST',
    path: accounts,
    body: {
      metadata: { name: 'strict', annotations: { 'kubernetes.io/enforce-mountable-secrets': 'true' } },
      secrets: [{ name: 'allowed' }],
    },
  });
  const priorities = '/apis/scheduling.k8s.io/v1/priorityclasses';
  const classes = '/apis/node.k8s.io/v1/runtimeclasses';
  await twin.ask('a priority', {
    method: 'POST',
    path: priorities,
    body: { metadata: { name: `high-${twin.run}` }, value: 1000, preemptionPolicy: 'Never' },
  });
  await twin.ask('a system priority', {
    method: 'POST',
    path: priorities,
    body: { metadata: { name: `system-${twin.run}` }, value: 1 },
  });
  await twin.ask('a priority too high', {
    method: 'POST',
    path: priorities,
    body: { metadata: { name: `higher-${twin.run}` }, value: 2000000000 },
  });
  await twin.ask('a default priority', {
    method: 'POST',
    path: `${priorities}?dryRun=All`,
    body: { metadata: { name: `default-${twin.run}` }, value: 7, globalDefault: true },
  });
  await twin.ask('a priority changed', {
    method: 'PATCH',
    path: `${priorities}/high-${twin.run}`,
    type: MERGE,
    body: { value: 2 },
  });
  await twin.ask('a policy changed', {
    method: 'PATCH',
    path: `${priorities}/high-${twin.run}`,
    type: MERGE,
    body: { preemptionPolicy: 'PreemptLowerPriority' },
  });
  await twin.ask('a runtime class', {
    method: 'POST',
    path: classes,
    body: {
      metadata: { name: `small-${twin.run}` },
      handler: 'small',
      overhead: { podFixed: { cpu: '10m', memory: '1Mi' } },
      scheduling: { nodeSelector: { a: 'b' }, tolerations: [{ key: 'x', operator: 'Exists' }] },
    },
  });
  await settle();
  const tolerated = {
    key: 'node.kubernetes.io/not-ready',
    operator: 'Exists',
    effect: 'NoExecute',
    tolerationSeconds: 5,
  };
  const main = { name: 'main', image: 'x' };
  const mounted = {
    ...main,
    volumeMounts: [{ name: 'token', mountPath: '/var/run/secrets/kubernetes.io/serviceaccount' }],
  };
  const specs: Record<string, object> = {
    plain: {},
    'of another account': { serviceAccountName: 'silent' },
    'of an old account': { serviceAccount: 'silent' },
    'of no such account': { serviceAccountName: 'none' },
    'of a strict account': { serviceAccountName: 'strict', volumes: [{ name: 'v', secret: { secretName: 'other' } }] },
    'of a strict account with its secret': {
      serviceAccountName: 'strict',
      volumes: [{ name: 'v', secret: { secretName: 'allowed' } }],
    },
    'of a strict account with a variable': {
      serviceAccountName: 'strict',
      containers: [{ ...main, env: [{ name: 'A', valueFrom: { secretKeyRef: { name: 'other', key: 'k' } } }] }],
    },
    'of a strict account with variables': {
      serviceAccountName: 'strict',
      containers: [{ ...main, envFrom: [{ secretRef: { name: 'other' } }] }],
    },
    'of a strict account that pulls': { serviceAccountName: 'strict', imagePullSecrets: [{ name: 'other' }] },
    'without token': { automountServiceAccountToken: false },
    'with a token all the same': { serviceAccountName: 'silent', automountServiceAccountToken: true },
    'with own mount': { volumes: [{ name: 'token', emptyDir: {} }], containers: [mounted] },
    'with init containers': {
      initContainers: [
        { name: 'i', image: 'x' },
        { ...mounted, name: 'j' },
      ],
      volumes: [{ name: 'token', emptyDir: {} }],
    },
    'with own pull secrets': { imagePullSecrets: [{ name: 'mine' }] },
    'with priority': { priorityClassName: `high-${twin.run}` },
    'with priority and value': { priorityClassName: `high-${twin.run}`, priority: 1000 },
    'with priority and another value': { priorityClassName: `high-${twin.run}`, priority: 5 },
    'with a value alone': { priority: 5 },
    'with another policy': { priorityClassName: `high-${twin.run}`, preemptionPolicy: 'PreemptLowerPriority' },
    'with no such priority': { priorityClassName: 'none' },
    'of the system': { priorityClassName: 'system-cluster-critical' },
    'with a class': { runtimeClassName: `small-${twin.run}` },
    'with a class and its overhead': { runtimeClassName: `small-${twin.run}`, overhead: { cpu: '10m', memory: '1Mi' } },
    'with a class and another overhead': { runtimeClassName: `small-${twin.run}`, overhead: { cpu: '1' } },
    'with a class against the selector': { runtimeClassName: `small-${twin.run}`, nodeSelector: { a: 'c' } },
    'with a class and more': {
      runtimeClassName: `small-${twin.run}`,
      nodeSelector: { c: 'd' },
      tolerations: [
        { key: 'x', operator: 'Exists' },
        { key: 'y', operator: 'Exists' },
      ],
    },
    'with no such class': { runtimeClassName: 'none' },
    'with overhead alone': { overhead: { cpu: '1' } },
    'with a toleration': { tolerations: [tolerated] },
    'with every toleration': { tolerations: [{ operator: 'Exists' }] },
    'with an unreachable toleration': { tolerations: [{ key: 'node.kubernetes.io/unreachable', operator: 'Exists' }] },
    'on a node': { nodeName: 'somewhere' },
    'on a labelled node': { nodeSelector: { 'topology.kubernetes.io/zone': 'a' } },
  };
  for (const [label, spec] of Object.entries(specs))
    await twin.ask(`a pod ${label}`, { method: 'POST', path: `${pods}?dryRun=All`, body: pod('p', { spec }) });
  const mirror = { 'kubernetes.io/config.mirror': 'x' };
  for (const [label, spec] of Object.entries<object>({
    plain: {},
    'of an account': { serviceAccountName: 'default' },
    'with a secret': { volumes: [{ name: 'v', secret: { secretName: 'x' } }] },
    'with a config map': { volumes: [{ name: 'v', configMap: { name: 'x' } }] },
  }))
    await twin.ask(`a mirror pod ${label}`, {
      method: 'POST',
      path: `${pods}?dryRun=All`,
      body: pod('p', { metadata: { annotations: mirror }, spec: { nodeName: 'n', ...spec } }),
    });
  await storage(twin, namespace);
  await ingresses(twin, namespace);
  await lifecycle(twin);
}

async function storage(twin: Twin, namespace: string): Promise<void> {
  const classes = '/apis/storage.k8s.io/v1/storageclasses';
  const claims = `/api/v1/namespaces/${namespace}/persistentvolumeclaims`;
  const isDefault = { 'storageclass.kubernetes.io/is-default-class': 'true' };
  const claim = (more: object = {}, metadata: object = {}) => ({
    metadata: { name: 'c', ...metadata },
    spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } }, ...more },
  });
  await twin.ask('a default class', {
    method: 'POST',
    path: classes,
    body: {
      metadata: { name: `sc-${twin.run}`, annotations: isDefault },
      provisioner: 'example.com/x',
      allowVolumeExpansion: true,
    },
  });
  await settle();
  const of: Record<string, object> = {
    'without class': claim(),
    'with the empty class': claim({ storageClassName: '' }),
    'with another class': claim({ storageClassName: 'other' }),
    'with an annotated class': claim({}, { annotations: { 'volume.beta.kubernetes.io/storage-class': 'other' } }),
  };
  for (const [label, body] of Object.entries(of))
    await twin.ask(`a claim ${label}`, { method: 'POST', path: `${claims}?dryRun=All`, body });
  await twin.ask('a claim', { method: 'POST', path: claims, body: claim() });
  await twin.prepare({
    method: 'PATCH',
    path: `${claims}/c/status`,
    type: MERGE,
    body: { status: { phase: 'Bound', capacity: { storage: '1Gi' } } },
  });
  for (const storage of ['2Gi', '1Mi'])
    await twin.ask(`it resized to ${storage}`, {
      method: 'PATCH',
      path: `${claims}/c`,
      type: MERGE,
      body: { spec: { resources: { requests: { storage } } } },
    });
  await twin.ask('its class changed', {
    method: 'PATCH',
    path: `${claims}/c`,
    type: MERGE,
    body: { spec: { storageClassName: 'other' } },
  });
  await twin.ask('it deleted', { method: 'DELETE', path: `${claims}/c` });
  await twin.ask('a claim of a fixed class', {
    method: 'POST',
    path: claims,
    body: claim({ storageClassName: 'fixed' }, { name: 'd' }),
  });
  await twin.prepare({
    method: 'PATCH',
    path: `${claims}/d/status`,
    type: MERGE,
    body: { status: { phase: 'Bound', capacity: { storage: '1Gi' } } },
  });
  await twin.ask('it resized', {
    method: 'PATCH',
    path: `${claims}/d`,
    type: MERGE,
    body: { spec: { resources: { requests: { storage: '3Gi' } } } },
  });
  await twin.ask('a volume', {
    method: 'POST',
    path: '/api/v1/persistentvolumes',
    body: {
      metadata: { name: `pv-${twin.run}` },
      spec: { capacity: { storage: '1Gi' }, accessModes: ['ReadWriteOnce'], hostPath: { path: '/x' } },
    },
  });
  await twin.ask('the class deleted', { method: 'DELETE', path: `${classes}/sc-${twin.run}` });
}

async function ingresses(twin: Twin, namespace: string): Promise<void> {
  const root = '/apis/networking.k8s.io/v1';
  const path = `${root}/namespaces/${namespace}/ingresses?dryRun=All`;
  const backend = { service: { name: 's', port: { number: 80 } } };
  const isDefault = { 'ingressclass.kubernetes.io/is-default-class': 'true' };
  const ingress = (more: object = {}, metadata: object = {}) => ({
    metadata: { name: 'i', ...metadata },
    spec: { defaultBackend: backend, ...more },
  });
  await twin.ask('an ingress without class', { method: 'POST', path, body: ingress() });
  await twin.ask('a default ingress class', {
    method: 'POST',
    path: `${root}/ingressclasses`,
    body: { metadata: { name: `ic-${twin.run}`, annotations: isDefault }, spec: { controller: 'example.com/x' } },
  });
  await settle();
  await twin.ask('an ingress with the default', { method: 'POST', path, body: ingress() });
  await twin.ask('an ingress of its own class', { method: 'POST', path, body: ingress({ ingressClassName: 'other' }) });
  await twin.ask('an annotated ingress', {
    method: 'POST',
    path,
    body: ingress({}, { annotations: { 'kubernetes.io/ingress.class': 'x' } }),
  });
  await twin.ask('a second default ingress class', {
    method: 'POST',
    path: `${root}/ingressclasses`,
    body: { metadata: { name: `id-${twin.run}`, annotations: isDefault }, spec: { controller: 'example.com/x' } },
  });
  await settle();
  await twin.ask('an ingress with two defaults', { method: 'POST', path, body: ingress() });
  for (const name of ['ic', 'id'])
    await twin.ask(`delete ${name}`, { method: 'DELETE', path: `${root}/ingressclasses/${name}-${twin.run}` });
}

/** NamespaceLifecycle. */
async function lifecycle(twin: Twin): Promise<void> {
  const namespace = `ending-plugins-${twin.run}`;
  await makeNamespace(twin, namespace);
  const path = `/api/v1/namespaces/${namespace}`;
  await twin.prepare({ method: 'POST', path: `${path}/configmaps`, body: { metadata: { name: 'there' } } });
  await twin.ask('a namespace deleted', { method: 'DELETE', path });
  await settle();
  await twin.ask('create in it', { method: 'POST', path: `${path}/configmaps`, body: { metadata: { name: 'x' } } });
  await twin.ask('generate in it', {
    method: 'POST',
    path: `${path}/configmaps`,
    body: { metadata: { generateName: 'x-' } },
  });
  await twin.ask('generate a role in it', {
    method: 'POST',
    path: `/apis/rbac.authorization.k8s.io/v1/namespaces/${namespace}/roles`,
    body: { metadata: { generateName: 'x-' } },
  });
  await twin.ask('change in it', {
    method: 'PATCH',
    path: `${path}/configmaps/there`,
    type: MERGE,
    body: { data: { a: 'b' } },
  });
  await twin.ask('ask what one may in it', {
    method: 'POST',
    path: `/apis/authorization.k8s.io/v1/namespaces/${namespace}/localsubjectaccessreviews`,
    body: { spec: { user: 'x', resourceAttributes: { namespace, verb: 'get', resource: 'pods' } } },
  });
  await twin.ask('apply in it', {
    method: 'PATCH',
    path: `${path}/configmaps/new?fieldManager=m`,
    type: 'application/apply-patch+yaml',
    body: { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'new' } },
  });
  await twin.ask('finalize it wrongly', {
    method: 'PUT',
    path: `${path}/finalize`,
    body: { metadata: { name: 'other' } },
  });
  await twin.ask('finalize it', {
    method: 'PUT',
    path: `${path}/finalize`,
    body: { apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace }, spec: {} },
  });
  await twin.ask('it is gone', { path });
  for (const name of ['default', 'kube-system', 'kube-public'])
    await twin.ask(`delete ${name}`, { method: 'DELETE', path: `/api/v1/namespaces/${name}` });
  await twin.ask('apply to a missing namespace', {
    method: 'PATCH',
    path: '/api/v1/namespaces/missing/configmaps/new?fieldManager=m',
    type: 'application/apply-patch+yaml',
    body: { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'new' } },
  });
  await twin.ask('update in a missing namespace', {
    method: 'PUT',
    path: '/api/v1/namespaces/missing/leases/new',
    body: {},
  });
  await twin.ask('create by update', {
    method: 'PUT',
    path: `/apis/coordination.k8s.io/v1/namespaces/default/leases/by-update-${twin.run}`,
    body: { metadata: { name: `by-update-${twin.run}` }, spec: { holderIdentity: 'x' } },
  });
  await twin.ask('create by update in a missing namespace', {
    method: 'PUT',
    path: '/apis/coordination.k8s.io/v1/namespaces/missing/leases/new',
    body: { metadata: { name: 'new' } },
  });
  for (const [name, resource, group] of [
    ['e', 'endpoints', '/api/v1'],
    ['s', 'services', '/api/v1'],
    ['l', 'limitranges', '/api/v1'],
    ['ev', 'events', '/api/v1'],
  ] as const)
    await twin.ask(
      `create ${resource} by update`,
      {
        method: 'PUT',
        path: `${group}/namespaces/default/${resource}/${name}-${twin.run}?dryRun=All`,
        body: {
          metadata: { name: `${name}-${twin.run}`, namespace: 'default' },
          ...(resource === 'services' && { spec: { ports: [{ port: 80 }] } }),
          ...(resource === 'events' && { involvedObject: { namespace: 'default' } }),
          ...(resource === 'limitranges' && { spec: { limits: [] } }),
        },
      },
      { replace: [[/"10\.[\d.]+"/g, '"<service address>"']] },
    );
}
