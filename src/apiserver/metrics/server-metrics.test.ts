import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { until } from '../../base/testing/until.ts';
import { openMemoryStore } from '../../store/memory/memory-store.ts';
import { type ApiCaller, apiCaller } from '../testing/api-caller.ts';
import { callerOf, configMaps } from '../testing/in-process-caller.ts';
import { startTestServer, type TestServer } from '../testing/test-server.ts';
import { markStability } from './stability.ts';
import { seriesOf } from './testing.ts';

it('help says what upstream promises of a metric, and how many there are of each', () => {
  const lines = [
    '# HELP apiserver_request_total Requests.',
    '# TYPE apiserver_request_total counter',
    'apiserver_request_total{text="# HELP "} 1',
    '# HELP apiserver_storage_objects Objects.',
    '# HELP workqueue_depth Depth.',
    '# HELP own_figure Own.',
  ];
  markStability(lines);
  assert.deepEqual(lines, [
    '# HELP apiserver_request_total [STABLE] Requests.',
    '# TYPE apiserver_request_total counter',
    'apiserver_request_total{text="# HELP "} 1',
    '# HELP apiserver_storage_objects [STABLE] (Deprecated since 1.34.0) Objects.',
    '# HELP workqueue_depth [BETA] Depth.',
    '# HELP own_figure [ALPHA] Own.',
    '# HELP registered_metrics_total [BETA] Metrics by what is promised of them.',
    '# TYPE registered_metrics_total counter',
    'registered_metrics_total{deprecated_version="",stability_level="STABLE"} 1',
    'registered_metrics_total{deprecated_version="1.34.0",stability_level="STABLE"} 1',
    'registered_metrics_total{deprecated_version="",stability_level="BETA"} 2',
    'registered_metrics_total{deprecated_version="",stability_level="ALPHA"} 1',
  ]);
});

describe('what the server counts of its parts', { timeout: 60_000 }, () => {
  const store = openMemoryStore();
  let sizeBytes: number | undefined | Error;
  store.sizeBytes = async () => {
    if (sizeBytes instanceof Error) throw sizeBytes;
    return sizeBytes;
  };
  let server: TestServer;
  let operator: ApiCaller;
  let tenant: ApiCaller;
  const { post } = callerOf(() => server.transport);
  before(async () => {
    server = await startTestServer(store, { tenants: ['a', 'b'] });
    const { port } = await server.server.listen({ host: '127.0.0.1', port: 0 });
    const { authority } = server;
    operator = apiCaller(port, authority.certificatePem, await authority.issuePlatformClient('operator'));
    const admin = await authority.issueTenantUser('a', 'admin', ['system:masters']);
    tenant = apiCaller(port, authority.certificatePem, admin);
  });
  after(() => server.close());

  const textOf = async (ask: ApiCaller) => (await ask('GET', '/metrics')).text;
  const figures = async () => seriesOf(await textOf(operator));

  it('the size of the store, where it has one and tells', async () => {
    for (const unknown of [undefined, new Error('away')]) {
      sizeBytes = unknown;
      assert.doesNotMatch(await textOf(operator), /apiserver_storage_size_bytes/);
    }
    sizeBytes = 4096;
    assert.match(await textOf(operator), /^apiserver_storage_size_bytes\{storage_cluster_id="etcd-0"\} 4096$/m);
    assert.doesNotMatch(await textOf(tenant), /apiserver_storage_size_bytes/, 'tenants share it');
  });

  it('events of the store, by resource', async () => {
    const name = 'apiserver_storage_events_received_total';
    const of = { group: '', resource: 'configmaps' };
    await post(configMaps, { metadata: { name: 'first' } });
    const before = await figures();
    await post(configMaps, { metadata: { name: 'second' } });
    assert.equal((await figures())(name, of), before(name, of) + 1);
  });

  it('the time that rules of custom resources take', async () => {
    const before = await figures();
    const group = 'metrics.example.com';
    const spec = { type: 'object', 'x-kubernetes-validations': [{ rule: 'self.size > 1' }] };
    const schema = { type: 'object', properties: { spec: { ...spec, properties: { size: { type: 'integer' } } } } };
    await post('/clusters/a/apis/apiextensions.k8s.io/v1/customresourcedefinitions', {
      metadata: { name: `things.${group}` },
      spec: {
        group,
        scope: 'Namespaced',
        names: { plural: 'things', singular: 'thing', kind: 'Thing', listKind: 'ThingList' },
        versions: [{ name: 'v1', served: true, storage: true, schema: { openAPIV3Schema: schema } }],
      },
    });
    const path = `/apis/${group}/v1/namespaces/default/things`;
    const thing = (size: number) => ({
      apiVersion: `${group}/v1`,
      kind: 'Thing',
      metadata: { name: `s${size}` },
      spec: { size },
    });
    await until(async () => (await tenant('GET', path)).code === 200);
    assert.equal((await tenant('POST', path, { body: thing(1) })).code, 422);
    assert.equal((await tenant('POST', path, { body: thing(2) })).code, 201);
    const now = await figures();
    const grown = (name: string) => now(name) - before(name);
    assert.ok(grown('apiserver_cel_compilation_duration_seconds_count') > 0);
    assert.equal(grown('apiserver_cel_evaluation_duration_seconds_count'), 2);
    assert.ok(grown('apiserver_cel_evaluation_duration_seconds_sum') > 0);
  });

  it('deprecated resources that were asked for, to who asked and to the operator', async () => {
    const name = 'apiserver_requested_deprecated_apis';
    const of = { group: '', version: 'v1', resource: 'endpoints', subresource: '', removed_release: '' };
    assert.equal((await figures())(name, of), 0);
    await tenant('GET', '/api/v1/namespaces/default/endpoints');
    await tenant('GET', '/api/v1/namespaces/default/configmaps');
    await until(async () => (await figures())(name, of) === 1);
    await until(async () => seriesOf(await textOf(tenant))(name, of) === 1);
    assert.doesNotMatch(await textOf(operator), /requested_deprecated_apis\{.*configmaps/);
  });

  it('how long watches take to send what is there', async () => {
    const name = 'apiserver_watch_list_duration_seconds_count';
    const of = { group: '', version: 'v1', resource: 'secrets', scope: 'namespace' };
    const path = '/api/v1/namespaces/default/secrets?watch=true&timeoutSeconds=1&allowWatchBookmarks=true';
    await tenant('GET', path);
    assert.equal((await figures())(name, of), 0);
    await tenant('GET', `${path}&sendInitialEvents=true&resourceVersionMatch=NotOlderThan`);
    assert.equal((await figures())(name, of), 1);
  });

  it('APIServices that are unavailable; names of all tenants together', async () => {
    const name = 'v1.gone.example.com';
    const spec = {
      group: 'gone.example.com',
      version: 'v1',
      groupPriorityMinimum: 1,
      versionPriority: 1,
      insecureSkipTLSVerify: true,
      service: { namespace: 'default', name: 'gone' },
    };
    for (const one of ['a', 'b']) {
      await post(`/clusters/${one}/apis/apiregistration.k8s.io/v1/apiservices`, { metadata: { name }, spec });
    }
    const gauge = 'aggregator_unavailable_apiservice';
    await until(async () => (await figures())(gauge, { name }) === 2);
    assert.equal(seriesOf(await textOf(tenant))(gauge, { name }), 1, 'of its own only');
  });
});
