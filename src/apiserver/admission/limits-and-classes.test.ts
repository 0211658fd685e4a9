import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { openMemoryStore } from '../../store/memory/memory-store.ts';
import { forbiddance } from '../testing/in-process-caller.ts';
import { startTestServer, type TestServer } from '../testing/test-server.ts';

const root = '/clusters/a';
const core = `${root}/api/v1/namespaces`;

describe('limits and classes', { timeout: 60_000 }, () => {
  let server: TestServer;
  before(async () => {
    server = await startTestServer(openMemoryStore(), { tenants: ['a'] });
  });
  after(() => server.close());

  const send = (method: 'GET' | 'POST' | 'PUT' | 'DELETE', path: string, body?: unknown) =>
    server.transport.request<any>({ method, path, body });
  let count = 0;
  async function namespaceWith(...limits: object[]): Promise<string> {
    const name = `space-${++count}`;
    await send('POST', core, { metadata: { name } });
    await send('POST', `${core}/${name}/serviceaccounts`, { metadata: { name: 'default' } });
    if (limits.length > 0) {
      await send('POST', `${core}/${name}/limitranges`, { metadata: { name: 'range' }, spec: { limits } });
    }
    return `${core}/${name}`;
  }
  const pod = (resources?: object, more: object = {}) => ({
    metadata: { name: 'p' },
    spec: { containers: [{ name: 'c', image: 'x', ...(resources && { resources }) }], ...more },
  });

  it('keeps pods away from a new node until somebody has looked at it', async () => {
    const notReady = { key: 'node.kubernetes.io/not-ready', effect: 'NoSchedule' };
    const made = async (name: string, ...taints: object[]) =>
      (
        await send('POST', `${root}/api/v1/nodes`, {
          metadata: { name },
          ...(taints.length > 0 && { spec: { taints } }),
        })
      ).spec.taints;
    assert.deepEqual(await made('plain'), [notReady]);
    assert.deepEqual(await made('known', notReady), [notReady]);
    const others = [
      { ...notReady, effect: 'NoExecute' },
      { key: 'mine', effect: 'NoSchedule' },
    ];
    assert.deepEqual(await made('others', ...others), [...others, notReady]);
    const untainted = await send('PUT', `${root}/api/v1/nodes/plain`, { metadata: { name: 'plain' } });
    assert.equal(untainted.spec.taints, undefined);
  });

  it('gives containers what they do not say, and says so', async () => {
    const path = await namespaceWith({
      type: 'Container',
      default: { cpu: '500m', memory: '500Mi' },
      defaultRequest: { cpu: '100m', memory: '200Mi' },
    });
    const created = await send('POST', `${path}/pods`, {
      ...pod(),
      spec: {
        initContainers: [{ name: 'i', image: 'x', resources: { limits: { cpu: '1' }, requests: { memory: '1Mi' } } }],
        containers: [{ name: 'c', image: 'x' }],
      },
    });
    assert.deepEqual(created.spec.containers[0].resources, {
      requests: { cpu: '100m', memory: '200Mi' },
      limits: { cpu: '500m', memory: '500Mi' },
    });
    // A limit that is given is the request as well, before anyone looks.
    assert.deepEqual(created.spec.initContainers[0].resources, {
      requests: { cpu: '1', memory: '1Mi' },
      limits: { cpu: '1', memory: '500Mi' },
    });
    assert.equal(
      created.metadata.annotations['kubernetes.io/limit-ranger'],
      'LimitRanger plugin set: cpu, memory request for container c; cpu, memory limit for container c; memory limit for init container i',
    );
  });

  it('refuses too little, too much and too far apart', async () => {
    const path = await namespaceWith({
      type: 'Container',
      min: { cpu: '100m' },
      max: { cpu: '2', memory: '1Gi' },
      maxLimitRequestRatio: { cpu: '4' },
    });
    const refused = (resources: object) => forbiddance(send('POST', `${path}/pods`, pod(resources)));
    const limits = { cpu: '1', memory: '1Gi' };
    assert.equal(
      await refused({ requests: { cpu: '50m' }, limits: { cpu: '100m', memory: '1Mi' } }),
      'pods "p" is forbidden: minimum cpu usage per Container is 100m, but request is 50m',
    );
    assert.equal(
      await refused({ requests: { cpu: '1' }, limits: { cpu: '3', memory: '2Gi' } }),
      'pods "p" is forbidden: [maximum cpu usage per Container is 2, but limit is 3, maximum memory usage per Container is 1Gi, but limit is 2Gi]',
    );
    assert.equal(
      await refused({ requests: { cpu: '200m' }, limits }),
      'pods "p" is forbidden: cpu max limit to request ratio per Container is 4, but provided ratio is 5.000000',
    );
    await send('POST', `${path}/pods`, pod({ requests: { cpu: '250m' }, limits }));
  });

  it('limits pods as a whole, and claims', async () => {
    const path = await namespaceWith(
      { type: 'Pod', max: { cpu: '2' } },
      { type: 'PersistentVolumeClaim', min: { storage: '1Gi' }, max: { storage: '2Gi' } },
    );
    const container = (name: string) => ({ name, image: 'x', resources: { limits: { cpu: '1500m' } } });
    const both = { ...pod(), spec: { containers: [container('a'), container('b')] } };
    assert.match(
      await forbiddance(send('POST', `${path}/pods`, both)),
      /maximum cpu usage per Pod is 2, but limit is 3$/,
    );
    const claim = (storage: string) => ({
      metadata: { name: 'v' },
      spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage } } },
    });
    assert.equal(
      await forbiddance(send('POST', `${path}/persistentvolumeclaims`, claim('3Gi'))),
      'persistentvolumeclaims "v" is forbidden: maximum storage usage per PersistentVolumeClaim is 2Gi, but request is 3Gi',
    );
    assert.match(
      await forbiddance(send('POST', `${path}/persistentvolumeclaims`, claim('1Mi'))),
      /minimum storage usage per PersistentVolumeClaim is 1Gi, but request is 1Mi$/,
    );
    await send('POST', `${path}/persistentvolumeclaims`, claim('2Gi'));
  });

  it('gives pods their runtime class’s overhead and place', async () => {
    const path = await namespaceWith();
    await send('POST', `${root}/apis/node.k8s.io/v1/runtimeclasses`, {
      metadata: { name: 'sandbox' },
      handler: 'vm',
      overhead: { podFixed: { cpu: '10m', memory: '1Mi' } },
      scheduling: { nodeSelector: { kind: 'vm' }, tolerations: [{ key: 'vm', operator: 'Exists' }] },
    });
    const created = await send('POST', `${path}/pods`, pod(undefined, { runtimeClassName: 'sandbox' }));
    assert.deepEqual(created.spec.overhead, { cpu: '10m', memory: '1Mi' });
    assert.deepEqual(created.spec.nodeSelector, { kind: 'vm' });
    assert.deepEqual(created.spec.tolerations[0], {
      key: 'node.kubernetes.io/not-ready',
      operator: 'Exists',
      effect: 'NoExecute',
      tolerationSeconds: 300,
    });
    assert.deepEqual(created.spec.tolerations.at(-1), { key: 'vm', operator: 'Exists' });
    const refused = (more: object) => forbiddance(send('POST', `${path}/pods`, pod(undefined, more)));
    assert.equal(
      await refused({ runtimeClassName: 'none' }),
      'pods "p" is forbidden: pod rejected: RuntimeClass "none" not found',
    );
    assert.equal(
      await refused({ runtimeClassName: 'sandbox', overhead: { cpu: '1' } }),
      "pods \"p\" is forbidden: pod rejected: Pod's Overhead doesn't match RuntimeClass's defined Overhead",
    );
    assert.equal(
      await refused({ overhead: { cpu: '1' } }),
      'pods "p" is forbidden: pod rejected: Pod Overhead set without corresponding RuntimeClass defined Overhead',
    );
    assert.match(
      await refused({ runtimeClassName: 'sandbox', nodeSelector: { kind: 'other' } }),
      /conflict: runtimeClass\.scheduling\.nodeSelector\[kind\] = vm; pod\.spec\.nodeSelector\[kind\] = other$/,
    );
  });

  it('gives claims and ingresses the default class, and lets claims grow that can', async () => {
    const path = await namespaceWith();
    const storageClasses = `${root}/apis/storage.k8s.io/v1/storageclasses`;
    const annotations = { 'storageclass.kubernetes.io/is-default-class': 'true' };
    await send('POST', storageClasses, {
      metadata: { name: 'fast', annotations },
      provisioner: 'example.com/x',
      allowVolumeExpansion: true,
    });
    const spec = { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } };
    const claims = `${path}/persistentvolumeclaims`;
    const created = await send('POST', claims, { metadata: { name: 'v' }, spec });
    assert.equal(created.spec.storageClassName, 'fast');
    const none = await send('POST', claims, { metadata: { name: 'w' }, spec: { ...spec, storageClassName: '' } });
    assert.equal(none.spec.storageClassName, '');

    const grown = (claim: any) => ({
      ...claim,
      spec: { ...claim.spec, resources: { requests: { storage: '2Gi' } } },
    });
    // Validation refuses it before admission would.
    await assert.rejects(send('PUT', `${claims}/v`, grown(created)), /spec is immutable after creation/);
    const bound = await send('PUT', `${claims}/v/status`, { ...created, status: { phase: 'Bound' } });
    await send('PUT', `${claims}/v`, grown(bound));
    const boundNone = await send('PUT', `${claims}/w/status`, { ...none, status: { phase: 'Bound' } });
    assert.match(await forbiddance(send('PUT', `${claims}/w`, grown(boundNone))), /only dynamically provisioned pvc/);

    await send('POST', `${root}/apis/networking.k8s.io/v1/ingressclasses`, {
      metadata: { name: 'edge', annotations: { 'ingressclass.kubernetes.io/is-default-class': 'true' } },
      spec: { controller: 'example.com/x' },
    });
    const ingress = await send('POST', `${root}/apis/networking.k8s.io/v1/namespaces/default/ingresses`, {
      metadata: { name: 'i' },
      spec: { defaultBackend: { service: { name: 's', port: { number: 80 } } } },
    });
    assert.equal(ingress.spec.ingressClassName, 'edge');
  });
});
