import assert from 'node:assert/strict';
import { test } from 'node:test';
import { referencesOf } from './references.ts';

const from = (name: string) => ({ name });

test('a pod names what it needs in variables, volumes and pull secrets, of all its containers', () => {
  const found = referencesOf({
    containers: [
      {
        name: 'main',
        envFrom: [{ configMapRef: from('all') }, { secretRef: from('keys') }],
        env: [
          { name: 'A', valueFrom: { configMapKeyRef: { name: 'one', key: 'a' } } },
          { name: 'B', valueFrom: { secretKeyRef: { name: 'two', key: 'b' } } },
          { name: 'C', value: 'plain' },
        ],
      },
    ],
    initContainers: [{ name: 'first', envFrom: [{ configMapRef: from('early') }] }],
    ephemeralContainers: [{ name: 'debug', envFrom: [{ secretRef: from('late') }] }],
    volumes: [
      { name: 'a', configMap: from('files') },
      { name: 'b', secret: { secretName: 'certificates' } },
      {
        name: 'c',
        projected: {
          sources: [
            { configMap: from('some') },
            { secret: from('others') },
            { serviceAccountToken: { path: 'token', audience: 'vault', expirationSeconds: 600 } },
            { serviceAccountToken: { path: 'own' } },
          ],
        },
      },
      { name: 'd', emptyDir: {} },
    ],
    imagePullSecrets: [from('registry')],
  });
  assert.deepEqual([...found.configMaps].toSorted(), ['all', 'early', 'files', 'one', 'some']);
  assert.deepEqual([...found.secrets].toSorted(), ['certificates', 'keys', 'late', 'others', 'registry', 'two']);
  assert.deepEqual(
    [...found.tokens.values()],
    [
      { audience: 'vault', expirationSeconds: 600 },
      { audience: '', expirationSeconds: 3600 },
    ],
  );
});

test('what a pod leaves out names nothing', () => {
  const { configMaps, secrets, tokens } = referencesOf({ containers: [{ name: 'main' }] });
  assert.deepEqual([configMaps.size, secrets.size, tokens.size], [0, 0, 0]);
});
