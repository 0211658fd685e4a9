import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, it } from 'node:test';
import { CertificateAuthority, type PemPair } from '../apiserver/identity/certificate-authority.ts';
import { ManualClock, systemClock } from '../base/clock.ts';
import { silentLogger } from '../base/log.ts';
import { until } from '../base/testing/until.ts';
import { etcdMissing, startEtcd } from '../store/etcd/testing/etcd-cluster.ts';
import type { Store } from '../store/store.ts';
import { CommandError } from './command-error.ts';
import { type ControlPlaneFlags, parseControlPlaneFlags } from './control-plane-settings.ts';
import { openSharedStore, type SharedStoreOptions } from './shared-store.ts';

const never = new AbortController().signal;
const noPatienceMs = 1;
const opened: Store[] = [];

/** Closed after the test, whatever becomes of it: what is left open would keep the process. */
async function openAs(options: SharedStoreOptions): Promise<Store> {
  const store = await openSharedStore(options);
  opened.push(store);
  return store;
}

function open(flags: Partial<ControlPlaneFlags>, onWait: (line: string) => void, patienceMs?: number): Promise<Store> {
  const election = { leaderElectLeaseDuration: '15s', leaderElectRenewDeadline: '10s', leaderElectRetryPeriod: '2s' };
  const { etcd } = parseControlPlaneFlags({ store: 'lmdb', ...election, ...flags });
  return openAs({
    etcd: etcd!,
    clock: systemClock,
    logger: silentLogger,
    onWait,
    stop: never,
    ...(patienceMs !== undefined && { patienceMs }),
  });
}

const oneLine = (pattern: RegExp) => (error: Error) =>
  error instanceof CommandError && !error.message.includes('\n') && pattern.test(error.message);

describe('the store that control planes share', { timeout: 120_000 }, () => {
  afterEach(() => Promise.all(opened.splice(0).map((store) => store.close())));

  it('is waited for, and its absence told in a line', async () => {
    const said: string[] = [];
    // Nobody listens there.
    await assert.rejects(
      open({ store: 'etcd://127.0.0.1:1,127.0.0.1:2' }, (line) => said.push(line), 10_000),
      oneLine(/^etcd at 127\.0\.0\.1:1, 127\.0\.0\.1:2 does not answer \(.*\): start it, or correct --store/),
    );
    assert.equal(said.length, 1);
    assert.match(said[0]!, /^etcd at .* does not answer \(.+\): waiting for it$/);
    await assert.rejects(
      open({ store: 'etcd://nowhere.invalid:2379' }, () => {}, noPatienceMs),
      oneLine(/^etcd at nowhere\.invalid:2379 does not answer \(.+\)/),
    );
  });

  it('is used as soon as it is there', { skip: etcdMissing }, async () => {
    const etcd = await startEtcd({ stopped: true });
    try {
      const store = await open({ store: `etcd://${etcd.endpoints}` }, () => etcd.start(0));
      assert.ok((await store.currentRevision()) >= 1);
    } finally {
      await etcd.destroy();
    }
  });

  it('says when nothing was heard of it for long, and when it is heard again', { skip: etcdMissing }, async () => {
    const etcd = await startEtcd();
    const clock = new ManualClock();
    const said: unknown[] = [];
    const logger = { ...silentLogger, error: (_: object, message: string) => void said.push(message) };
    try {
      const store = await openAs({
        etcd: { endpoints: etcd.endpoints },
        clock,
        logger,
        onWait() {},
        onSilence: (isSilent) => said.push(isSilent),
        stop: never,
      });
      const pauseUntilAway = async () => {
        await etcd.pause(0);
        await assert.rejects(store.currentRevision());
        await until(() => said.length === 1);
      };
      const away = 'etcd does not answer: requests are refused until it does';
      await pauseUntilAway();
      clock.advance(6_999);
      assert.deepEqual(said, [away]);
      clock.advance(1);
      assert.deepEqual(said, [away, 'etcd is silent: watches end, and clients are asked to connect to others', true]);
      etcd.resume(0);
      await until(() => (said as unknown[]).at(-1) === false);

      said.length = 0;
      await pauseUntilAway();
      etcd.resume(0);
      await until(() =>
        store.currentRevision().then(
          () => true,
          () => false,
        ),
      );
      clock.advance(60_000);
      assert.deepEqual(said, [away], 'it was back in time');
    } finally {
      await etcd.destroy();
    }
  });

  it('is reached by TLS with a client certificate, at whichever member is there', { skip: etcdMissing }, async () => {
    const directory = mkdtempSync(join(tmpdir(), 'shared-store-'));
    const authority = await CertificateAuthority.create('etcd');
    const file = (name: string, pem: string) => {
      writeFileSync(join(directory, name), pem);
      return join(directory, name);
    };
    const files = (name: string, { certificatePem, keyPem }: PemPair): [string, string] => [
      file(`${name}.crt`, certificatePem),
      file(`${name}.key`, keyPem),
    ];
    const caFile = file('ca.crt', authority.certificatePem);
    const [certFile, keyFile] = files('server', await authority.issueServing(['127.0.0.1', 'localhost']));
    const etcd = await startEtcd({ members: 3, tls: { certFile, keyFile, caFile } });
    try {
      const store = `etcd://${etcd.endpoints}`;
      const [etcdCertfile, etcdKeyfile] = files('client', await authority.issuePlatformClient('skypod'));
      const flags = { store, etcdCafile: caFile, etcdCertfile, etcdKeyfile };
      const shared = await open(flags, () => {});
      for (const member of [0, 1]) {
        await etcd.kill(member);
        const key = `/p/${member}`;
        const operations = [{ type: 'put' as const, key, value: Buffer.from('x') }];
        assert.equal((await shared.commit({ compare: [], operations })).committed, true);
        etcd.start(member);
        const back = await open({ ...flags, store: `etcd://${etcd.endpoints[member]}` }, () => {});
        assert.ok((await back.get(key)) !== undefined);
      }

      const stranger = await CertificateAuthority.create('stranger');
      const [strangerCert, strangerKey] = files('stranger', await stranger.issuePlatformClient('skypod'));
      const refused: [Partial<ControlPlaneFlags>, RegExp][] = [
        [{ store, etcdCafile: caFile }, /does not answer \(.*\): start it, or correct --store and --etcd-\*$/],
        [{ ...flags, etcdCertfile: strangerCert, etcdKeyfile: strangerKey }, /does not answer \(/],
        [{ ...flags, etcdCafile: strangerCert }, /does not answer \(/],
        [{ store }, /does not answer \(/],
      ];
      const attempts = refused.map(([wrong, why]) =>
        assert.rejects(
          open(wrong, () => {}, noPatienceMs),
          oneLine(why),
        ),
      );
      await Promise.all(attempts);
    } finally {
      await etcd.destroy();
      rmSync(directory, { recursive: true });
    }
  });
});
