import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startTestServer } from '../../apiserver/testing/test-server.ts';
import { parseEncryptionConfiguration } from '../../store/encryption/configuration.ts';
import { encryptedStore } from '../../store/encryption/encrypted-store.ts';
import { openMemoryStore } from '../../store/memory/memory-store.ts';
import { rewriteAll } from './reencrypt.ts';

const rules = (...names: string[]) =>
  parseEncryptionConfiguration(
    JSON.stringify({
      kind: 'EncryptionConfiguration',
      apiVersion: 'apiserver.config.k8s.io/v1',
      resources: [
        {
          resources: ['secrets', 'pandas.bears.example'],
          providers: [
            { secretbox: { keys: names.map((name) => ({ name, secret: Buffer.alloc(32, name).toString('base64') })) } },
          ],
        },
      ],
    }),
  );

const pandas = {
  apiVersion: 'apiextensions.k8s.io/v1',
  kind: 'CustomResourceDefinition',
  metadata: { name: 'pandas.bears.example' },
  spec: {
    group: 'bears.example',
    names: { kind: 'Panda', plural: 'pandas' },
    scope: 'Cluster',
    versions: [
      {
        name: 'v1',
        served: true,
        storage: true,
        schema: { openAPIV3Schema: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true } },
      },
    ],
  },
};

test('what an old key encrypts is stored with the new one, in every tenant, custom resources too', async () => {
  const inner = openMemoryStore();
  const store = encryptedStore(inner, rules('one'));
  const server = await startTestServer(store, { tenants: ['red', 'blue'] });
  const send = (path: string, body: object) =>
    server.transport.request<any>({ method: 'POST', path: `/clusters/${path}`, body });
  try {
    for (const tenant of ['red', 'blue'])
      for (let index = 0; index < 12; index++)
        await send(`${tenant}/api/v1/namespaces/default/secrets`, { metadata: { name: `s${index}` } });
    await send('red/apis/apiextensions.k8s.io/v1/customresourcedefinitions', pandas);
    const panda = { apiVersion: 'bears.example/v1', kind: 'Panda', metadata: { name: 'p' } };
    for (;;) {
      const made = await send('red/apis/bears.example/v1/pandas', panda).catch(() => undefined);
      if (made !== undefined) break;
    }
    assert.deepEqual(await rewriteAll(server.transport, ['secrets']), [
      { resource: 'secrets', objects: 24, written: 0, failures: [] },
    ]);
    store.use(rules('two', 'one'));
    await send('red/api/v1/namespaces/default/secrets', { metadata: { name: 'new' } });
    assert.deepEqual(await rewriteAll(server.transport, ['secrets', 'pandas.bears.example', 'others.example']), [
      { resource: 'secrets', objects: 25, written: 24, failures: [] },
      { resource: 'pandas.bears.example', objects: 1, written: 1, failures: [] },
      { resource: 'others.example', objects: 0, written: 0, failures: [] },
    ]);
    for (const start of ['/core/secrets/', '/bears.example/pandas/'])
      for (const { key, value } of (await inner.range({ start, end: `${start}\x7f` })).items)
        assert.match(Buffer.from(value).toString('latin1'), /^k8s:enc:secretbox:v1:two:/, key);
    store.use(rules('three', 'two'));
    await send('red/api/v1/namespaces/default/configmaps', { metadata: { name: 'plain' } });
    const [core, everything] = await rewriteAll(server.transport, ['*.', '*.*']);
    assert.deepEqual([core!.written, core!.failures, everything!.written, everything!.failures], [25, [], 1, []]);
    assert.ok(everything!.objects > core!.objects);
    store.use(rules('three'));
    const { items } = await server.transport.request<any>({ method: 'GET', path: '/clusters/blue/api/v1/secrets' });
    assert.equal(items.length, 12);

    const refuses = {
      apiVersion: 'admissionregistration.k8s.io/v1',
      kind: 'ValidatingAdmissionPolicy',
      metadata: { name: 'frozen' },
      spec: {
        matchConstraints: {
          resourceRules: [{ apiGroups: [''], apiVersions: ['v1'], operations: ['UPDATE'], resources: ['secrets'] }],
        },
        validations: [{ expression: 'false', message: 'frozen' }],
      },
    };
    await send('blue/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies', refuses);
    await send('blue/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicybindings', {
      apiVersion: 'admissionregistration.k8s.io/v1',
      kind: 'ValidatingAdmissionPolicyBinding',
      metadata: { name: 'frozen' },
      spec: { policyName: 'frozen', validationActions: ['Deny'] },
    });
    let [last] = await rewriteAll(server.transport, ['secrets']);
    // A policy takes effect a moment after it was made.
    while (last!.failures.length === 0) [last] = await rewriteAll(server.transport, ['secrets']);
    assert.match(last!.failures[0]!, /^\/clusters\/blue\/api\/v1\/namespaces\/default\/secrets\/s\d+: .*frozen/);
  } finally {
    await server.close();
  }
});
