import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openMemoryStore } from '../../store/memory/memory-store.ts';
import { forbiddance } from '../testing/in-process-caller.ts';
import { startTestServer } from '../testing/test-server.ts';

test('accounts limit the secrets of their pods where that is asked for; mirror pods have neither', async (t) => {
  const server = await startTestServer(openMemoryStore(), { tenants: ['a'] });
  t.after(() => server.close());
  const space = '/clusters/a/api/v1/namespaces/default';
  const post = (path: string, body: object) => server.transport.request<any>({ method: 'POST', path, body });
  await post(`${space}/serviceaccounts`, {
    metadata: { name: 'strict', annotations: { 'kubernetes.io/enforce-mountable-secrets': 'true' } },
    secrets: [{ name: 'known' }],
  });
  const pod = (spec: object, annotations = {}) => ({
    metadata: { generateName: 'p-', annotations },
    spec: { containers: [{ name: 'c', image: 'x' }], ...spec },
  });
  const strict = { serviceAccountName: 'strict' };
  const mounting = (secretName: string) => ({ ...strict, volumes: [{ name: 'v', secret: { secretName } }] });
  const reading = [{ name: 'c', image: 'x', envFrom: [{ secretRef: { name: 'other' } }] }];
  const suffix = 'is not allowed because service account strict does not reference that';
  const refused = async (body: object) =>
    (await forbiddance(post(`${space}/pods`, body))).replace(/^.*forbidden: /, '');
  assert.equal(await refused(pod(mounting('other'))), `volume with secret.secretName="other" ${suffix} secret`);
  assert.equal(
    await refused(pod({ ...strict, containers: reading })),
    `container c with envFrom referencing secret.secretName="other" ${suffix} secret`,
  );
  assert.equal(
    await refused(pod({ ...strict, imagePullSecrets: [{ name: 'pull' }] })),
    `imagePullSecrets[0].name="pull" ${suffix} imagePullSecret`,
  );
  const made = await post(`${space}/pods`, pod(mounting('known')));
  const ephemeral = { spec: { ephemeralContainers: [{ name: 'e', image: 'x', envFrom: reading[0]!.envFrom }] } };
  const path = `${space}/pods/${made.metadata.name}/ephemeralcontainers`;
  const contentType = 'application/strategic-merge-patch+json';
  const patched = server.transport.request({ method: 'PATCH', path, body: ephemeral, contentType });
  assert.match(await forbiddance(patched), /ephemeral container e with envFrom referencing secret/);
  const mirror = { 'kubernetes.io/config.mirror': 'x' };
  assert.equal(
    await refused(pod({ ...strict, nodeName: 'n' }, mirror)),
    'a mirror pod may not reference service accounts',
  );
  const plain = await post(`${space}/pods`, pod({ nodeName: 'n' }, mirror));
  assert.equal(plain.spec.serviceAccountName, undefined);
});
