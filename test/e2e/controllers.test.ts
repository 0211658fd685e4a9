// The controllers against the real API server: in its process, and over HTTPS as they would run on their own.
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import type { Deployment, ReplicaSet, StatefulSet } from '../../src/api/generated/apps-v1.ts';
import type { CronJob, Job } from '../../src/api/generated/batch-v1.ts';
import type { Endpoints, Node, Pod, Service } from '../../src/api/generated/core-v1.ts';
import type { EndpointSlice } from '../../src/api/generated/discovery-v1.ts';
import type { IPAddress, ServiceCIDR } from '../../src/api/generated/networking-v1.ts';
import type { GroupVersionResource, KubeObject } from '../../src/api/object.ts';
import { builtinResources } from '../../src/api/resources/index.ts';
import * as resources from '../../src/api/resources.ts';
import { isNotFound } from '../../src/api/status.ts';
import type { Transport } from '../../src/api/transport.ts';
import { startTestServer, type TestServer } from '../../src/apiserver/testing/test-server.ts';
import { systemClock } from '../../src/base/clock.ts';
import { silentLogger } from '../../src/base/log.ts';
import { Client, type ResourceClient } from '../../src/client/client.ts';
import { HttpTransport } from '../../src/client/http-transport.ts';
import { createInformerFactory } from '../../src/client/informer-factory.ts';
import { startControllers } from '../../src/controllers/all.ts';
import { openMemoryStore } from '../../src/store/memory/memory-store.ts';
import { eventually } from '../lib/eventually.ts';

const soon = { timeoutMs: 30_000, intervalMs: 10 };

/** Does what scheduler and hosts do: pods get a node and run; those of Jobs end well; deleted ones go. */
async function settle(client: Client, pod: Pod): Promise<void> {
  const pods = client.for(resources.PODS, pod);
  const { name, deletionTimestamp, labels } = pod.metadata;
  try {
    if (deletionTimestamp !== undefined) await pods.delete(name, { gracePeriodSeconds: 0 });
    else if (pod.spec?.nodeName === undefined) {
      const target = { kind: 'Node', name: 'node-a' };
      await pods.createSubresource(name, 'binding', { apiVersion: 'v1', kind: 'Binding', metadata: { name }, target });
    } else if (pod.status?.phase === undefined || pod.status.phase === 'Pending') {
      const lastTransitionTime = '2026-01-01T00:00:00Z';
      const status = labels?.['job-name']
        ? { phase: 'Succeeded' }
        : {
            phase: 'Running',
            podIP: '10.128.0.9',
            podIPs: [{ ip: '10.128.0.9' }],
            conditions: [{ type: 'Ready', status: 'True', lastTransitionTime }],
          };
      await pods.patch(name, 'merge', { status }, 'status');
    }
  } catch {
    // It changed meanwhile; its next event settles it.
  }
}

async function start(t: TestContext, transportTo: (server: TestServer) => Promise<Transport>) {
  const server = await startTestServer(openMemoryStore(), { tenants: ['acme', 'other'] });
  const transport = await transportTo(server);
  const client = new Client(transport);
  const stop = new AbortController();
  const informers = createInformerFactory(client, { logger: silentLogger, clock: systemClock });
  const running = startControllers(
    {
      client,
      informers,
      clock: systemClock,
      logger: silentLogger,
      rootCa: server.authority.certificatePem,
      resources: builtinResources,
    },
    stop.signal,
  );
  const pods = informers.informer<Pod>(resources.PODS, { tenant: '*' });
  pods.addHandlers({ added: (pod) => void settle(client, pod), updated: (_, pod) => void settle(client, pod) });
  informers.start(stop.signal);
  await informers.waitForSync();
  t.after(async () => {
    stop.abort();
    await running;
    if (transport instanceof HttpTransport) transport.close();
    await server.close();
  });
  const user = new Client(server.transport);
  return <T extends KubeObject>(gvr: GroupVersionResource, namespace?: string, tenant = 'acme'): ResourceClient<T> =>
    user.resource<T>(tenant, gvr, namespace);
}
type Access = Awaited<ReturnType<typeof start>>;

const inProcess = async (server: TestServer) => server.server.inProcess('controllers');
const overHttps = async (server: TestServer) => {
  const { port } = await server.server.listen({ host: '127.0.0.1', port: 0 });
  const { certificatePem, keyPem } = await server.authority.issuePlatformClient('controllers');
  const ca = server.authority.certificatePem;
  return new HttpTransport({ server: `https://127.0.0.1:${port}`, ca, cert: certificatePem, key: keyPem });
};
const template = (image: string) => ({
  metadata: { labels: { app: 'web' } },
  spec: { containers: [{ name: 'web', image }] },
});
const selector = { matchLabels: { app: 'web' } };

async function isGone(client: ResourceClient, name: string): Promise<boolean> {
  try {
    await client.get(name);
    return false;
  } catch (error) {
    if (isNotFound(error)) return true;
    throw error;
  }
}

async function rollOut(of: Access): Promise<void> {
  const deployments = of<Deployment>(resources.DEPLOYMENTS, 'default');
  const isOut = async () => {
    const { status, metadata } = await deployments.get('web');
    const isObserved = status?.observedGeneration === metadata.generation;
    return isObserved && status?.updatedReplicas === 4 && status?.availableReplicas === 4 && status?.replicas === 4;
  };
  await deployments.create({ metadata: { name: 'web' }, spec: { replicas: 4, selector, template: template('web:1') } });
  await of<Service>(resources.SERVICES, 'default').create({
    metadata: { name: 'web' },
    spec: { selector: { app: 'web' }, ports: [{ port: 80 }] },
  } as never);
  await eventually('the first rollout', isOut, soon);
  await eventually(
    'the endpoints',
    async () => {
      const slices = await of<EndpointSlice>(resources.ENDPOINT_SLICES, 'default').list({
        labelSelector: 'kubernetes.io/service-name=web',
      });
      const endpoints = await of<Endpoints>(resources.ENDPOINTS, 'default').get('web');
      return slices.items.flatMap((slice) => slice.endpoints ?? []).length === 4 && endpoints.subsets?.length === 1;
    },
    { ...soon, retryErrors: true },
  );
  await deployments.patch('web', 'strategic', { spec: { template: template('web:2') } });
  await eventually('the second rollout', isOut, soon);
  const sets = (await of<ReplicaSet>(resources.REPLICA_SETS, 'default').list()).items;
  assert.deepEqual(sets.map((set) => set.spec.replicas).sort(), [0, 4]);
  assert.equal((await deployments.get('web')).metadata.annotations!['deployment.kubernetes.io/revision'], '2');
  assert.equal((await of(resources.PODS, undefined, 'other').list()).items.length, 0);

  await deployments.delete('web', { propagationPolicy: 'Foreground' });
  await eventually('the deployment with all of its own to go', () => isGone(deployments, 'web'), soon);
  assert.equal((await of(resources.REPLICA_SETS, 'default').list()).items.length, 0);
}

test('in process: a Deployment from its first pod to its last', async (t) => {
  await rollOut(await start(t, inProcess));
});

test('over HTTPS: a Deployment from its first pod to its last', async (t) => {
  await rollOut(await start(t, overHttps));
});

test('a Job, a StatefulSet and a CronJob live through the API server', async (t) => {
  const of = await start(t, inProcess);
  const jobs = of<Job>(resources.JOBS, 'default');
  const job = { template: { spec: { restartPolicy: 'Never', containers: [{ name: 'c', image: 'i' }] } } };
  await jobs.create({ metadata: { name: 'work' }, spec: { completions: 3, parallelism: 2, ...job } } as never);
  const finished = await eventually(
    'the Job to complete',
    async () => {
      const found = await jobs.get('work');
      return found.status?.conditions?.some(({ type }) => type === 'Complete') ? found : undefined;
    },
    soon,
  );
  assert.equal(finished.status!.succeeded, 3);
  const uid = finished.spec!.selector!.matchLabels!['batch.kubernetes.io/controller-uid'];
  assert.equal(uid, finished.metadata.uid);
  await jobs.delete('work', { propagationPolicy: 'Background' });
  const isEmpty = async () => (await of(resources.PODS, 'default').list()).items.length === 0;
  await eventually('its pods to go', isEmpty, soon);

  const sets = of<StatefulSet>(resources.STATEFUL_SETS, 'default');
  const spec = { replicas: 2, serviceName: 'web', selector, template: template('web:1') };
  await sets.create({ metadata: { name: 'web' }, spec } as never);
  const isAvailable = async () => (await sets.get('web')).status?.availableReplicas === 2;
  await eventually('the StatefulSet', isAvailable, soon);
  assert.equal((await of<Pod>(resources.PODS, 'default').get('web-1')).spec!.hostname, 'web-1');

  const cronJobs = of<CronJob>(resources.CRON_JOBS, 'default');
  const jobTemplate = { spec: job };
  await cronJobs.create({ metadata: { name: 'often' }, spec: { schedule: '@every 1s', jobTemplate } } as never);
  const hasRun = async () => (await cronJobs.get('often')).status?.lastSuccessfulTime !== undefined;
  await eventually('the CronJob to have run', hasRun, soon);
});

test('a namespace gets what it needs, and goes with all it holds', async (t) => {
  const of = await start(t, inProcess);
  const namespaces = of(resources.NAMESPACES);
  await namespaces.create({ metadata: { name: 'team' } });
  const { items } = await eventually(
    'service account and root CA',
    async () => {
      const accounts = await of(resources.SERVICE_ACCOUNTS, 'team').list();
      const maps = await of(resources.CONFIG_MAPS, 'team').list();
      return accounts.items.length === 1 && maps.items.length === 1 ? maps : undefined;
    },
    soon,
  );
  assert.match(items[0]!['data']['ca.crt'], /BEGIN CERTIFICATE/);
  await of<Deployment>(resources.DEPLOYMENTS, 'team').create({
    metadata: { name: 'web' },
    spec: { replicas: 2, selector, template: template('web:1') },
  });
  const hasPods = async () => (await of(resources.PODS, 'team').list()).items.length === 2;
  await eventually('its pods', hasPods, soon);
  await namespaces.delete('team');
  await eventually('the namespace to go', () => isGone(namespaces, 'team'), soon);
  assert.equal((await of(resources.REPLICA_SETS).list()).items.length, 0);
  for (const name of ['default', 'kube-system']) assert.equal(await isGone(namespaces, name), false);
});

test('services live on addresses of several ServiceCIDRs, whatever happens to their claims', async (t) => {
  const of = await start(t, inProcess);
  const cidrs = of<ServiceCIDR>(resources.SERVICE_CIDRS);
  const addresses = of<IPAddress>(resources.IP_ADDRESSES);
  const services = of<Service>(resources.SERVICES, 'default');
  const readyOf = async (name: string) => (await cidrs.get(name)).status?.conditions?.[0];
  await cidrs.create({ metadata: { name: 'far' }, spec: { cidrs: ['192.168.7.0/29'] } });
  await eventually('the range to be ready', async () => (await readyOf('far'))?.status === 'True', soon);
  await services.create({
    metadata: { name: 'far' },
    spec: { clusterIP: '192.168.7.3', ports: [{ port: 80 }] },
  } as never);
  const { uid } = (await addresses.get('192.168.7.3')).metadata;
  await addresses.delete('192.168.7.3');
  await eventually('the claim to be made anew', async () => (await addresses.get('192.168.7.3')).metadata.uid !== uid, {
    ...soon,
    retryErrors: true,
  });
  await cidrs.delete('far');
  await eventually('the range to be held', async () => (await readyOf('far'))?.reason === 'Terminating', soon);
  const late = services.create({
    metadata: { name: 'late' },
    spec: { clusterIP: '192.168.7.4', ports: [{ port: 1 }] },
  } as never);
  await assert.rejects(late, /the provided network does not match the current range/);
  await services.delete('far');
  await eventually('the range to go', () => isGone(cidrs, 'far'), soon);
  assert.equal(await isGone(addresses, '192.168.7.3'), true);
});

test('a Job that goes alone frees its pods; a cordoned node says so', async (t) => {
  const of = await start(t, inProcess);
  const jobs = of<Job>(resources.JOBS, 'default');
  const pods = of<Pod>(resources.PODS, 'default');
  const spec = {
    template: { spec: { restartPolicy: 'Never', nodeName: 'a', containers: [{ name: 'c', image: 'i' }] } },
  };
  await jobs.create({ metadata: { name: 'work' }, spec } as never);
  const isDone = async () =>
    (await jobs.get('work')).status?.active === 1 || (await jobs.get('work')).status?.succeeded;
  await eventually('its pod', isDone, soon);
  await jobs.delete('work', { propagationPolicy: 'Orphan' });
  await eventually('the Job to go', () => isGone(jobs, 'work'), soon);
  const isFree = async () =>
    (await pods.list()).items.every(
      ({ metadata }) => metadata.finalizers === undefined && metadata.ownerReferences === undefined,
    );
  await eventually('its pod to be free', isFree, soon);

  const nodes = of<Node>(resources.NODES);
  await nodes.create({ metadata: { name: 'a' }, spec: { unschedulable: true } } as never);
  const isTainted = async () => (await nodes.get('a')).spec?.taints?.[0]?.key === 'node.kubernetes.io/unschedulable';
  await eventually('the taint', isTainted, soon);
});

test('a pod gets a ResourceClaim out of a template', async (t) => {
  const of = await start(t, inProcess);
  const group = { group: 'resource.k8s.io', version: 'v1' };
  const devices = { requests: [{ name: 'one', exactly: { deviceClassName: 'gpu' } }] };
  await of({ ...group, resource: 'resourceclaimtemplates' }, 'default').create({
    metadata: { name: 'gpu' },
    spec: { spec: { devices } },
  });
  const resourceClaims = [{ name: 'card', resourceClaimTemplateName: 'gpu' }];
  const pods = of<Pod>(resources.PODS, 'default');
  const containers = [{ name: 'c', image: 'i', resources: { claims: [{ name: 'card' }] } }];
  await pods.create({ metadata: { name: 'web' }, spec: { resourceClaims, containers } } as never);
  const claims = of({ ...group, resource: 'resourceclaims' }, 'default');
  const made = async () => (await pods.get('web')).status?.resourceClaimStatuses?.[0]?.resourceClaimName;
  const name = await eventually('the claim', made, soon);
  assert.equal((await claims.get(name)).metadata.ownerReferences![0]!.name, 'web');
  await pods.delete('web');
  await eventually('the claim to go', () => isGone(claims, name), soon);
});
