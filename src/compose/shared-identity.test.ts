import assert from 'node:assert/strict';
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { systemClock } from '../base/clock.ts';
import { openMemoryStore } from '../store/memory/memory-store.ts';
import { openDataDirectory } from './data-directory.ts';
import { openRoots } from './pki.ts';
import { shareIdentity } from './shared-identity.ts';

test('control planes of one store come to one identity; the cluster key opens it', async (t) => {
  const root = mkdtempSync(join(tmpdir(), 'skypod-identity-'));
  t.after(() => rmSync(root, { recursive: true }));
  const store = openMemoryStore();
  const directory = (name: string) => openDataDirectory(join(root, name), { create: true });
  const share = (name: string, clusterKeyFile?: string) => {
    const data = directory(name);
    const create = async () => void (await openRoots(data, systemClock));
    return shareIdentity({ store, data, clusterKeyFile, create });
  };
  const file = (name: string, path: string) => readFileSync(join(directory(name).pki, path), 'utf8');

  const shared = join(root, 'cluster.key');
  await Promise.all([share('a', shared), share('b', shared), share('c', shared)]);
  for (const path of ['ca.crt', 'ca.key', 'tenant-servers.key', 'front-proxy-ca.key', 'service-account.key']) {
    assert.equal(file('a', path), file('b', path), path);
    assert.equal(file('a', path), file('c', path), path);
  }
  const { items } = await store.range({ start: '/', end: '0' });
  assert.ok(!Buffer.from(items[0]!.value).toString().includes('PRIVATE KEY'));
  assert.equal(Buffer.from(items[0]!.value).includes(file('a', 'ca.key').split('\n')[1]!), false);

  await assert.rejects(share('late'), /the store belongs to control planes with a cluster key: copy theirs/);
  copyFileSync(shared, join(directory('late').pki, 'cluster.key'));
  await share('late');
  assert.equal(file('late', 'ca.crt'), file('a', 'ca.crt'));
  await share('late');

  const wrong = join(root, 'wrong.key');
  writeFileSync(wrong, `${Buffer.alloc(32).toString('base64')}\n`);
  await assert.rejects(share('wrong', wrong), /is not the cluster key of the control planes that use this store/);
  writeFileSync(wrong, 'short');
  await assert.rejects(share('wrong', wrong), /is no cluster key/);

  const other = directory('other');
  await openRoots(other, systemClock);
  writeFileSync(other.kubeconfig, '');
  await assert.rejects(share('other', shared), /has a certificate authority of its own/);
});
