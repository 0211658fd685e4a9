import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { openMemoryStore } from '../../../store/memory/memory-store.ts';
import { forbiddance } from '../../testing/in-process-caller.ts';
import { startTestServer, type TestServer } from '../../testing/test-server.ts';

const core = '/clusters/a/api/v1/namespaces';

describe('the quotas of a namespace', { timeout: 60_000 }, () => {
  let server: TestServer;
  /** What another control plane does just before a quota is written, once. */
  let inBetween: (() => Promise<unknown>) | undefined;
  before(async () => {
    const store = openMemoryStore();
    const commit = store.commit.bind(store);
    store.commit = async (transaction) => {
      if (inBetween !== undefined && transaction.operations.some(({ key }) => key.includes('/resourcequotas/'))) {
        const work = inBetween;
        inBetween = undefined;
        await work();
      }
      return commit(transaction);
    };
    server = await startTestServer(store, { tenants: ['a'] });
  });
  after(() => server.close());

  const send = (method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE', path: string, body?: unknown, more = {}) =>
    server.transport.request<any>({ method, path, body, ...more });
  let count = 0;
  /** A namespace whose quota the controller has seen. */
  async function quota(spec: object & { hard: Record<string, string> }, used: Record<string, string> = {}) {
    const namespace = `space-${++count}`;
    await send('POST', core, { metadata: { name: namespace } });
    await send('POST', `${core}/${namespace}/serviceaccounts`, { metadata: { name: 'default' } });
    const { metadata } = await send('POST', `${core}/${namespace}/resourcequotas`, { metadata: { name: 'q' }, spec });
    const zero = Object.fromEntries(Object.keys(spec.hard).map((name) => [name, '0']));
    const status = { hard: spec.hard, used: { ...zero, ...used } };
    await send('PUT', `${core}/${namespace}/resourcequotas/q/status`, { metadata, spec, status });
    return {
      path: (resource: string) => `${core}/${namespace}/${resource}`,
      used: async () => (await send('GET', `${core}/${namespace}/resourcequotas/q`)).status.used,
    };
  }
  const pod = (name: string, resources: object = {}, more: object = {}) => ({
    metadata: { name },
    spec: { containers: [{ name: 'c', image: 'x', resources }], ...more },
  });

  it('charges what is created and refuses what is too much, naming the amounts', async () => {
    const { path, used } = await quota({ hard: { pods: '6', 'count/pods': '10' } }, { pods: '5', 'count/pods': '5' });
    await send('POST', path('pods'), pod('one'));
    assert.deepEqual(await used(), { pods: '6', 'count/pods': '6' });
    assert.equal(
      await forbiddance(send('POST', path('pods'), pod('two'))),
      'pods "two" is forbidden: exceeded quota: q, requested: pods=1, used: pods=6, limited: pods=6',
    );
    assert.deepEqual(await used(), { pods: '6', 'count/pods': '6' });
  });

  it('wants limited amounts given', async () => {
    const { path } = await quota({ hard: { 'limits.cpu': '1', 'requests.memory': '1Gi' } });
    assert.equal(
      await forbiddance(send('POST', path('pods'), pod('one'))),
      'pods "one" is forbidden: failed quota: q: must specify limits.cpu for: c; requests.memory for: c',
    );
  });

  it('adds up compute, ephemeral storage, huge pages and extended resources', async () => {
    const hard = {
      cpu: '2',
      'limits.cpu': '2',
      'requests.ephemeral-storage': '1Gi',
      'requests.example.com/gpu': '3',
      'requests.hugepages-2Mi': '8Mi',
    };
    const { path, used } = await quota({ hard });
    const amounts = { cpu: '750m', 'ephemeral-storage': '100Mi', 'example.com/gpu': '2', 'hugepages-2Mi': '4Mi' };
    await send('POST', path('pods'), pod('one', { requests: amounts, limits: { ...amounts, memory: '1Gi' } }));
    assert.deepEqual(await used(), {
      cpu: '750m',
      'limits.cpu': '750m',
      'requests.ephemeral-storage': '100Mi',
      'requests.example.com/gpu': '2',
      'requests.hugepages-2Mi': '4Mi',
    });
    assert.equal(
      await forbiddance(send('POST', path('pods'), pod('two', { requests: amounts, limits: amounts }))),
      'pods "two" is forbidden: exceeded quota: q, requested: requests.example.com/gpu=2, used: requests.example.com/gpu=2, limited: requests.example.com/gpu=3',
    );
  });

  it('counts only what is in its scopes', async () => {
    const best = await quota({ hard: { pods: '1' }, scopes: ['BestEffort', 'NotTerminating'] } as never);
    await send('POST', best.path('pods'), pod('burst', { requests: { cpu: '1' } }));
    await send('POST', best.path('pods'), pod('ends', {}, { activeDeadlineSeconds: 5 }));
    assert.deepEqual(await best.used(), { pods: '0' });
    await send('POST', best.path('pods'), pod('one'));
    assert.match(await forbiddance(send('POST', best.path('pods'), pod('two'))), /exceeded quota/);

    const selector = { scopeName: 'CrossNamespacePodAffinity', operator: 'Exists' };
    const cross = await quota({ hard: { pods: '0' }, scopeSelector: { matchExpressions: [selector] } } as never);
    const term = { topologyKey: 'zone', namespaces: ['other'], labelSelector: {} };
    const affinity = { podAntiAffinity: { requiredDuringSchedulingIgnoredDuringExecution: [term] } };
    await send('POST', cross.path('pods'), pod('one'));
    assert.match(await forbiddance(send('POST', cross.path('pods'), pod('two', {}, { affinity }))), /exceeded quota/);
  });

  it('counts any object, services by type, and claims by class', async () => {
    const { path, used } = await quota({
      hard: {
        secrets: '1',
        'count/secrets': '5',
        'count/deployments.apps': '1',
        services: '3',
        'services.nodeports': '2',
        'services.loadbalancers': '0',
        persistentvolumeclaims: '2',
        'gold.storageclass.storage.k8s.io/requests.storage': '1Gi',
      },
    });
    await send('POST', path('secrets'), { metadata: { name: 'one' } });
    assert.match(
      await forbiddance(send('POST', path('secrets'), { metadata: { name: 'two' } })),
      /requested: secrets=1, used: secrets=1, limited: secrets=1$/,
    );
    const service = (name: string, type: string) => ({ metadata: { name }, spec: { type, ports: [{ port: 80 }] } });
    await send('POST', path('services'), service('inner', 'ClusterIP'));
    const inner = await send('POST', path('services'), service('node', 'NodePort'));
    assert.match(
      await forbiddance(send('POST', path('services'), service('balanced', 'LoadBalancer'))),
      /services\.loadbalancers=1/,
    );
    await send('PUT', path('services/node'), { ...inner, spec: { ...inner.spec, type: 'ClusterIP' } });
    const claim = (name: string, storage: string, storageClassName: string) => ({
      metadata: { name },
      spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage } }, storageClassName },
    });
    await send('POST', path('persistentvolumeclaims'), claim('one', '1Gi', 'gold'));
    assert.match(
      await forbiddance(send('POST', path('persistentvolumeclaims'), claim('two', '1', 'gold'))),
      /used: gold\.storageclass\.storage\.k8s\.io\/requests\.storage=1Gi/,
    );
    await send('POST', path('persistentvolumeclaims'), claim('three', '5Gi', 'silver'));
    assert.deepEqual(await used(), {
      secrets: '1',
      'count/secrets': '1',
      'count/deployments.apps': '0',
      services: '2',
      'services.nodeports': '1',
      'services.loadbalancers': '0',
      persistentvolumeclaims: '2',
      'gold.storageclass.storage.k8s.io/requests.storage': '1Gi',
    });
  });

  it('charges an update for what it adds', async () => {
    const { path, used } = await quota({ hard: { 'services.nodeports': '1', services: '5' } });
    const created = await send('POST', path('services'), { metadata: { name: 's' }, spec: { ports: [{ port: 80 }] } });
    const asNodePort = { ...created, spec: { ...created.spec, type: 'NodePort' } };
    const updated = await send('PUT', path('services/s'), asNodePort);
    assert.deepEqual(await used(), { services: '1', 'services.nodeports': '1' });
    const more = { ...updated, spec: { ...updated.spec, ports: [...updated.spec.ports, { name: 'b', port: 81 }] } };
    more.spec.ports[0].name = 'a';
    assert.match(
      await forbiddance(send('PUT', path('services/s'), more)),
      /requested: services\.nodeports=1, used: services\.nodeports=1, limited: services\.nodeports=1$/,
    );
  });

  it('charges every one of many at once, and no more than there is', async () => {
    const { path, used } = await quota({ hard: { configmaps: '30' } });
    const outcomes = await Promise.allSettled(
      Array.from({ length: 50 }, (_, index) => send('POST', path('configmaps'), { metadata: { name: `c-${index}` } })),
    );
    assert.equal(outcomes.filter(({ status }) => status === 'fulfilled').length, 30);
    assert.deepEqual(await used(), { configmaps: '30' });
  });

  it('charges what is left when another control plane has charged in between', async () => {
    const { path, used } = await quota({ hard: { configmaps: '1' } });
    const otherCharges = async () => {
      const quotas = path('resourcequotas/q/status');
      const live = await send('GET', quotas);
      await send('PUT', quotas, { ...live, status: { ...live.status, used: { configmaps: '1' } } });
    };
    inBetween = otherCharges;
    assert.match(
      await forbiddance(send('POST', path('configmaps'), { metadata: { name: 'late' } })),
      /exceeded quota: q/,
    );
    assert.equal(inBetween, undefined);
    assert.deepEqual(await used(), { configmaps: '1' });
  });

  it('measures a dry run and charges nothing', async () => {
    const { path, used } = await quota({ hard: { configmaps: '1' } });
    const dryRun = { query: { dryRun: 'All' } };
    await send('POST', path('configmaps'), { metadata: { name: 'a' } }, dryRun);
    assert.deepEqual(await used(), { configmaps: '0' });
    await send('POST', path('configmaps'), { metadata: { name: 'a' } });
    assert.match(await forbiddance(send('POST', path('configmaps'), { metadata: { name: 'b' } }, dryRun)), /exceeded/);
  });

  it('lets nothing in before it is known what is used', async () => {
    const namespace = 'unknown';
    await send('POST', core, { metadata: { name: namespace } });
    const spec = { hard: { configmaps: '5' } };
    const path = `${core}/${namespace}`;
    const { metadata } = await send('POST', `${path}/resourcequotas`, { metadata: { name: 'q' }, spec });
    await send('PUT', `${path}/resourcequotas/q/status`, { metadata, spec, status: { hard: spec.hard } });
    assert.equal(
      await forbiddance(send('POST', `${path}/configmaps`, { metadata: { name: 'a' } })),
      'configmaps "a" is forbidden: status unknown for quota: q, resources: configmaps',
    );
  });
});
