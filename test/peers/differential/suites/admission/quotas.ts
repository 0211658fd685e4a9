import type { Twin } from '../../twin.ts';
import { configMap, MERGE, makeNamespace, pod, STRATEGIC } from '../objects.ts';
import { settle } from './settle.ts';

const container = (name: string, resources: object = {}) => ({ name, image: 'x', resources });

/** ResourceQuota: all scopes and kinds. Statuses are ours to write: no controller runs beside either server. */
export async function quotas(twin: Twin): Promise<void> {
  const hards: Record<string, object> = {
    pods: { hard: { pods: '1', 'count/pods': '5' } },
    compute: { hard: { 'requests.cpu': '1', 'limits.cpu': '2', 'requests.memory': '1Gi', memory: '2Gi', cpu: '3' } },
    storage: { hard: { 'requests.ephemeral-storage': '1Gi', 'limits.ephemeral-storage': '1Gi' } },
    extended: { hard: { 'requests.example.com/gpu': '1', 'requests.hugepages-2Mi': '4Mi' } },
    best: { hard: { pods: '1' }, scopes: ['BestEffort'] },
    notBest: { hard: { pods: '1', 'requests.cpu': '1' }, scopes: ['NotBestEffort'] },
    terminating: { hard: { pods: '0' }, scopes: ['Terminating'] },
    notTerminating: { hard: { pods: '0' }, scopes: ['NotTerminating'] },
    priority: {
      hard: { pods: '0' },
      scopeSelector: {
        matchExpressions: [
          { scopeName: 'PriorityClass', operator: 'In', values: ['system-node-critical', `quota-${twin.run}`] },
        ],
      },
    },
    anyPriority: {
      hard: { pods: '0' },
      scopeSelector: { matchExpressions: [{ scopeName: 'PriorityClass', operator: 'Exists' }] },
    },
    affinity: {
      hard: { pods: '0' },
      scopeSelector: { matchExpressions: [{ scopeName: 'CrossNamespacePodAffinity', operator: 'Exists' }] },
    },
    two: { hard: { pods: '0', configmaps: '0' } },
  };
  await twin.prepare({
    method: 'POST',
    path: '/apis/scheduling.k8s.io/v1/priorityclasses',
    body: { metadata: { name: `quota-${twin.run}` }, value: 5 },
  });
  const term = { topologyKey: 'a', labelSelector: {}, namespaces: ['other'] };
  const pods: Record<string, any> = {
    plain: pod('p', { spec: { containers: [container('main')] } }),
    requests: pod('p', { spec: { containers: [container('main', { requests: { cpu: '700m', memory: '100Mi' } })] } }),
    both: pod('p', {
      spec: {
        initContainers: [
          container('init', { requests: { cpu: '2', memory: '1Mi' }, limits: { cpu: '2', memory: '4Gi' } }),
        ],
        containers: [container('main', { requests: { cpu: '1', memory: '1Mi' }, limits: { cpu: '1', memory: '1Mi' } })],
      },
    }),
    deadline: pod('p', { spec: { activeDeadlineSeconds: 5, containers: [container('main')] } }),
    important: pod('p', { spec: { priorityClassName: `quota-${twin.run}`, containers: [container('main')] } }),
    affinity: pod('p', {
      spec: {
        affinity: { podAffinity: { requiredDuringSchedulingIgnoredDuringExecution: [term] } },
        containers: [container('main')],
      },
    }),
    extended: pod('p', {
      spec: {
        containers: [
          container('main', {
            requests: { 'example.com/gpu': '2', 'hugepages-2Mi': '8Mi', cpu: '1' },
            limits: { 'example.com/gpu': '2', 'hugepages-2Mi': '8Mi' },
          }),
        ],
      },
    }),
    ephemeral: pod('p', {
      spec: { containers: [container('main', { requests: { 'ephemeral-storage': '2Gi' } }), container('b')] },
    }),
    overhead: pod('p', { spec: { overhead: { cpu: '1' }, containers: [container('main')] } }),
  };
  const namespaces = Object.keys(hards).map((name) => `quota-${name.toLowerCase()}-${twin.run}`);
  for (const [index, [name, spec]] of Object.entries(hards).entries()) {
    const namespace = namespaces[index]!;
    await makeNamespace(twin, namespace);
    await quota(twin, namespace, name, spec);
  }
  await quota(twin, namespaces.at(-1)!, 'zero', { hard: { 'count/configmaps': '0' } });
  await settle();
  for (const [index, name] of Object.keys(hards).entries()) {
    const path = `/api/v1/namespaces/${namespaces[index]}/pods`;
    for (const [label, body] of Object.entries(pods))
      await twin.ask(`${name}: pod ${label}`, { method: 'POST', path: `${path}?dryRun=All`, body });
    await twin.ask(`${name}: a map`, {
      method: 'POST',
      path: `/api/v1/namespaces/${namespaces[index]}/configmaps`,
      body: configMap('m'),
    });
  }
  await counting(twin, namespaces[0]!, namespaces[1]!);
  await objects(twin);
}

async function quota(twin: Twin, namespace: string, name: string, spec: any): Promise<void> {
  const path = `/api/v1/namespaces/${namespace}/resourcequotas`;
  const metadata = { name: name.toLowerCase() };
  await twin.ask(`quota ${name}`, { method: 'POST', path, body: { metadata, spec } });
  const used = Object.fromEntries(Object.keys(spec.hard).map((key) => [key, '0']));
  await twin.ask(`quota ${name} status`, {
    method: 'PATCH',
    path: `${path}/${metadata.name}/status`,
    type: MERGE,
    body: { status: { hard: spec.hard, used } },
  });
}

/** What admission writes of use. */
async function counting(twin: Twin, namespace: string, compute: string): Promise<void> {
  const pods = `/api/v1/namespaces/${namespace}/pods`;
  await twin.ask('first pod', { method: 'POST', path: pods, body: pod('a') });
  await twin.ask('use after the first', { path: `/api/v1/namespaces/${namespace}/resourcequotas/pods` });
  await twin.ask('second pod', { method: 'POST', path: pods, body: pod('b') });
  await twin.ask('use after the second', { path: `/api/v1/namespaces/${namespace}/resourcequotas/pods` });
  await twin.ask('first pod changed', {
    method: 'PATCH',
    path: `${pods}/a`,
    type: MERGE,
    body: { metadata: { labels: { a: 'b' } } },
  });
  const resources = { requests: { cpu: '500m', memory: '100Mi' }, limits: { cpu: '1', memory: '100Mi' } };
  const computed = `/api/v1/namespaces/${compute}/pods`;
  await twin.ask('pod of a size', {
    method: 'POST',
    path: computed,
    body: pod('a', { spec: { containers: [container('main', resources)] } }),
  });
  await twin.ask('use of sizes', { path: `/api/v1/namespaces/${compute}/resourcequotas/compute` });
  for (const cpu of ['600m', '3'])
    await twin.ask(`resized to ${cpu}`, {
      method: 'PATCH',
      path: `${computed}/a/resize`,
      type: STRATEGIC,
      body: { spec: { containers: [{ name: 'main', resources: { requests: { cpu }, limits: { cpu } } }] } },
    });
  await twin.ask('use after resizes', { path: `/api/v1/namespaces/${compute}/resourcequotas/compute` });
}

/** Services, claims and counts of any kind. */
async function objects(twin: Twin): Promise<void> {
  const namespace = `quota-objects-${twin.run}`;
  await makeNamespace(twin, namespace);
  await twin.prepare({
    method: 'POST',
    path: '/apis/storage.k8s.io/v1/volumeattributesclasses',
    body: { metadata: { name: `quota-${twin.run}` }, driverName: 'x.example.com', parameters: { a: 'b' } },
  });
  await quota(twin, namespace, 'objects', {
    hard: {
      services: '2',
      'services.nodeports': '1',
      'services.loadbalancers': '0',
      'count/services': '9',
      persistentvolumeclaims: '1',
      'requests.storage': '1Gi',
      'fast.storageclass.storage.k8s.io/requests.storage': '500Mi',
      'fast.storageclass.storage.k8s.io/persistentvolumeclaims': '0',
      'count/deployments.apps': '0',
      'count/things.example.com': '0',
      secrets: '0',
      replicationcontrollers: '0',
      resourcequotas: '1',
      'count/jobs.batch': '0',
    },
  });
  await quota(twin, namespace, 'attributes', {
    hard: { persistentvolumeclaims: '0' },
    scopeSelector: {
      matchExpressions: [{ scopeName: 'VolumeAttributesClass', operator: 'In', values: [`quota-${twin.run}`] }],
    },
  });
  await settle();
  const at = (group: string, resource: string) => `${group}/namespaces/${namespace}/${resource}`;
  const template = { metadata: { labels: { a: 'b' } }, spec: { containers: [container('main')] } };
  const selector = { matchLabels: { a: 'b' } };
  const claim = (storage: string, more: object = {}) => ({
    metadata: { name: 'c' },
    spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage } }, ...more },
  });
  const service = (type: string, ports = 1, more: object = {}) => ({
    metadata: { name: 's' },
    spec: { type, ports: Array.from({ length: ports }, (_, at) => ({ name: `p${at}`, port: 80 + at })), ...more },
  });
  const asks: [string, string, object][] = [
    ['a load balancer', at('/api/v1', 'services'), service('LoadBalancer')],
    [
      'a load balancer without node ports',
      at('/api/v1', 'services'),
      service('LoadBalancer', 2, { allocateLoadBalancerNodePorts: false }),
    ],
    ['two node ports', at('/api/v1', 'services'), service('NodePort', 2)],
    ['a large claim', at('/api/v1', 'persistentvolumeclaims'), claim('2Gi')],
    ['a fast claim', at('/api/v1', 'persistentvolumeclaims'), claim('600Mi', { storageClassName: 'fast' })],
    [
      'a claim with attributes',
      at('/api/v1', 'persistentvolumeclaims'),
      claim('1Mi', { volumeAttributesClassName: `quota-${twin.run}` }),
    ],
    [
      'a fast annotated claim',
      at('/api/v1', 'persistentvolumeclaims'),
      { ...claim('6Mi'), metadata: { name: 'c', annotations: { 'volume.beta.kubernetes.io/storage-class': 'fast' } } },
    ],
    ['a deployment', at('/apis/apps/v1', 'deployments'), { metadata: { name: 'd' }, spec: { selector, template } }],
    [
      'a job',
      at('/apis/batch/v1', 'jobs'),
      {
        metadata: { name: 'j' },
        spec: { template: { ...template, spec: { ...template.spec, restartPolicy: 'Never' } } },
      },
    ],
    ['a secret', at('/api/v1', 'secrets'), { metadata: { name: 's' } }],
    [
      'a controller',
      at('/api/v1', 'replicationcontrollers'),
      { metadata: { name: 'r' }, spec: { selector: { a: 'b' }, template } },
    ],
    ['a quota', at('/api/v1', 'resourcequotas'), { metadata: { name: 'q' }, spec: { hard: { pods: '1' } } }],
  ];
  for (const [label, path, body] of asks)
    await twin.ask(
      `objects: ${label}`,
      { method: 'POST', path: `${path}?dryRun=All`, body },
      {
        replace: [
          [/"10\.[\d.]+"/g, '"<service address>"'],
          [/"nodePort":\d+/g, '"nodePort":0'],
        ],
      },
    );
}
