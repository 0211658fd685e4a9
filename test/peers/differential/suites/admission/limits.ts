import type { Twin } from '../../twin.ts';
import { MERGE, makeNamespace, pod, STRATEGIC } from '../objects.ts';
import { settle } from './settle.ts';

const container = (name: string, resources: object = {}) => ({ name, image: 'x', resources });

/** LimitRanger: what it gives, and what it refuses. */
export async function limits(twin: Twin): Promise<void> {
  const namespace = `limits-${twin.run}`;
  await makeNamespace(twin, namespace);
  const ranges = `/api/v1/namespaces/${namespace}/limitranges`;
  await twin.ask('a range', {
    method: 'POST',
    path: ranges,
    body: {
      metadata: { name: 'a' },
      spec: {
        limits: [
          {
            type: 'Container',
            default: { cpu: '500m', memory: '64Mi' },
            defaultRequest: { cpu: '100m' },
            min: { cpu: '50m', memory: '16Mi' },
            max: { cpu: '1', memory: '128Mi' },
            maxLimitRequestRatio: { cpu: '10' },
          },
          { type: 'Pod', max: { cpu: '2', memory: '200Mi' }, min: { cpu: '60m' } },
          { type: 'PersistentVolumeClaim', min: { storage: '1Gi' }, max: { storage: '10Gi' } },
        ],
      },
    },
  });
  await twin.ask('a second range', {
    method: 'POST',
    path: ranges,
    body: {
      metadata: { name: 'b' },
      spec: { limits: [{ type: 'Container', max: { 'ephemeral-storage': '1Gi' } }] },
    },
  });
  await settle();
  const pods = `/api/v1/namespaces/${namespace}/pods`;
  const specs: Record<string, object> = {
    'with nothing': { containers: [container('main')] },
    'with a request': { containers: [container('main', { requests: { cpu: '300m' } })] },
    'with a limit': { containers: [container('main', { limits: { cpu: '300m', 'ephemeral-storage': '1Gi' } })] },
    'with too much': { containers: [container('main', { limits: { cpu: '3' } })] },
    'with too little': { containers: [container('main', { requests: { cpu: '1m' } })] },
    'with too wide a ratio': {
      containers: [container('main', { requests: { cpu: '50m' }, limits: { cpu: '700m', 'ephemeral-storage': '1' } })],
    },
    'of three': {
      containers: ['a', 'b', 'c'].map((name) => container(name, { limits: { 'ephemeral-storage': '2Mi' } })),
    },
    'of five': {
      containers: ['a', 'b', 'c', 'd', 'e'].map((name) =>
        container(name, { limits: { memory: '20Mi', 'ephemeral-storage': '2Mi' } }),
      ),
    },
    'with an init container': {
      initContainers: [container('init'), container('init2', { limits: { cpu: '2' } })],
      containers: [container('main', { limits: { 'ephemeral-storage': '2Mi' } })],
    },
    'with a side car': {
      initContainers: [{ ...container('side', { limits: { 'ephemeral-storage': '2Mi' } }), restartPolicy: 'Always' }],
      containers: [container('main', { limits: { 'ephemeral-storage': '2Mi' } })],
    },
    'with resources of its own': {
      resources: { requests: { cpu: '1' }, limits: { cpu: '5', memory: '1Gi' } },
      containers: [container('main', { limits: { 'ephemeral-storage': '2Mi' } })],
    },
  };
  for (const [label, spec] of Object.entries(specs))
    await twin.ask(`a pod ${label}`, { method: 'POST', path: `${pods}?dryRun=All`, body: pod('p', { spec }) });
  await twin.ask('a pod', {
    method: 'POST',
    path: pods,
    body: pod('p', { spec: { containers: [container('main', { limits: { 'ephemeral-storage': '2Mi' } })] } }),
  });
  await twin.ask('its labels', {
    method: 'PATCH',
    path: `${pods}/p`,
    type: MERGE,
    body: { metadata: { labels: { a: 'b' } } },
  });
  for (const cpu of ['600m', '900m', '10m'])
    await twin.ask(`its resize to ${cpu}`, {
      method: 'PATCH',
      path: `${pods}/p/resize`,
      type: STRATEGIC,
      body: { spec: { containers: [{ name: 'main', resources: { limits: { cpu }, requests: { cpu } } }] } },
    });
  for (const storage of ['1Mi', '5Gi', '50Gi'])
    await twin.ask(`a claim of ${storage}`, {
      method: 'POST',
      path: `/api/v1/namespaces/${namespace}/persistentvolumeclaims?dryRun=All`,
      body: {
        metadata: { name: 'c' },
        spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage } } },
      },
    });
  await twin.ask('a claim without a size', {
    method: 'POST',
    path: `/api/v1/namespaces/${namespace}/persistentvolumeclaims?dryRun=All`,
    body: { metadata: { name: 'c' }, spec: { accessModes: ['ReadWriteOnce'] } },
  });
}
