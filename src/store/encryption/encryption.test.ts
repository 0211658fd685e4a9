import assert from 'node:assert/strict';
import { createDecipheriv } from 'node:crypto';
import { describe, it } from 'node:test';
import { storeContract } from '../contract/store-contract.ts';
import { openMemoryStore } from '../memory/memory-store.ts';
import type { Store, StoreEvent } from '../store.ts';
import { parseEncryptionConfiguration } from './configuration.ts';
import { encryptedStore } from './encrypted-store.ts';
import { reseal } from './reseal.ts';

const secret = (byte: number, length = 32) => Buffer.alloc(length, byte).toString('base64');
const configuration = (...lists: [string[], object[]][]) =>
  JSON.stringify({
    kind: 'EncryptionConfiguration',
    apiVersion: 'apiserver.config.k8s.io/v1',
    resources: lists.map(([resources, providers]) => ({ resources, providers })),
  });
const gcm = (...keys: [string, number][]) => ({
  aesgcm: { keys: keys.map(([name, byte]) => ({ name, secret: secret(byte) })) },
});
const cbc = (name: string, byte: number) => ({ aescbc: { keys: [{ name, secret: secret(byte) }] } });
const plain = { identity: {} };
const over = (inner: Store, ...lists: [string[], object[]][]) =>
  encryptedStore(inner, parseEncryptionConfiguration(configuration(...lists)));

storeContract('encrypted, on memory', async () => over(openMemoryStore(), [['*.*'], [gcm(['one', 1])]]));

const key = '/core/secrets/a/default/s';
const put = (store: Store, at: string, value: string) =>
  store.commit({ compare: [], operations: [{ type: 'put', key: at, value: Buffer.from(value) }] });
const read = async (store: Store, at = key) => {
  const item = await store.get(at);
  return item === undefined ? undefined : [Buffer.from(item.value).toString(), item.stale ?? false];
};
const raw = async (store: Store, at = key) => Buffer.from((await store.get(at))!.value);

describe('encryption at rest', () => {
  it('writes the form of kube-apiserver, bound to the key', async () => {
    const inner = openMemoryStore();
    const store = over(inner, [['secrets'], [gcm(['one', 1]), plain]]);
    await put(store, key, '{"kind":"Secret"}');
    const stored = await raw(inner);
    const prefix = 'k8s:enc:aesgcm:v1:one:';
    assert.equal(stored.subarray(0, prefix.length).toString(), prefix);
    const sealed = stored.subarray(prefix.length);
    const decipher = createDecipheriv('aes-256-gcm', Buffer.alloc(32, 1), sealed.subarray(0, 12));
    decipher.setAAD(Buffer.from(key)).setAuthTag(sealed.subarray(-16));
    assert.equal(`${decipher.update(sealed.subarray(12, -16))}${decipher.final()}`, '{"kind":"Secret"}');

    await put(inner, '/core/secrets/a/default/moved', '');
    await inner.commit({
      compare: [],
      operations: [{ type: 'put', key: '/core/secrets/b/default/s', value: stored }],
    });
    await assert.rejects(store.get('/core/secrets/b/default/s'), /unable to transform key "\/core\/secrets\/b/);
    const changed = Buffer.from(stored);
    changed[changed.length - 20]! ^= 1;
    await inner.commit({ compare: [], operations: [{ type: 'put', key, value: changed }] });
    await assert.rejects(store.get(key), /unable to transform key/);
  });

  it('rotates: the first key writes, the others read, and say that what they read is stale', async () => {
    const inner = openMemoryStore();
    await put(over(inner, [['secrets'], [plain]]), key, 'zero');
    const first = over(inner, [['secrets'], [gcm(['one', 1]), plain]]);
    assert.deepEqual(await read(first), ['zero', true]);
    await put(first, key, 'one');
    assert.deepEqual(await read(first), ['one', false]);
    const second = over(inner, [['secrets'], [gcm(['two', 2], ['one', 1])]]);
    assert.deepEqual(await read(second), ['one', true]);
    assert.deepEqual(
      (await second.range({ start: '/core/', end: '/core0' })).items.map((item) => item.stale),
      [true],
    );
    await put(second, key, 'two');
    assert.match((await raw(inner)).toString('latin1'), /^k8s:enc:aesgcm:v1:two:/);
    await assert.rejects(read(first), /identity transformer tried to read encrypted data/);
    const third = over(inner, [['secrets'], [cbc('three', 3), gcm(['two', 2])]]);
    assert.deepEqual(await read(third), ['two', true]);
    await put(third, key, 'three');
    assert.match((await raw(inner)).toString('latin1'), /^k8s:enc:aescbc:v1:three:/);
    assert.deepEqual(await read(third), ['three', false]);
    // Two keys of one name.
    const renamed = over(inner, [['secrets'], [cbc('three', 9), cbc('three', 3)]]);
    assert.deepEqual(await read(renamed), ['three', true]);
    const back = over(inner, [['secrets'], [plain, cbc('three', 3)]]);
    assert.deepEqual(await read(back), ['three', true]);
    await put(back, key, 'four');
    assert.equal((await raw(inner)).toString(), 'four');
  });

  it('takes other keys while it is open: what was sealed before is stale, and watches go on', async () => {
    const inner = openMemoryStore();
    const rules = (...lists: [string[], object[]][]) => parseEncryptionConfiguration(configuration(...lists));
    const store = over(inner, [['secrets'], [gcm(['one', 1])]]);
    const events: StoreEvent[] = [];
    const watch = store.watch({
      start: '/',
      end: '0',
      afterRevision: 1,
      onEvents: (some) => void events.push(...some),
      onError: assert.ifError,
    });
    await put(store, key, 'value');
    assert.deepEqual(await read(store), ['value', false]);
    assert.equal(await store.isStale?.(key), false);
    store.use(rules([['secrets'], [gcm(['two', 2], ['one', 1])]]));
    assert.deepEqual(await read(store), ['value', true]);
    assert.equal(await store.isStale?.(key), true);
    await put(store, key, 'value');
    assert.match((await raw(inner)).toString('latin1'), /^k8s:enc:aesgcm:v1:two:/);
    assert.equal(await store.isStale?.(key), false);
    store.use(rules([['secrets'], [gcm(['two', 2])]]));
    assert.deepEqual(await read(store), ['value', false]);
    store.use(rules([['configmaps'], [gcm(['two', 2])]]));
    assert.equal(store.isStale?.(key), false);
    while (events.length < 2) await new Promise(setImmediate);
    watch.close();
    assert.deepEqual(
      events.map((event) => event.type === 'put' && Buffer.from(event.value).toString()),
      ['value', 'value'],
    );
  });

  it('writes again what old keys sealed, so that they may go', async () => {
    const inner = openMemoryStore();
    const keys = Array.from({ length: 450 }, (_, index) => `/core/secrets/a/default/s${index}`);
    const first = over(inner, [['secrets'], [gcm(['one', 1])]]);
    for (const at of keys) await put(first, at, `value of ${at}`);
    const both = over(inner, [['secrets'], [gcm(['two', 2], ['one', 1])]]);
    await put(both, keys[7]!, 'newer');
    assert.equal(await reseal(both, '/core/secrets/'), keys.length - 1);
    assert.equal(await reseal(both, '/core/secrets/'), 0);
    const second = over(inner, [['secrets'], [gcm(['two', 2])]]);
    assert.deepEqual(await read(second, keys[449]), [`value of ${keys[449]}`, false]);
    assert.deepEqual(await read(second, keys[7]), ['newer', false]);
  });

  it('gives watchers what was written, stale or not, and a lost comparison what is there', async () => {
    const inner = openMemoryStore();
    await put(over(inner, [['secrets'], [gcm(['one', 1])]]), key, 'old');
    const store = over(inner, [['secrets'], [gcm(['two', 2], ['one', 1])]]);
    const events: StoreEvent[] = [];
    const seen = Promise.withResolvers<void>();
    const watch = store.watch({
      start: '/core/secrets/',
      end: '/core/secrets0',
      afterRevision: 1,
      onEvents(some) {
        events.push(...some);
        if (events.length === 2) seen.resolve();
      },
      onError: seen.reject,
    });
    const value = Buffer.from('new');
    await store.commit({ compare: [], operations: [{ type: 'put', key, value }] });
    await seen.promise;
    watch.close();
    const told = events.map((event) => event.type === 'put' && [Buffer.from(event.value).toString(), event.stale]);
    assert.deepEqual(told, [
      ['old', true],
      ['new', undefined],
    ]);
    assert.equal(events[1]!.type === 'put' && events[1]!.value, value, 'the very buffer');
    const lost = await store.commit({ compare: [{ key, modRevision: 1 }], operations: [] });
    assert.equal(!lost.committed && Buffer.from(lost.current[0]!.value).toString(), 'new');
  });

  it('covers the resources that are named, and the copies that instances have of secrets', async () => {
    const inner = openMemoryStore();
    const store = over(
      inner,
      [['secrets', 'pandas.bears.example'], [gcm(['one', 1])]],
      [['*.apps'], [gcm(['two', 2])]],
    );
    const places = {
      '/core/secrets/a/n/x': 'one',
      '/core/configmaps/a/n/x': undefined,
      '/bears.example/pandas/a/x': 'one',
      '/bears.example/others/a/x': undefined,
      '/apps/deployments/a/n/x': 'two',
      '/pool.skypod.io/containerinstances/system/a/x': 'one',
    };
    for (const [place, name] of Object.entries(places)) {
      await put(store, place, 'value');
      const stored = (await raw(inner, place)).toString('latin1');
      assert.equal(stored.startsWith(`k8s:enc:aesgcm:v1:${name}:`), name !== undefined, place);
      assert.equal(stored === 'value', name === undefined, place);
      assert.deepEqual(await read(store, place), ['value', false]);
    }
    const all = over(openMemoryStore(), [['events'], [plain]], [['*.*'], [gcm(['one', 1])]]);
    await put(all, '/core/events/a/n/x', 'value');
  });

  it('names what is wrong with a configuration', () => {
    const wrong = (lists: [string[], object[]][], problem: RegExp) =>
      assert.throws(() => parseEncryptionConfiguration(configuration(...lists)), problem);
    assert.throws(() => parseEncryptionConfiguration('kind: Pod'), /no EncryptionConfiguration/);
    wrong([], /resources: Required value/);
    wrong([[['secrets'], []]], /resources\[0\]\.providers: Required value/);
    wrong([[['secrets'], [{}]]], /does not contain any of the expected providers/);
    wrong([[['secrets'], [{ ...plain, ...gcm(['one', 1]) }]]], /more than one provider specified/);
    wrong(
      [[['secrets'], [{ aesgcm: { keys: [{ name: 'a', secret: 'AAAA' }] } }]]],
      /got 3, expected one of \[16 24 32\]/,
    );
    wrong([[['secrets'], [{ aesgcm: { keys: [{ name: 'a', secret: '!' }] } }]]], /must be base64 encoded/);
    wrong([[['secrets'], [{ aesgcm: { keys: [{ secret: secret(1) }] } }]]], /keys\[0\]\.name: Required value/);
    wrong([[['Secrets'], [plain]]], /should not contain capital letters/);
    wrong([[['*'], [plain]]], /use '\*\.' to encrypt all/);
    wrong([[['secrets', 'secrets'], [plain]]], /cannot be specified multiple times/);
    wrong([[['secrets', '*.'], [plain]]], /overlapping resources/);
    wrong(
      [
        [['*.*'], [plain]],
        [['secrets'], [plain]],
      ],
      /"secrets" is masked by earlier rule "\*\.\*"/,
    );
    wrong([[['secrets'], [{ kms: {} }]]], /kms\.name: Required value: name is a mandatory field for a provider; /);
    wrong(
      [[['secrets'], [{ ...gcm(['one', 1]), identify: {} }]]],
      /unknown field "resources\[0\].providers\[0\].identify"/,
    );
    wrong(
      [[['secrets'], [{ aesgcm: { keys: [{ name: 'a', secret: secret(1), id: 1 }] } }]]],
      /unknown field .*\[0\].id"/,
    );
    const broken = `${secret(1).slice(0, 20)}\n${secret(1).slice(20)}\n`;
    parseEncryptionConfiguration(configuration([['secrets'], [{ aesgcm: { keys: [{ name: 'a', secret: broken }] } }]]));
    const short = { keys: [{ name: 'a', secret: Buffer.alloc(16).toString('base64') }] };
    wrong([[['secrets'], [{ secretbox: short }]]], /got 16, expected one of \[32\]/);
    parseEncryptionConfiguration(configuration([['*.apps', 'secrets'], [plain]]));
  });
});
