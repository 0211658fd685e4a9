import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { seriesOf } from '../apiserver/metrics/testing.ts';
import { startTestServer } from '../apiserver/testing/test-server.ts';
import { ManualClock } from '../base/clock.ts';
import { silentLogger } from '../base/log.ts';
import { KmsPlugin } from '../store/encryption/testing/kms-plugin.ts';
import { openMemoryStore } from '../store/memory/memory-store.ts';
import type { Store } from '../store/store.ts';
import { CommandError } from './command-error.ts';
import { EncryptionAtRest, readEncryption } from './encryption-at-rest.ts';

const configuration = (...providers: object[]) =>
  JSON.stringify({
    kind: 'EncryptionConfiguration',
    apiVersion: 'apiserver.config.k8s.io/v1',
    resources: [{ resources: ['secrets', 'pandas.bears.example'], providers }],
  });
const keys = (...names: string[]) => ({
  aescbc: { keys: names.map((name) => ({ name, secret: Buffer.alloc(32, name).toString('base64') })) },
});
const kms = (name: string, { endpoint }: KmsPlugin) => ({ kms: { apiVersion: 'v2', name, endpoint, timeout: '1s' } });
const identity = { identity: {} };

const secretKey = '/core/secrets/red/default/s';
const instanceKey = '/pool.skypod.io/containerinstances/system/red/i';
const writtenWith = async (store: Store, key = secretKey) =>
  /^(k8s:enc:\w+:v\d:\w+:)?/.exec(Buffer.from((await store.get(key))!.value).toString('latin1'))![0];

async function inPlace(
  run: (place: {
    directory: string;
    inner: Store;
    clock: ManualClock;
    write(text: string): void;
    open(reloads?: boolean): Promise<EncryptionAtRest>;
    waits: string[];
  }) => Promise<void>,
): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), 'encryption-'));
  const path = join(directory, 'encryption.yaml');
  const clock = new ManualClock(1_000_000);
  const inner = openMemoryStore();
  const opened: EncryptionAtRest[] = [];
  const waits: string[] = [];
  try {
    await run({
      directory,
      inner,
      clock,
      waits,
      write: (text) => writeFileSync(path, text),
      async open(reloads = true) {
        const one = await EncryptionAtRest.open(inner, {
          settings: readEncryption(path, reloads),
          ownPrefix: '/pool.skypod.io/containerinstances/',
          clock,
          logger: silentLogger,
          onWait: (line) => void waits.push(line),
          stop: new AbortController().signal,
        });
        opened.push(one);
        return one;
      },
    });
  } finally {
    for (const one of opened) one.close();
    rmSync(directory, { recursive: true });
  }
}

const until = async (condition: () => boolean | Promise<boolean>) => {
  while (!(await condition())) await new Promise((resolve) => setTimeout(resolve, 5));
};
const text = ({ metrics }: EncryptionAtRest) => {
  const lines: string[] = [];
  for (const metric of metrics) metric.write(lines);
  return lines.join('\n');
};
const prefix = 'apiserver_encryption_config_controller_';
const reloads = (encryption: EncryptionAtRest, status: string) =>
  seriesOf(text(encryption))(`${prefix}automatic_reloads_total`, { status, apiserver_id_hash: '' }) ?? 0;

describe('encryption at rest of a control plane', { timeout: 60_000 }, () => {
  it('follows its file: writes by the new key, rewrites what nobody replaces, and lets the old one go', async () => {
    await inPlace(async ({ inner, clock, write, open }) => {
      write(configuration(keys('one'), identity));
      const encryption = await open();
      const server = await startTestServer(encryption.store, { tenants: ['red'], clock });
      try {
        const path = '/clusters/red/api/v1/namespaces/default/secrets';
        const ask = (method: 'GET' | 'POST' | 'PUT', at: string, body?: object) =>
          server.transport.request<any>({ method, path: at, ...(body !== undefined && { body }) });
        const created = await ask('POST', path, { metadata: { name: 's' }, stringData: { a: 'b' } });
        await encryption.store.commit({
          compare: [],
          operations: [{ type: 'put', key: instanceKey, value: Buffer.from('{}') }],
        });
        assert.equal(await writtenWith(inner), 'k8s:enc:aescbc:v1:one:');
        const unchanged = await ask('PUT', `${path}/s`, await ask('GET', `${path}/s`));
        assert.equal(unchanged.metadata.resourceVersion, created.metadata.resourceVersion);

        write(configuration(keys('two', 'one')));
        assert.equal(reloads(encryption, 'success'), 0);
        clock.advance(60_000);
        await until(() => reloads(encryption, 'success') === 1);
        await until(async () => (await writtenWith(inner, instanceKey)) === 'k8s:enc:aescbc:v1:two:');
        assert.equal(
          await writtenWith(inner),
          'k8s:enc:aescbc:v1:one:',
          'tenants’ objects are the operator’s to write',
        );
        const replaced = await ask('PUT', `${path}/s`, await ask('GET', `${path}/s`));
        assert.notEqual(replaced.metadata.resourceVersion, created.metadata.resourceVersion);
        assert.equal(await writtenWith(inner), 'k8s:enc:aescbc:v1:two:');
        const again = await ask('PUT', `${path}/s`, await ask('GET', `${path}/s`));
        assert.equal(again.metadata.resourceVersion, replaced.metadata.resourceVersion);

        write(configuration(keys('two')));
        clock.advance(60_000);
        await until(() => reloads(encryption, 'success') === 2);
        assert.equal((await ask('GET', `${path}/s`)).data.a, Buffer.from('b').toString('base64'));
        assert.match(text(encryption), /last_config_info\{apiserver_id_hash="",hash="sha256:[0-9a-f]{64}"\} 1/);
      } finally {
        await server.close();
      }
    });
  });

  it('goes on by what the file said before it was wrong, and says so', async () => {
    await inPlace(async ({ inner, clock, write, open }) => {
      write(configuration(keys('one')));
      const encryption = await open();
      write('nonsense: [');
      clock.advance(60_000);
      await until(() => reloads(encryption, 'failure') === 1);
      await new Promise(setImmediate);
      clock.advance(60_000);
      await until(() => reloads(encryption, 'failure') === 2);
      const value = Buffer.from('{}');
      await encryption.store.commit({ compare: [], operations: [{ type: 'put', key: secretKey, value }] });
      assert.equal(await writtenWith(inner), 'k8s:enc:aescbc:v1:one:');
      assert.equal(reloads(encryption, 'success'), 0);
      assert.deepEqual(
        encryption.checks.map(({ name }) => name),
        ['kms-providers'],
      );
    });
  });

  it('looks at its file once where it is not told to follow it', async () => {
    await inPlace(async ({ clock, write, open }) => {
      write(configuration(keys('one')));
      const encryption = await open(false);
      write('nonsense: [');
      clock.advance(600_000);
      await new Promise(setImmediate);
      assert.equal(reloads(encryption, 'failure'), 0);
      assert.deepEqual(encryption.checks, []);
    });
  });

  it('waits for a plug-in at the start; takes one that a changed file names, when it is well', async () => {
    await inPlace(async ({ directory, inner, clock, write, open, waits }) => {
      const [first, second] = ['first', 'second'].map((name) => new KmsPlugin(join(directory, `${name}.sock`)));
      try {
        write(configuration(kms('first', first!), identity));
        first!.fails = true;
        await first!.start();
        const opening = open();
        await until(() => waits.length === 1);
        assert.match(waits[0]!, /^KMS provider first: UNAVAILABLE: the module is gone: waiting for its plug-in$/);
        first!.fails = false;
        clock.advance(500);
        const encryption = await opening;
        const put = () =>
          encryption.store.commit({
            compare: [],
            operations: [
              { type: 'put', key: secretKey, value: Buffer.from('{}') },
              { type: 'put', key: instanceKey, value: Buffer.from('{}') },
            ],
          });
        await put();
        assert.equal(await writtenWith(inner), 'k8s:enc:kms:v2:first:');
        await encryption.checks[0]!.check();

        write(configuration(kms('second', second!), kms('first', first!)));
        clock.advance(60_000);
        // It is asked again and again, then given up.
        for (let round = 0; reloads(encryption, 'failure') === 0; round++) {
          assert.ok(round < 2_000);
          clock.advance(100);
          await new Promise((resolve) => setTimeout(resolve, 5));
        }
        await put();
        assert.equal(await writtenWith(inner), 'k8s:enc:kms:v2:first:');
        await second!.start();
        for (let round = 0; reloads(encryption, 'success') === 0; round++) {
          assert.ok(round < 2_000);
          clock.advance(1_000);
          await new Promise((resolve) => setTimeout(resolve, 5));
        }
        await until(async () => (await writtenWith(inner, instanceKey)) === 'k8s:enc:kms:v2:second:');
        assert.equal((await encryption.store.get(secretKey))?.stale, true);
        assert.equal((await encryption.store.get(instanceKey))?.stale ?? false, false);

        // A plug-in that changes its own key: no file says so.
        const before = await inner.get(instanceKey);
        second!.keyId = 'key-2';
        clock.advance(60_000);
        await until(async () => (await inner.get(instanceKey))?.modRevision !== before?.modRevision);
        second!.fails = true;
        clock.advance(60_000);
        await until(() => {
          try {
            encryption.checks[0]!.check();
            return false;
          } catch (error) {
            assert.match(
              (error as Error).message,
              /^kms-provider-0: kmsv2 Provider second is not healthy, error: UNAVAIL/,
            );
            return true;
          }
        });
      } finally {
        first!.stop();
        second!.stop();
      }
    });
  });

  it('gives a plug-in up that never answers, in a line', async () => {
    await inPlace(async ({ directory, clock, write, open, waits }) => {
      write(configuration({ kms: { apiVersion: 'v2', name: 'gone', endpoint: `unix://${directory}/gone.sock` } }));
      const opening = open().then(
        () => undefined,
        (error: unknown) => error,
      );
      let ended: unknown;
      void opening.then((error) => (ended = error));
      await until(() => waits.length === 1);
      while (ended === undefined) {
        clock.advance(10_000);
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
      assert.ok(ended instanceof CommandError);
      assert.match(
        ended.message,
        /^KMS provider gone: .*: start its plug-in, or correct --encryption-provider-config$/,
      );
    });
  });
});
