import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:http2';
import { request } from 'node:https';
import { after, before, describe, test } from 'node:test';
import { openMemoryStore } from '../../store/memory/memory-store.ts';
import { startTestServer, type TestServer } from '../testing/test-server.ts';

describe('flow control objects, and what they do', () => {
  let server: TestServer;
  let port: number;
  const credentials: Record<string, { cert: string; key: string }> = {};
  const flowControl = '/apis/flowcontrol.apiserver.k8s.io/v1';

  before(async () => {
    server = await startTestServer(openMemoryStore(), { tenants: ['a', 'b'] });
    ({ port } = await server.server.listen({ host: '127.0.0.1', port: 0 }));
    for (const [name, tenant, groups] of [
      ['admin', 'a', ['system:masters']],
      ['alice', 'a', []],
      ['other', 'b', ['system:masters']],
    ] as const) {
      const pair = await server.authority.issueTenantUser(tenant, name, [...groups]);
      credentials[name] = { cert: pair.certificatePem, key: pair.keyPem };
    }
  });
  after(() => server.close());

  async function ask(who: string, path: string, method = 'GET', body?: object) {
    const asked = request({
      host: '127.0.0.1',
      port,
      path,
      method,
      ca: server.authority.certificatePem,
      agent: false,
      headers: { 'content-type': 'application/json' },
      ...credentials[who],
    });
    asked.end(body === undefined ? undefined : JSON.stringify(body));
    const [response] = await once(asked, 'response');
    const chunks: Buffer[] = [];
    for await (const chunk of response) chunks.push(chunk);
    const text = Buffer.concat(chunks).toString();
    return { code: response.statusCode as number, headers: response.headers, body: JSON.parse(text) };
  }

  async function eventually<T>(look: () => Promise<T>, holds: (value: T) => boolean): Promise<T> {
    for (const deadline = Date.now() + 10_000; ; await new Promise((resolve) => setTimeout(resolve, 20))) {
      const value = await look();
      if (holds(value)) return value;
      if (Date.now() > deadline) assert.fail(`still ${JSON.stringify(value)}`);
    }
  }

  const schema = (level: string) => ({
    metadata: { name: 'alice' },
    spec: {
      priorityLevelConfiguration: { name: level },
      matchingPrecedence: 50,
      rules: [
        {
          subjects: [{ kind: 'User', user: { name: 'alice' } }],
          nonResourceRules: [{ verbs: ['*'], nonResourceURLs: ['*'] }],
        },
      ],
    },
  });

  test('every tenant starts with upstream’s', async () => {
    const { body } = await ask('admin', `${flowControl}/flowschemas`);
    const byName = new Map<string, any>(body.items.map((item: any) => [item.metadata.name, item]));
    assert.equal(byName.size, 11);
    assert.equal(byName.get('exempt').spec.matchingPrecedence, 1);
    assert.equal(byName.get('global-default').status.conditions[0].status, 'False');
    const levels = await ask('admin', `${flowControl}/prioritylevelconfigurations`);
    assert.equal(levels.body.items.length, 8);
  });

  test('answers say by which a request was judged', async () => {
    const exempt = await ask('admin', `${flowControl}/flowschemas/exempt`);
    assert.equal(exempt.headers['x-kubernetes-pf-flowschema-uid'], exempt.body.metadata.uid);
    const level = await ask('admin', `${flowControl}/prioritylevelconfigurations/global-default`);
    const { headers } = await ask('alice', '/version');
    assert.equal(headers['x-kubernetes-pf-prioritylevel-uid'], level.body.metadata.uid);
    const other = await ask('other', `${flowControl}/flowschemas/exempt`);
    assert.notEqual(other.body.metadata.uid, exempt.body.metadata.uid);
  });

  test('a schema of one’s own: dangling until its level is there, then in force', async () => {
    const created = await ask('admin', `${flowControl}/flowschemas`, 'POST', schema('narrow'));
    assert.equal(created.code, 201);
    const condition = async () =>
      (await ask('admin', `${flowControl}/flowschemas/alice`)).body.status?.conditions?.[0] ?? {};
    const dangling = await eventually(condition, ({ status }) => status === 'True');
    assert.equal(dangling.reason, 'NotFound');
    const level = await ask('admin', `${flowControl}/prioritylevelconfigurations`, 'POST', {
      metadata: { name: 'narrow' },
      spec: {
        type: 'Limited',
        limited: { nominalConcurrencyShares: 0, limitResponse: { type: 'Reject' }, borrowingLimitPercent: 0 },
      },
    });
    assert.equal(level.code, 201);
    await eventually(condition, ({ status }) => status === 'False');
    // In one packet, so that they are there at the same moment.
    const session = connect(`https://127.0.0.1:${port}`, {
      ca: server.authority.certificatePem,
      ...credentials['alice'],
    });
    await once(session, 'connect');
    const answers = await Promise.all(
      Array.from({ length: 20 }, async () => {
        const stream = session.request({ ':path': '/version' });
        const [headers] = await once(stream, 'response');
        const chunks: Buffer[] = [];
        for await (const chunk of stream) chunks.push(chunk);
        return { code: headers[':status'], headers, body: JSON.parse(Buffer.concat(chunks).toString()) };
      }),
    );
    session.destroy();
    for (const { headers } of answers) {
      assert.equal(headers['x-kubernetes-pf-flowschema-uid'], created.body.metadata.uid);
      assert.equal(headers['x-kubernetes-pf-prioritylevel-uid'], level.body.metadata.uid);
    }
    const refused = answers.find(({ code }) => code === 429);
    assert.ok(refused, 'a level with one seat refuses some of twenty requests at once');
    assert.equal(refused.headers['retry-after'], '1');
    assert.equal(refused.body.reason, 'TooManyRequests');
    assert.ok(answers.some(({ code }) => code === 200));
    // Another tenant's alice would not notice, nor does this one's admin.
    assert.equal((await ask('admin', '/version')).code, 200);
  });
});
