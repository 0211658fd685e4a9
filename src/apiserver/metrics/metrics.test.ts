import assert from 'node:assert/strict';
import { once } from 'node:events';
import { request } from 'node:https';
import { connect } from 'node:net';
import { after, before, describe, test } from 'node:test';
import { Counter, Histogram } from '../../base/metrics.ts';
import { until } from '../../base/testing/until.ts';
import { openMemoryStore } from '../../store/memory/memory-store.ts';
import type { PemPair } from '../identity/certificate-authority.ts';
import { type ApiCaller, apiCaller } from '../testing/api-caller.ts';
import { startTestServer, type TestServer } from '../testing/test-server.ts';
import { seriesOf } from './testing.ts';

/** What is counted when an answer has gone out may be a moment late. */
async function eventually(check: () => Promise<void>): Promise<void> {
  let last: unknown;
  const isRight = () =>
    check().then(
      () => true,
      (error) => {
        last = error;
        return false;
      },
    );
  await until(isRight).catch(() => {
    throw last;
  });
}

test('series are written as Prometheus reads them', () => {
  const lines: string[] = [];
  const counter = new Counter('things_total', 'Things.', ['kind']);
  counter.with('a"b\\\n').add(2);
  counter.write(lines);
  const histogram = new Histogram('took_seconds', 'Time.', ['verb'], [0.1, 1]);
  for (const value of [0.05, 0.5, 5]) histogram.with('GET').observe(value);
  histogram.write(lines);
  assert.deepEqual(lines, [
    '# HELP things_total Things.',
    '# TYPE things_total counter',
    'things_total{kind="a\\"b\\\\\\n"} 2',
    '# HELP took_seconds Time.',
    '# TYPE took_seconds histogram',
    'took_seconds_bucket{verb="GET",le="0.1"} 1',
    'took_seconds_bucket{verb="GET",le="1"} 2',
    'took_seconds_bucket{verb="GET",le="+Inf"} 3',
    'took_seconds_sum{verb="GET"} 5.55',
    'took_seconds_count{verb="GET"} 3',
  ]);
});

test('label values made up without end are counted together', () => {
  const counter = new Counter('asked_total', 'Asked.', ['path']);
  for (let index = 0; index < 20_000; index++) counter.with(`/${index}`).add();
  const lines: string[] = [];
  counter.write(lines);
  assert.ok(lines.length <= 10_003);
  assert.equal(counter.with('other').value, 10_000);
});

describe('what the server tells of itself', () => {
  let server: TestServer;
  let port: number;
  let call: ApiCaller;
  const pairs: Record<string, PemPair> = {};

  before(async () => {
    server = await startTestServer(openMemoryStore(), { tenants: ['a', 'b'] });
    ({ port } = await server.server.listen({ host: '127.0.0.1', port: 0 }));
    call = apiCaller(port, server.authority.certificatePem, undefined);
    const keep = (name: string, pair: PemPair) => {
      pairs[name] = pair;
    };
    for (const tenant of ['a', 'b']) {
      keep(tenant, await server.authority.issueTenantUser(tenant, 'admin', ['system:masters']));
      keep(`${tenant}-user`, await server.authority.issueTenantUser(tenant, 'user', []));
    }
    keep('platform', await server.authority.issuePlatformClient('operator'));
  });
  after(() => server.close());

  const ask = (who: string | undefined, path: string, method = 'GET', body?: object) =>
    call(method, path, { ...(body !== undefined && { body }), ...(who !== undefined && { as: pairs[who]! }) });
  const exempt = { priority_level: 'exempt', flow_schema: 'exempt' };
  const figures = async () => seriesOf((await ask('platform', '/metrics')).text);

  test('requests are counted by verb, resource and code', async () => {
    await ask('a', '/api/v1/namespaces/default/configmaps', 'POST', { metadata: { name: 'x' } });
    await ask('a', '/api/v1/namespaces/default/configmaps/x');
    await ask('a', '/api/v1/namespaces/default/configmaps/y');
    await ask('a', '/api/v1/namespaces/default/made-up-by-a');
    await eventually(async () => {
      const { code, text } = await ask('platform', '/metrics');
      assert.equal(code, 200);
      const counted = (labels: string) => {
        const line = text.split('\n').find((one) => one.startsWith(`apiserver_request_total{${labels}`));
        return Number(line?.split(' ').at(-1));
      };
      const resource = 'group="",version="v1",resource="configmaps",subresource=""';
      assert.equal(counted(`verb="POST",dry_run="",${resource},scope="namespace",component="apiserver",code="201"`), 1);
      assert.equal(counted(`verb="GET",dry_run="",${resource},scope="resource",component="apiserver",code="200"`), 1);
      assert.equal(counted(`verb="GET",dry_run="",${resource},scope="resource",component="apiserver",code="404"`), 1);
      for (const name of [
        'apiserver_request_duration_seconds_bucket',
        'apiserver_response_sizes_sum',
        'apiserver_flowcontrol_dispatched_requests_total{priority_level="exempt",flow_schema="exempt"}',
        'apiserver_admission_step_admission_duration_seconds_count{type="admit",operation="CREATE",rejected="false"}',
        'apiserver_storage_objects{resource="configmaps"}',
        'apiserver_resource_objects{group="",resource="configmaps"}',
        'apiserver_watch_cache_resource_version{group="",resource="configmaps"}',
        'apiserver_current_inflight_requests{request_kind="readOnly"}',
        'apiserver_request_sli_duration_seconds_bucket',
        'apiserver_flowcontrol_current_executing_requests{priority_level=',
        'apiserver_flowcontrol_current_inqueue_seats{priority_level=',
        'apiserver_client_certificate_expiration_seconds_bucket{le="604800"}',
        'process_resident_memory_bytes',
        'nodejs_heap_size_used_bytes',
      ]) {
        assert.ok(text.includes(name), name);
      }
      assert.ok(!text.includes('made-up-by-a'));
    });
  });

  test('watches that are open, and what they sent', async () => {
    const watch = request({
      host: '127.0.0.1',
      port,
      path: '/api/v1/namespaces/default/secrets?watch=true',
      ca: server.authority.certificatePem,
      agent: false,
      cert: pairs['a']!.certificatePem,
      key: pairs['a']!.keyPem,
    });
    watch.on('error', () => {});
    watch.end();
    const [response] = await once(watch, 'response');
    await ask('a', '/api/v1/namespaces/default/secrets', 'POST', { metadata: { name: 's' } });
    await once(response, 'data');
    const open = 'apiserver_longrunning_requests{verb="WATCH",group="",version="v1",resource="secrets"';
    const figure = async (prefix: string) =>
      (await ask('platform', '/metrics')).text
        .split('\n')
        .find((one) => one.startsWith(prefix))
        ?.split(' ')
        .at(-1);
    assert.equal(await figure(open), '1');
    assert.equal(await figure('apiserver_watch_events_total{group="",version="v1",resource="secrets"}'), '1');
    const of = { group: '', version: 'v1', resource: 'secrets' };
    const value = await figures();
    assert.equal(value('apiserver_watch_events_sizes_count', of), 1);
    assert.ok(value('apiserver_watch_events_sizes_sum', of) > 100);
    watch.destroy();
    await eventually(async () => assert.equal(await figure(open), '0'));
  });

  test('a tenant hears of itself only, and only who may', async () => {
    await ask('b', '/api/v1/namespaces/default/secrets');
    await eventually(async () => {
      const { code, text } = await ask('b', '/metrics');
      assert.equal(code, 200);
      assert.ok(text.includes('verb="LIST",dry_run="",group="",version="v1",resource="secrets"'));
      assert.ok(!text.includes('configmaps'));
      assert.ok(!text.includes('process_'));
    });
    assert.equal((await ask('b-user', '/metrics')).code, 403);
    assert.equal((await ask(undefined, '/metrics')).code, 403);
  });

  test('a tenant sees the limits of its own priority levels, before anybody uses them, and of no others', async () => {
    const api = '/apis/flowcontrol.apiserver.k8s.io/v1';
    const levels = `${api}/prioritylevelconfigurations`;
    const spec = {
      type: 'Limited',
      limited: { nominalConcurrencyShares: 5, lendablePercent: 50, limitResponse: { type: 'Reject' } },
    };
    assert.equal((await ask('b', levels, 'POST', { metadata: { name: 'own-of-b' }, spec })).code, 201);
    const schema = {
      metadata: { name: 'own-schema-of-b' },
      spec: { priorityLevelConfiguration: { name: 'own-of-b' }, matchingPrecedence: 9000 },
    };
    assert.equal((await ask('b', `${api}/flowschemas`, 'POST', schema)).code, 201);
    const level = { priority_level: 'own-of-b' };
    await eventually(async () => {
      const { text } = await ask('b', '/metrics');
      const value = seriesOf(text);
      // 600 seats, of which 5 of 250 shares.
      assert.equal(value('apiserver_flowcontrol_nominal_limit_seats', level), 12);
      assert.equal(value('apiserver_flowcontrol_lower_limit_seats', level), 6);
      assert.equal(value('apiserver_flowcontrol_upper_limit_seats', level), 612);
      const flow = { ...level, flow_schema: 'own-schema-of-b' };
      for (const gauge of ['executing_seats', 'executing_requests', 'inqueue_requests', 'inqueue_seats']) {
        const name = `apiserver_flowcontrol_current_${gauge}`;
        assert.ok(text.includes(`${name}{priority_level="own-of-b",flow_schema="own-schema-of-b"} 0`), name);
        assert.equal(value(name, flow), 0);
      }
      // The one that asks.
      assert.equal(value('apiserver_flowcontrol_current_executing_requests', exempt), 1);
    });
    for (const who of ['a', 'platform']) assert.ok(!(await ask(who, '/metrics')).text.includes('own-of-b'), who);
  });

  test('the seats of all tenants that are there are told together', async () => {
    await eventually(async () => {
      const value = await figures();
      // Nobody else asks: 600 seats, of which 40 of 245 shares.
      assert.equal(value('apiserver_flowcontrol_nominal_limit_seats', { priority_level: 'workload-high' }), 98);
      assert.equal(value('apiserver_flowcontrol_current_executing_seats', exempt), 1);
      assert.equal(value('apiserver_current_inflight_requests', { request_kind: 'readOnly' }), 1);
      assert.equal(value('apiserver_current_inqueue_requests', { request_kind: 'readOnly' }), 0);
    });
  });

  test('who asks, and whether it may', async () => {
    const before = await figures();
    await ask('a', '/api/v1/namespaces/default/pods');
    assert.equal((await ask('a-user', '/api/v1/namespaces/default/pods')).code, 403);
    await ask('a-user', '/api');
    const { code } = await call('GET', '/api', { headers: { authorization: 'Bearer nobody' } });
    assert.equal(code, 401);
    const now = await figures();
    const grown = (name: string, labels: Record<string, string>) => now(name, labels) - before(name, labels);
    // Asking for the figures is one more each.
    assert.equal(grown('authentication_attempts', { result: 'success' }), 4);
    assert.equal(grown('authentication_attempts', { result: 'error' }), 1);
    assert.equal(grown('authentication_duration_seconds_count', { result: 'success' }), 4);
    assert.equal(grown('authenticated_user_requests', { username: 'admin' }), 1);
    assert.equal(grown('authenticated_user_requests', { username: 'other' }), 3);
    assert.equal(grown('authorization_attempts_total', { result: 'allowed' }), 3);
    assert.equal(grown('authorization_attempts_total', { result: 'no-opinion' }), 1);
    assert.equal(grown('authorization_duration_seconds_count', { result: 'no-opinion' }), 1);
    const byRoles = { type: 'RBAC', name: 'rbac', decision: 'allowed' };
    assert.equal(grown('apiserver_authorization_decisions_total', byRoles), 1);
  });

  test('requests that nobody waits for any more', async () => {
    const asked = request({
      host: '127.0.0.1',
      port,
      path: '/api/v1/namespaces/default/services',
      method: 'POST',
      ca: server.authority.certificatePem,
      agent: false,
      headers: { 'content-type': 'application/json', 'content-length': 1000 },
      cert: pairs['a']!.certificatePem,
      key: pairs['a']!.keyPem,
    });
    asked.on('error', () => {});
    asked.write('{');
    // It has arrived, and waits for the rest of its body.
    await eventually(async () => {
      const inflight = (await figures())('apiserver_current_inflight_requests', { request_kind: 'mutating' });
      assert.equal(inflight, 1);
    });
    asked.destroy();
    const of = { verb: 'POST', group: '', version: 'v1', resource: 'services', subresource: '', scope: 'namespace' };
    await eventually(async () => assert.equal((await figures())('apiserver_request_aborts_total', of), 1));
  });

  test('what is running, and connections that speak no TLS', async () => {
    const { text } = await ask('platform', '/metrics');
    assert.match(text, /^kubernetes_build_info\{major="1",minor="36",git_version="v1\.36\.0\+skypod",.*\} 1$/m);
    const plain = connect(port, '127.0.0.1');
    plain.on('error', () => {});
    plain.end('GET / HTTP/1.1\r\n\r\n');
    await eventually(async () => assert.equal((await figures())('apiserver_tls_handshake_errors_total'), 1));
  });

  test('health: whole, verbose, without a check, one check', async () => {
    const { code, text, headers } = await ask(undefined, '/readyz');
    assert.deepEqual([code, text], [200, 'ok']);
    assert.equal(headers['x-content-type-options'], 'nosniff');
    const livez = (await ask(undefined, '/livez?verbose&exclude=etcd&exclude=nothing')).text.split('\n');
    assert.deepEqual(livez.slice(0, 3), ['[+]ping ok', '[+]log ok', '[+]etcd excluded: ok']);
    assert.ok(livez.includes('[+]poststarthook/crd-informer-synced ok'));
    assert.ok(livez.includes('[+]autoregister-completion ok'));
    assert.deepEqual(livez.slice(-3), [
      'warn: some health checks cannot be excluded: no matches for "nothing"',
      'livez check passed',
      '',
    ]);
    assert.match((await ask(undefined, '/readyz?verbose')).text, /\n\[\+\]informer-sync ok\n/);
    assert.equal((await ask('a', '/healthz/etcd')).text, 'ok');
    assert.equal((await ask('a', '/healthz/none')).code, 404);
    const slis = (await ask('platform', '/metrics/slis')).text;
    assert.match(slis, /^kubernetes_healthcheck\{name="etcd",type="readyz"\} 1$/m);
    assert.match(slis, /^kubernetes_healthchecks_total\{name="ping",type="livez",status="success"\} \d+$/m);
    assert.doesNotMatch(slis, /name="etcd",type="livez"/, 'what was excluded was not asked');
  });
});
