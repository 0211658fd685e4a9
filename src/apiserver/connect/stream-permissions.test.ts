import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { openMemoryStore } from '../../store/memory/memory-store.ts';
import { type ApiCaller, apiCaller } from '../testing/api-caller.ts';
import { startTestServer, type TestServer } from '../testing/test-server.ts';

/** Who may read a pod's streams by GET may not therefore run something in it: upstream asks for `create` as well. */
describe('exec, attach and port-forward by GET', { timeout: 60_000 }, () => {
  let test: TestServer;
  let reader: ApiCaller;
  let runner: ApiCaller;
  const pod = '/api/v1/namespaces/default/pods/web';

  before(async () => {
    test = await startTestServer(openMemoryStore(), { tenants: ['red'] });
    const { port } = await test.server.listen({ host: '127.0.0.1', port: 0 });
    const userOf = async (name: string, verbs: string[]) => {
      const resources = ['pods/exec', 'pods/attach', 'pods/portforward'];
      const rbac = 'rbac.authorization.k8s.io';
      await boss('POST', `/apis/${rbac}/v1/clusterroles`, {
        body: { metadata: { name }, rules: [{ apiGroups: [''], resources, verbs }] },
      });
      await boss('POST', `/apis/${rbac}/v1/clusterrolebindings`, {
        body: {
          metadata: { name },
          roleRef: { apiGroup: rbac, kind: 'ClusterRole', name },
          subjects: [{ apiGroup: rbac, kind: 'User', name }],
        },
      });
      return apiCaller(port, test.authority.certificatePem, await test.authority.issueTenantUser('red', name, []));
    };
    const boss = apiCaller(
      port,
      test.authority.certificatePem,
      await test.authority.issueTenantUser('red', 'boss', ['system:masters']),
    );
    reader = await userOf('reader', ['get']);
    runner = await userOf('runner', ['get', 'create']);
    const made = await boss('POST', '/api/v1/namespaces/default/pods', {
      body: { metadata: { name: 'web' }, spec: { containers: [{ name: 'a', image: 'a' }] } },
    });
    assert.equal(made.code, 201, made.text);
  });
  after(() => test.close());

  for (const [what, query] of [
    ['exec', '?command=sh&stdout=true'],
    ['attach', '?stdout=true'],
    ['portforward', '?ports=80'],
  ]) {
    it(`${what} wants the right to create`, async () => {
      const refused = await reader('GET', `${pod}/${what}${query}`);
      assert.equal(refused.code, 403, refused.text);
      assert.match(refused.json.message, /^pods "web" is forbidden: /);
      assert.notEqual((await runner('GET', `${pod}/${what}${query}`)).code, 403);
      assert.equal((await reader('POST', `${pod}/${what}${query}`)).code, 403);
    });
  }
});
