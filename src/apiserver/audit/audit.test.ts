import assert from 'node:assert/strict';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { ManualClock } from '../../base/clock.ts';
import { silentLogger } from '../../base/log.ts';
import { until } from '../../base/testing/until.ts';
import { openMemoryStore } from '../../store/memory/memory-store.ts';
import { seriesOf } from '../metrics/testing.ts';
import { apiCaller } from '../testing/api-caller.ts';
import { startTestServer, type TestServer } from '../testing/test-server.ts';
import { AuditLog } from './log-backend.ts';
import { loadPolicy, PolicyEvaluator, validatePolicy } from './policy.ts';

const directory = mkdtempSync(join(tmpdir(), 'skypod-audit-'));
after(() => rmSync(directory, { recursive: true, force: true }));

const identity = { name: 'alice', groups: ['dev', 'system:authenticated'], kind: 'tenant' as const, tenant: 'a' };
const asked = {
  tenant: 'a',
  isResourceRequest: true,
  verb: 'get',
  group: '',
  version: 'v1',
  resource: 'pods',
  subresource: '',
  namespace: 'default',
  name: 'web',
  path: '',
  fieldSelector: '',
  labelSelector: '',
};

describe('audit policies', () => {
  const level = (rules: object[], attributes: object = {}) =>
    new PolicyEvaluator({ rules } as never).evaluate(identity, { ...asked, ...attributes }).level;

  test('the first rule that matches decides', () => {
    const cases: [object, object, boolean][] = [
      [{}, {}, true],
      [{ users: ['alice'] }, {}, true],
      [{ users: ['bob'] }, {}, false],
      [{ userGroups: ['ops', 'dev'] }, {}, true],
      [{ verbs: ['list'] }, {}, false],
      [{ namespaces: ['default'] }, {}, true],
      [{ namespaces: [''] }, { namespace: '' }, true],
      [{ resources: [{ group: '', resources: ['pods'] }] }, {}, true],
      [{ resources: [{ resources: ['pods'] }] }, { subresource: 'log' }, false],
      [{ resources: [{ resources: ['pods/log'] }] }, { subresource: 'log' }, true],
      [{ resources: [{ resources: ['pods/*'] }] }, { subresource: 'log' }, true],
      [{ resources: [{ resources: ['*/log'] }] }, { subresource: 'log' }, true],
      [{ resources: [{ resources: ['*'] }] }, { subresource: 'log' }, true],
      [{ resources: [{ group: 'apps' }] }, {}, false],
      [{ resources: [{ group: '*' }] }, { group: 'apps' }, true],
      [{ resources: [{ resources: ['pods'], resourceNames: ['db'] }] }, {}, false],
      [{ nonResourceURLs: ['/healthz*'] }, {}, false],
      [{ nonResourceURLs: ['/healthz*'] }, { isResourceRequest: false, path: '/healthz/ping' }, true],
      [{ nonResourceURLs: ['/version'] }, { isResourceRequest: false, path: '/versions' }, false],
    ];
    for (const [rule, attributes, matches] of cases) {
      const found = level([{ level: 'Metadata', ...rule }], attributes);
      assert.equal(found, matches ? 'Metadata' : 'None', JSON.stringify([rule, attributes]));
    }
    assert.equal(level([{ level: 'None', users: ['alice'] }, { level: 'Request' }]), 'None');
  });

  test('what is wrong with one is said', () => {
    const valid = { kind: 'Policy', apiVersion: 'audit.k8s.io/v1', rules: [{ level: 'Metadata' }] };
    assert.deepEqual(validatePolicy(valid), []);
    assert.equal(validatePolicy({ ...valid, kind: 'Pod' }).length, 1);
    assert.deepEqual(validatePolicy({ ...valid, rules: [] }), ['loaded illegal policy with 0 rules']);
    assert.equal(validatePolicy({ ...valid, omitStages: ['Never'] }).length, 1);
    assert.equal(validatePolicy({ ...valid, rules: [{ level: 'Some' }, {}] }).length, 2);
    const urls = { level: 'None', nonResourceURLs: ['healthz', '/a*b'] };
    assert.equal(validatePolicy({ ...valid, rules: [urls] }).length, 2);
    assert.throws(() => loadPolicy(join(directory, 'none.yaml')), /cannot be read/);
  });
});

describe('the log', () => {
  test('is put aside when it is full, and the oldest go', async () => {
    const clock = new ManualClock(Date.parse('2026-01-01T00:00:00Z'));
    const place = mkdtempSync(join(directory, 'rotation-'));
    const log = new AuditLog({
      path: join(place, 'audit.log'),
      maxSizeBytes: 1000,
      maxBackups: 2,
      clock,
      logger: silentLogger,
    });
    for (let index = 0; index < 100; index++) {
      log.write({ index, filler: 'x'.repeat(80) });
      if (index % 10 === 9) await log.flush();
      clock.advance(1000);
    }
    await log.close();
    const files = readdirSync(place).sort();
    assert.equal(files.length, 3, String(files));
    assert.ok(
      files.every((name) => /^audit(-2026-01-01T00-01-[\d.-]+)?\.log$/.test(name)),
      String(files),
    );
    const events = readFileSync(join(place, 'audit.log'), 'utf8')
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    assert.equal(events.at(-1).index, 99);
    for (const file of files) assert.ok(readFileSync(join(place, file)).length <= 1000);
  });

  test('goes when it is old', async () => {
    const clock = new ManualClock(Date.parse('2026-01-01T00:00:00Z'));
    const place = mkdtempSync(join(directory, 'age-'));
    const maxAgeMs = 2 * 86_400_000;
    const path = join(place, 'audit.log');
    const log = new AuditLog({ path, maxSizeBytes: 100, maxBackups: 0, maxAgeMs, clock, logger: silentLogger });
    for (let day = 1; day <= 6; day++) {
      log.write({ day, filler: 'x'.repeat(80) });
      await log.flush();
      clock.advance(86_400_000);
    }
    await log.close();
    const days = ['04', '05', '06'].map((day) => `audit-2026-01-${day}T00-00-00.000.log`);
    assert.deepEqual(readdirSync(place).sort(), [...days, 'audit.log']);
  });

  test('loses of a flood what the flood is made of', async () => {
    const path = join(mkdtempSync(join(directory, 'flood-')), 'audit.log');
    const options = { path, maxSizeBytes: 1e9, maxBackups: 0, clock: new ManualClock(), logger: silentLogger };
    const log = new AuditLog(options);
    const filler = 'x'.repeat(100_000);
    for (let index = 0; index < 200; index++) log.write({ index, filler }, 'hostile');
    assert.ok(log.dropped > 0);
    const lost = log.dropped;
    for (let index = 0; index < 50; index++) log.write({ index, quiet: filler }, 'quiet');
    assert.equal(log.dropped, lost);
    await log.flush();
    log.write({ again: true }, 'hostile');
    await log.close();
    const lines = readFileSync(path, 'utf8').trim().split('\n');
    assert.equal(lines.filter((line) => line.includes('quiet')).length, 50);
    assert.equal(lines.length, 251 - lost);
  });

  test('goes on after a failure', async () => {
    const path = join(directory, 'missing', 'audit.log');
    const log = new AuditLog({
      path,
      maxSizeBytes: 1000,
      maxBackups: 0,
      clock: new ManualClock(),
      logger: silentLogger,
    });
    log.write({ lost: true });
    await log.flush();
    assert.equal(log.dropped, 1);
    await log.close();
  });
});

describe('requests, recorded', () => {
  let server: TestServer;
  let port: number;
  let admin: { cert: string; key: string };
  let user: { cert: string; key: string };
  const path = join(directory, 'audit.log');

  before(async () => {
    const policyFile = join(directory, 'policy.yaml');
    writeFileSync(
      policyFile,
      `apiVersion: audit.k8s.io/v1
kind: Policy
omitManagedFields: true
rules:
- level: None
  nonResourceURLs: ["/healthz*"]
- level: Metadata
  resources: [{group: "", resources: [secrets]}]
- level: RequestResponse
  omitStages: [RequestReceived]
  resources: [{group: "", resources: [configmaps]}]
- level: Metadata
`,
    );
    server = await startTestServer(openMemoryStore(), { tenants: ['a'], audit: { policyFile, logPath: path } });
    ({ port } = await server.server.listen({ host: '127.0.0.1', port: 0 }));
    const pair = async (name: string, groups: string[]) => {
      const issued = await server.authority.issueTenantUser('a', name, groups);
      return { cert: issued.certificatePem, key: issued.keyPem };
    };
    admin = await pair('admin', ['system:masters']);
    user = await pair('user', []);
  });
  after(() => server.close());

  async function ask(who: object, target: string, { method = 'GET', body = undefined as unknown, headers = {} } = {}) {
    const sent = request({
      host: '127.0.0.1',
      port,
      path: target,
      method,
      ca: server.authority.certificatePem,
      agent: false,
      headers: { 'content-type': 'application/json', 'user-agent': 'test', ...headers },
      ...who,
    });
    sent.end(body === undefined ? undefined : JSON.stringify(body));
    const [response] = await once(sent, 'response');
    response.resume();
    await once(response, 'end');
    return response;
  }

  /** Events of one request, once its last stage is in the log. */
  async function events(id: string, last = 'ResponseComplete'): Promise<any[]> {
    let found: any[] = [];
    await until(() => {
      if (!existsSync(path)) return false;
      found = readFileSync(path, 'utf8')
        .split('\n')
        .filter((line) => line.endsWith('}'))
        .map((line) => JSON.parse(line))
        .filter((event) => event.auditID === id);
      return found.at(-1)?.stage === last;
    });
    return found;
  }

  test('with body and answer, where the policy says so', async () => {
    const response = await ask(admin, '/api/v1/namespaces/default/configmaps?fieldManager=me', {
      method: 'POST',
      body: { metadata: { name: 'settings' }, data: { a: 'b' } },
      headers: { 'audit-id': 'my-request' },
    });
    assert.equal(response.headers['audit-id'], 'my-request');
    const [event, ...more] = await events('my-request');
    assert.equal(more.length, 0, 'RequestReceived is omitted');
    assert.equal(event.level, 'RequestResponse');
    assert.equal(event.verb, 'create');
    assert.equal(event.requestURI, '/api/v1/namespaces/default/configmaps?fieldManager=me');
    assert.equal(event.user.username, 'admin');
    assert.deepEqual(event.sourceIPs, ['127.0.0.1']);
    assert.deepEqual(event.objectRef, {
      resource: 'configmaps',
      namespace: 'default',
      name: 'settings',
      apiVersion: 'v1',
    });
    assert.deepEqual(event.responseStatus, { metadata: {}, code: 201 });
    assert.deepEqual(event.requestObject.data, { a: 'b' });
    assert.equal(event.responseObject.metadata.name, 'settings');
    assert.equal(event.responseObject.metadata.managedFields, undefined);
    assert.equal(event.responseObject.metadata.clusterName, undefined);
    assert.equal(event.annotations['tenancy.skypod.io/tenant'], 'a');
    assert.equal(event.annotations['authorization.k8s.io/decision'], 'allow');
    assert.match(event.requestReceivedTimestamp, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/);
  });

  test('without what is too large', async () => {
    const send = async (kind: string, filler: number) => {
      const response = await ask(admin, '/api/v1/namespaces/default/configmaps', {
        method: 'POST',
        headers: { 'content-type': kind },
        body: { metadata: { name: 'large' }, data: { a: 'x'.repeat(filler) } },
      });
      return (await events(response.headers['audit-id'])).at(-1);
    };
    for (const large of [await send('application/json', 1_200_000), await send('application/yaml', 1_200_000)]) {
      assert.deepEqual([large.requestObject, large.annotations['audit.k8s.io/truncated']], [undefined, 'true']);
    }
  });

  test('without what is secret', async () => {
    const response = await ask(admin, '/api/v1/namespaces/default/secrets', {
      method: 'POST',
      body: { metadata: { name: 'password' }, stringData: { word: 'swordfish' } },
    });
    const found = await events(response.headers['audit-id']);
    assert.deepEqual(
      found.map((event) => event.stage),
      ['RequestReceived', 'ResponseComplete'],
    );
    assert.ok(!JSON.stringify(found).includes('swordfish'));
  });

  test('what was refused: by role, and at the door', async () => {
    const forbidden = await ask(user, '/api/v1/namespaces/default/pods');
    assert.equal(forbidden.statusCode, 403);
    const event = (await events(forbidden.headers['audit-id'])).at(-1);
    assert.equal(event.annotations['authorization.k8s.io/decision'], 'forbid');
    assert.equal(event.responseStatus.reason, 'Forbidden');
    const unknown = await ask({}, '/api/v1/pods', { headers: { authorization: 'Bearer wrong' } });
    assert.equal(unknown.statusCode, 401);
    // As upstream: there is no more to come, and yet this stage is all that is told.
    const [failed, ...more] = await events(unknown.headers['audit-id'] as string, 'ResponseStarted');
    assert.deepEqual([failed.responseStatus.code, failed.user, more.length], [401, {}, 0]);
    const elsewhere = await ask(user, '/clusters/another/api/v1/pods');
    assert.equal(elsewhere.statusCode, 403);
    const probe = (await events(elsewhere.headers['audit-id'])).at(-1);
    assert.deepEqual([probe.responseStatus.code, probe.requestURI], [403, '/clusters/another/api/v1/pods']);
    assert.ok(probe.user.username !== 'system:anonymous');
  });

  test('who acts as another', async () => {
    const response = await ask(admin, '/api/v1/namespaces/default/pods', { headers: { 'impersonate-user': 'bob' } });
    const event = (await events(response.headers['audit-id'])).at(-1);
    assert.equal(event.user.username, 'admin');
    assert.equal(event.impersonatedUser.username, 'bob');
  });

  test('who acts as oneself, with other groups', async () => {
    const headers = { 'impersonate-user': 'admin', 'impersonate-group': 'dev' };
    const response = await ask(admin, '/api/v1/namespaces/default/pods', { headers });
    const event = (await events(response.headers['audit-id'])).at(-1);
    assert.deepEqual(event.impersonatedUser, { username: 'admin', groups: ['dev', 'system:authenticated'] });
  });

  test('as kube-apiserver tells it', async () => {
    const one = '/api/v1/namespaces/default/configmaps/told';
    const told = async (method: string, target: string, more: { body?: unknown; headers?: object } = {}) => {
      const response = await ask(admin, target, { method, ...more });
      return (await events(response.headers['audit-id'])).at(-1);
    };
    const maps = '/api/v1/namespaces/default/configmaps';
    const made = await told('POST', maps, { body: { metadata: { name: 'told' }, data: { a: 'b' } } });
    assert.deepEqual(made.requestObject, {
      kind: 'ConfigMap',
      apiVersion: 'v1',
      metadata: { name: 'told' },
      data: { a: 'b' },
    });
    const table = { accept: 'application/json;as=Table;g=meta.k8s.io;v=v1' };
    const shown = await told('GET', one, { headers: table });
    assert.deepEqual([shown.responseObject.kind, shown.responseObject.rows[0].cells[0]], ['Table', 'told']);
    assert.equal(shown.responseObject.rows[0].object.metadata.managedFields, undefined);
    const { items } = (await told('GET', `${maps}?fieldSelector=metadata.name%3Dtold`)).responseObject;
    assert.deepEqual([items.length, items[0].kind, items[0].metadata.name], [1, undefined, 'told']);
    const again = await told('POST', maps, { body: { metadata: { name: 'told', resourceVersion: '' } } });
    assert.deepEqual([again.objectRef.name, again.responseObject.reason], ['told', 'AlreadyExists']);
    const stale = await told('PUT', one, { body: { metadata: { name: 'told', resourceVersion: '1' } } });
    assert.equal(stale.objectRef.resourceVersion, '1');
    const odd = await told('POST', maps, { body: { kind: 'Secret', apiVersion: 'v1', metadata: { name: 'told' } } });
    assert.deepEqual([odd.requestObject, odd.objectRef.name], [undefined, undefined]);
    const gone = await told('DELETE', one, { headers: { 'x-forwarded-for': '1.2.3.4, odd', 'x-real-ip': '5.6.7.8' } });
    assert.deepEqual([gone.responseStatus.status, gone.responseStatus.details.name], ['Success', 'told']);
    assert.deepEqual(gone.sourceIPs, ['1.2.3.4', '5.6.7.8', '127.0.0.1']);
    const old = await told('GET', '/api/v1/namespaces/default/endpoints');
    assert.equal(old.annotations['k8s.io/deprecated'], 'true');
    const nowhere = await told('GET', '/nowhere');
    assert.deepEqual(nowhere.responseStatus, { metadata: {}, code: 404 });
  });

  test('counted, by level', async () => {
    const operator = await server.authority.issuePlatformClient('operator');
    const call = apiCaller(port, server.authority.certificatePem, operator);
    const counts = async () => seriesOf((await call('GET', '/metrics')).text);
    const before = await counts();
    await events((await ask(admin, '/api/v1/namespaces/default/pods')).headers['audit-id']);
    const now = await counts();
    assert.ok(now('apiserver_audit_event_total') > before('apiserver_audit_event_total'));
    const levels = ['None', 'Metadata', 'Request', 'RequestResponse'];
    const requests = (value: typeof now) =>
      levels.reduce((sum, level) => sum + value('apiserver_audit_level_total', { level }), 0);
    assert.equal(requests(now) - requests(before), 2, 'the list, and asking for the counts');
    assert.equal(now('apiserver_audit_error_total', { plugin: 'log' }), 0);
  });

  test('a watch when it begins, and when it ends', async () => {
    const sent = request({
      host: '127.0.0.1',
      port,
      path: '/api/v1/namespaces/default/pods?watch=true',
      ca: server.authority.certificatePem,
      agent: false,
      ...admin,
    });
    sent.on('error', () => {});
    sent.end();
    const [response] = await once(sent, 'response');
    const id = response.headers['audit-id'];
    const started = await events(id, 'ResponseStarted');
    assert.deepEqual(
      started.map((event) => event.stage),
      ['RequestReceived', 'ResponseStarted'],
    );
    sent.destroy();
    await events(id);
  });

  test('not what the policy leaves out', async () => {
    const response = await ask({}, '/healthz');
    assert.equal(response.statusCode, 200);
    await ask(admin, '/version').then((last) => events(last.headers['audit-id']));
    assert.ok(!readFileSync(path, 'utf8').includes(response.headers['audit-id']));
  });
});
