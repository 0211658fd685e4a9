import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, beforeEach, describe, it } from 'node:test';
import { ManualClock } from '../../../base/clock.ts';
import { openMemoryStore } from '../../memory/memory-store.ts';
import { type Store, type StoreEvent, UnavailableError } from '../../store.ts';
import { type EncryptionRules, parseEncryptionConfiguration } from '../configuration.ts';
import { encryptedStore } from '../encrypted-store.ts';
import { KmsPlugin } from '../testing/kms-plugin.ts';
import { decodeEncryptedObject } from './encrypted-object.ts';

describe('encryption by a KMS plug-in', { timeout: 60_000 }, () => {
  let directory: string;
  let plugin: KmsPlugin;
  let clock: ManualClock;
  let started: EncryptionRules[];
  const key = '/core/secrets/a/default/s';
  const put = (store: Store, value: string, at = key) =>
    store.commit({ compare: [], operations: [{ type: 'put', key: at, value: Buffer.from(value) }] });
  const read = async (store: Store, at = key) => {
    const item = await store.get(at);
    return item && [Buffer.from(item.value).toString(), item.stale ?? false];
  };

  before(async () => {
    directory = mkdtempSync(join(tmpdir(), 'kms-'));
    plugin = new KmsPlugin(join(directory, 'kms.sock'));
    await plugin.start();
  });
  beforeEach(() => {
    clock = new ManualClock(1_000_000);
    started ??= [];
    Object.assign(plugin, { keyId: 'key-1', healthz: 'ok', version: 'v2', fails: false });
    plugin.calls.length = 0;
  });
  after(() => {
    for (const { services } of started) for (const service of services) service.close();
    plugin.stop();
    rmSync(directory, { recursive: true });
  });

  const rulesOf = async (): Promise<EncryptionRules> => {
    const rules = parseEncryptionConfiguration(
      JSON.stringify({
        kind: 'EncryptionConfiguration',
        apiVersion: 'apiserver.config.k8s.io/v1',
        resources: [
          {
            resources: ['secrets'],
            providers: [{ kms: { apiVersion: 'v2', name: 'vault', endpoint: plugin.endpoint } }, { identity: {} }],
          },
        ],
      }),
      clock,
    );
    started.push(rules);
    for (const service of rules.services) await service.start();
    return rules;
  };

  it('writes the form of kube-apiserver, and asks the plug-in for one key', async () => {
    const inner = openMemoryStore();
    const store = encryptedStore(inner, await rulesOf());
    await put(store, 'one');
    await put(store, 'two', '/core/secrets/a/default/t');
    assert.deepEqual(plugin.calls, ['Status', 'Encrypt']);
    const stored = Buffer.from((await inner.get(key))!.value);
    const prefix = 'k8s:enc:kms:v2:vault:';
    assert.equal(stored.subarray(0, prefix.length).toString(), prefix);
    const object = decodeEncryptedObject(stored.subarray(prefix.length));
    assert.deepEqual([object.keyId, object.isSeed, object.data.length], ['key-1', true, 32 + 12 + 3 + 16]);
    assert.deepEqual(await read(encryptedStore(inner, await rulesOf())), ['one', false]);
    const elsewhere = '/core/secrets/b/default/s';
    await inner.commit({ compare: [], operations: [{ type: 'put', key: elsewhere, value: stored }] });
    await assert.rejects(store.get(elsewhere), /unable to transform key/, 'a value is bound to its key');
  });

  it('reads after a restart, asking once for each seed', async () => {
    const inner = openMemoryStore();
    const first = encryptedStore(inner, await rulesOf());
    for (let index = 0; index < 20; index++) await put(first, `value ${index}`, `/core/secrets/a/default/${index}`);
    const second = encryptedStore(inner, await rulesOf());
    plugin.calls.length = 0;
    const { items } = await second.range({ start: '/core/secrets/', end: '/core/secrets0' });
    assert.equal(items.length, 20);
    assert.ok(items.every(({ value }) => Buffer.from(value).toString().startsWith('value ')));
    assert.deepEqual(plugin.calls, ['Decrypt']);
  });

  it('takes a new seed when the plug-in changes its key, and tells what is stale', async () => {
    const inner = openMemoryStore();
    const rules = await rulesOf();
    const store = encryptedStore(inner, rules);
    await put(store, 'old');
    plugin.keyId = 'key-2';
    await rules.services[0]!.poll();
    const again = encryptedStore(inner, rules);
    assert.deepEqual(await read(again), ['old', true]);
    await put(again, 'new');
    assert.deepEqual(await read(encryptedStore(inner, rules)), ['new', false]);
    assert.equal(plugin.calls.filter((call) => call === 'Encrypt').length, 2);
    assert.equal(await again.isStale?.(key), false);
    let told = 0;
    rules.services[0]!.onNewKey = () => told++;
    await rules.services[0]!.poll();
    assert.equal(told, 0);
    plugin.keyId = 'key-3';
    await rules.services[0]!.poll();
    assert.equal(told, 1);
    assert.equal(await again.isStale?.(key), true, 'of what was written here before, too');
    assert.equal(again.isStale?.('/core/configmaps/a/default/c'), false);
  });

  it('goes on for three minutes without the plug-in, then writes no more, and reads what it knows', async () => {
    const rules = await rulesOf();
    const inner = openMemoryStore();
    const store = encryptedStore(inner, rules);
    await put(store, 'one');
    plugin.fails = true;
    await rules.services[0]!.poll();
    assert.throws(() => rules.services[0]!.check(), /kmsv2 Provider vault is not healthy, error: .*the module is gone/);
    await put(store, 'two');
    clock.advance(3 * 60_000 + 1);
    await assert.rejects(put(store, 'three'), UnavailableError);
    assert.deepEqual(await read(encryptedStore(inner, rules)), ['two', false]);
    const fresh = parseEncryptionConfiguration(
      JSON.stringify({
        kind: 'EncryptionConfiguration',
        apiVersion: 'apiserver.config.k8s.io/v1',
        resources: [
          { resources: ['secrets'], providers: [{ kms: { apiVersion: 'v2', name: 'v', endpoint: plugin.endpoint } }] },
        ],
      }),
      clock,
    );
    started.push(fresh);
    await assert.rejects(fresh.services[0]!.start(), /KMS provider v: UNAVAILABLE: the module is gone/);
    plugin.fails = false;
    await rules.services[0]!.poll();
    rules.services[0]!.check();
    await put(store, 'three');
  });

  it('is asked whether it is well', async () => {
    const rules = await rulesOf();
    const [service] = rules.services;
    for (const [change, why] of [
      [{ healthz: 'sealed' }, /got unexpected healthz status: sealed/],
      [{ version: 'v1' }, /expected KMSv2 API version v2, got v1/],
      [{ keyId: '' }, /KeyID: it is empty/],
      [{ keyId: 'x'.repeat(2000) }, /KeyID: it is too long/],
    ] as const) {
      Object.assign(plugin, { keyId: 'key-1', healthz: 'ok', version: 'v2' }, change);
      await service!.poll();
      assert.throws(() => service!.check(), why);
    }
  });

  it('keeps the order of events whose seeds have to be asked for', async () => {
    const inner = openMemoryStore();
    const [one, two] = [encryptedStore(inner, await rulesOf()), encryptedStore(inner, await rulesOf())];
    const seen: string[] = [];
    let finish = () => {};
    const all = new Promise<void>((done) => (finish = done));
    const watch = two.watch({
      start: '/',
      end: '0',
      afterRevision: await two.currentRevision(),
      onEvents(events: StoreEvent[]) {
        for (const event of events) seen.push(event.type === 'put' ? Buffer.from(event.value).toString() : 'deleted');
        if (seen.length === 4) finish();
      },
      onError: (error) => seen.push(error.message),
    });
    await put(one, 'one');
    await put(one, 'plain', '/core/configmaps/a/default/c');
    await put(two, 'two');
    await one.commit({ compare: [], operations: [{ type: 'delete', key }] });
    await all;
    watch.close();
    assert.deepEqual(seen, ['one', 'plain', 'two', 'deleted']);
  });

  it('is configured as upstream', () => {
    const problems = (...providers: object[]) => {
      try {
        parseEncryptionConfiguration(
          JSON.stringify({
            kind: 'EncryptionConfiguration',
            apiVersion: 'apiserver.config.k8s.io/v1',
            resources: [{ resources: ['secrets'], providers }],
          }),
          clock,
        );
        return '';
      } catch (error) {
        return (error as Error).message;
      }
    };
    const kms = (more: object) => ({ kms: { apiVersion: 'v2', name: 'a', endpoint: 'unix:///x', ...more } });
    const at = 'resources[0].providers[0].kms';
    assert.equal(
      problems(kms({ name: 'a:b' })),
      `${at}.name: Invalid value: "a:b": invalid KMS provider name a:b, must not contain ':'`,
    );
    assert.match(problems(kms({}), kms({})), /duplicate KMS provider name a, names must be unique/);
    assert.match(problems(kms({ timeout: '0s' })), /timeout should be a positive value/);
    assert.match(problems(kms({ endpoint: '' })), /endpoint is a mandatory field for a kms/);
    assert.match(
      problems(kms({ endpoint: 'tcp://x' })),
      /unsupported scheme "tcp" for KMS provider, only unix is supported/,
    );
    assert.match(problems(kms({ cachesize: 5 })), /cachesize is not supported in v2/);
    assert.match(problems(kms({ apiVersion: 'v1' })), /KMSv1 is deprecated/);
    assert.match(problems(kms({ apiVersion: 'v3' })), /only v1 and v2 are supported/);
  });
});
