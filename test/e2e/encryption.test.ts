import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { openEtcdStore } from '../../src/store/etcd/etcd-store.ts';
import { type EtcdCluster, etcdMissing, startEtcd } from '../../src/store/etcd/testing/etcd-cluster.ts';
import { openLmdbStore } from '../../src/store/lmdb/lmdb-store.ts';
import type { Store } from '../../src/store/store.ts';
import { eventually } from '../lib/eventually.ts';
import { type Skypod, startSkypod } from '../lib/skypod.ts';

const plainText = 'correct-horse-battery-staple';

function configuration(path: string, ...keys: string[]): void {
  const listed = keys.map((name) => ({ name, secret: Buffer.alloc(32, name).toString('base64') }));
  writeFileSync(
    path,
    JSON.stringify({
      kind: 'EncryptionConfiguration',
      apiVersion: 'apiserver.config.k8s.io/v1',
      resources: [{ resources: ['secrets'], providers: [{ aesgcm: { keys: listed } }, { identity: {} }] }],
    }),
  );
}

/** Files that have the secret in them, as it is, in base64 as Secrets say it, or that base64 once more. */
function filesWithSecret(directory: string): string[] {
  const forms = [plainText, Buffer.from(plainText).toString('base64').replace(/=+$/, '')].map((text) =>
    Buffer.from(text),
  );
  return readdirSync(directory, { recursive: true })
    .map((name) => join(directory, String(name)))
    .filter((path) => statSync(path).isFile())
    .filter((path) => {
      const content = readFileSync(path);
      return forms.some((form) => content.includes(form));
    });
}

/** Names of the keys that Secrets are stored with. */
async function keysInUse(store: Store): Promise<Set<string>> {
  const { items } = await store.range({ start: '/core/secrets/', end: '/core/secrets0' });
  await store.close();
  assert.ok(items.length > 0);
  return new Set(
    items.map(({ value }) => /^k8s:enc:aesgcm:v1:(\w+):/.exec(Buffer.from(value).toString('latin1'))?.[1] ?? ''),
  );
}

async function useSecret(skypod: Skypod): Promise<void> {
  await skypod.kubectl('create', 'secret', 'generic', 'password', `--from-literal=password=${plainText}`);
  const pod = {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'user' },
    spec: {
      containers: [
        {
          name: 'main',
          image: 'example.test/user',
          env: [{ name: 'PASSWORD', valueFrom: { secretKeyRef: { name: 'password', key: 'password' } } }],
          volumeMounts: [{ name: 'password', mountPath: '/password' }],
        },
      ],
      volumes: [{ name: 'password', secret: { secretName: 'password' } }],
    },
  };
  await skypod.kubectl.input(JSON.stringify(pod), 'apply', '-f', '-');
  await eventually('the pod that uses it runs', async () => {
    const { status } = await skypod.kubectl.json('get', 'pod', 'user');
    return status.phase === 'Running';
  });
}

const readSecret = async (skypod: Skypod) =>
  Buffer.from((await skypod.kubectl.json('get', 'secret', 'password')).data.password as string, 'base64').toString();

describe('encryption at rest', () => {
  for (const engine of ['lmdb', 'etcd'] as const) {
    it(`keeps a secret off the disk, and rotates its keys, on ${engine}`, {
      skip: engine === 'etcd' ? etcdMissing : false,
    }, async () => {
      const directory = mkdtempSync(join(tmpdir(), 'skypod-encryption-'));
      const file = join(directory, 'encryption.yaml');
      let etcd: EtcdCluster | undefined;
      let skypod: Skypod | undefined;
      try {
        if (engine === 'etcd') etcd = await startEtcd();
        const args = ['--encryption-provider-config', file];
        if (etcd !== undefined) args.push('--store', `etcd://${etcd.endpoints.join(',')}`);
        const stored = (dataDir: string) => (etcd === undefined ? join(dataDir, 'store') : etcd.directory);
        const openStore = async (dataDir: string) =>
          etcd === undefined ? openLmdbStore(join(dataDir, 'store')) : openEtcdStore(etcd);

        configuration(file, 'first');
        skypod = await startSkypod({ runtime: 'simulated', args });
        const { dataDir, port } = skypod;
        await skypod.kubectl('create', 'configmap', 'known', `--from-literal=a=${plainText}-public`);
        assert.notDeepEqual(filesWithSecret(stored(dataDir)), [], 'what is not encrypted is found');
        await skypod.kubectl('delete', 'configmap', 'known');
        await skypod.stop();
        if (etcd === undefined) {
          // The plain config map is in the file for good: begin again without.
          rmSync(stored(dataDir), { recursive: true });
        } else {
          await etcd.destroy();
          etcd = await startEtcd();
          args.splice(args.indexOf('--store'), 2, '--store', `etcd://${etcd.endpoints.join(',')}`);
          rmSync(join(dataDir, 'pki'), { recursive: true });
        }

        skypod = await startSkypod({ runtime: 'simulated', args, dataDir, port });
        await useSecret(skypod);
        assert.equal(await readSecret(skypod), plainText);
        assert.deepEqual(filesWithSecret(stored(dataDir)), []);
        await skypod.stop();
        assert.deepEqual(filesWithSecret(stored(dataDir)), []);
        assert.deepEqual(await keysInUse(await openStore(dataDir)), new Set(['first']));

        configuration(file, 'second', 'first');
        skypod = await startSkypod({ runtime: 'simulated', args, dataDir, port });
        assert.equal(await readSecret(skypod), plainText);
        const all = await skypod.kubectl('get', 'secrets', '-A', '-o', 'json');
        await skypod.kubectl.input(all, 'replace', '-f', '-');
        const revision = (await skypod.kubectl.json('get', 'secret', 'password')).metadata.resourceVersion;
        await skypod.kubectl.input(await skypod.kubectl('get', 'secrets', '-A', '-o', 'json'), 'replace', '-f', '-');
        const again = (await skypod.kubectl.json('get', 'secret', 'password')).metadata.resourceVersion;
        assert.equal(again, revision, 'what is written with the first key already is left as it is');
        await skypod.stop();
        assert.deepEqual(await keysInUse(await openStore(dataDir)), new Set(['second']));

        configuration(file, 'second');
        skypod = await startSkypod({ runtime: 'simulated', args, dataDir, port });
        assert.equal(await readSecret(skypod), plainText);
        assert.deepEqual(filesWithSecret(stored(dataDir)), []);
      } finally {
        await skypod?.destroy();
        await etcd?.destroy();
        rmSync(directory, { recursive: true });
      }
    });
  }
});
