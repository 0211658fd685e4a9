import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { CertificateAuthority, type PemPair } from '../apiserver/identity/certificate-authority.ts';
import { type Clock, ManualClock } from '../base/clock.ts';
import { until } from '../base/testing/until.ts';
import { type EtcdStore, openEtcdStore } from '../store/etcd/etcd-store.ts';
import { type EtcdCluster, etcdMissing, startEtcd } from '../store/etcd/testing/etcd-cluster.ts';
import { type FaultyProxy, startProxy } from '../store/etcd/testing/proxy.ts';
import type { Watch } from '../store/store.ts';
import { followEtcdTls, readEtcdTls } from './etcd-tls.ts';

const lookMs = 10_000;
const patienceMs = 60_000;

describe('certificates for etcd that change', { skip: etcdMissing, timeout: 240_000 }, () => {
  const directory = mkdtempSync(join(tmpdir(), 'etcd-tls-'));
  const path = (name: string) => join(directory, name);
  const files = { ca: path('ca.crt'), cert: path('client.crt'), key: path('client.key') };
  const served = { certFile: path('server.crt'), keyFile: path('server.key'), caFile: path('clients-ca.crt') };
  const time = new ManualClock();
  let looks = 0;
  const clock: Clock = {
    now: () => time.now(),
    schedule(delayMs, callback) {
      looks++;
      return time.schedule(delayMs, callback);
    },
  };
  const said: string[] = [];
  const logger = {
    info: (_: object, message: string) => void said.push(message),
    error: (_: object, message: string) => void said.push(message),
  } as never;
  let etcd: EtcdCluster;
  let proxies: FaultyProxy[];
  let store: EtcdStore;
  let first: CertificateAuthority;
  let second: CertificateAuthority;
  let watch: Watch;
  let stopFollowing: () => void;
  let written = 0;
  const seen: string[] = [];

  const writePair = ({ certificatePem, keyPem }: PemPair, to: { cert: string; key: string }) => {
    writeFileSync(to.cert, certificatePem);
    writeFileSync(to.key, keyPem);
  };
  const serve = async (authority: CertificateAuthority, clients: CertificateAuthority[]) => {
    writePair(await authority.issueServing(['127.0.0.1', 'localhost']), { cert: served.certFile, key: served.keyFile });
    writeFileSync(served.caFile, clients.map(({ certificatePem }) => certificatePem).join('\n'));
  };
  const write = async () => {
    const value = Buffer.from(`${++written}`);
    const result = await store.commit({ compare: [], operations: [{ type: 'put', key: '/p/k', value }] });
    assert.equal(result.committed, true);
    await until(() => seen.length === written, patienceMs);
  };
  /** What the next look at the files says; undefined: nothing, though it was looked. */
  const look = async (expected: string | undefined) => {
    const before = said.length;
    await lookOnce();
    assert.deepEqual(said.slice(before), expected === undefined ? [] : [expected]);
    await write();
  };
  const lookOnce = async () => {
    const before = looks;
    time.advance(lookMs);
    await until(() => looks > before, patienceMs);
  };
  /** Until the members take the changed files. */
  const taken = async () => {
    await until(async () => {
      await lookOnce();
      return said.at(-1) === changed;
    }, patienceMs);
  };
  const restartMembers = async () => {
    for (const member of [0, 1, 2]) {
      await etcd.kill(member);
      etcd.start(member);
      await until(
        () =>
          openEtcdStore({ endpoints: [etcd.endpoints[member]!], tls: readEtcdTls(files) }).then(
            async (lone) => {
              await lone.close();
              return true;
            },
            () => false,
          ),
        patienceMs,
      );
      await write();
    }
  };
  const changed = 'certificates for etcd have changed, and are used from now on';
  const wrong = 'certificates for etcd are wrong: what they were before holds';
  const refused = 'members of etcd do not take the changed certificates yet';

  before(async () => {
    first = await CertificateAuthority.create('first');
    second = await CertificateAuthority.create('second');
    await serve(first, [first]);
    writeFileSync(files.ca, first.certificatePem);
    writePair(await first.issuePlatformClient('one'), files);
    etcd = await startEtcd({ members: 3, tls: served });
    proxies = await Promise.all(etcd.endpoints.map(startProxy));
    const tls = readEtcdTls(files);
    const endpoints = proxies.map(({ endpoint }) => endpoint);
    store = await openEtcdStore({ endpoints, tls, callTimeoutMs: patienceMs });
    stopFollowing = followEtcdTls(store, files, { clock, logger, first: tls });
    watch = store.watch({
      start: '/p/',
      end: '/p0',
      afterRevision: await store.currentRevision(),
      onEvents: (events) => {
        for (const event of events) if (event.type === 'put') seen.push(Buffer.from(event.value).toString());
      },
      onError: assert.fail,
    });
    await write();
  });
  after(async () => {
    stopFollowing?.();
    watch?.close();
    await store?.close();
    for (const proxy of proxies ?? []) await proxy.close();
    await etcd?.destroy();
    rmSync(directory, { recursive: true });
  });

  it('are used for new connections, while the watch stays on its own', async () => {
    await look(undefined);
    const open = () => proxies.reduce((sum, proxy) => sum + proxy.connections().open, 0);
    const before = open();
    const taken = proxies.map((proxy) => proxy.connections().taken);
    writePair(await first.issuePlatformClient('two'), files);
    await look(changed);
    assert.ok(
      proxies.every((proxy, index) => proxy.connections().taken > taken[index]!),
      'each member is spoken to anew',
    );
    assert.ok(open() > before, 'and the watch has its old connection');
    await look(undefined);
  });

  it('change nothing when they are wrong, and what does not fit together yet is waited for', async () => {
    const pair = await first.issuePlatformClient('three');
    writeFileSync(files.cert, pair.certificatePem);
    await look(undefined);
    writeFileSync(files.key, pair.keyPem);
    await look(changed);
    writeFileSync(files.cert, 'no certificate');
    await look(undefined);
    await look(wrong);
    await look(undefined);
    rmSync(files.key);
    await look('certificates for etcd cannot be read: what they were before holds');
    const stranger = await (await CertificateAuthority.create('stranger')).issuePlatformClient('x');
    writePair(stranger, files);
    await look(refused);
    await look(undefined);
    writePair(pair, files);
    await look(undefined);
  });

  it('may be another authority’s: no write is refused and no event missed on the way', async () => {
    writeFileSync(files.ca, `${first.certificatePem}\n${second.certificatePem}`);
    await look(changed);
    await serve(second, [first, second]);
    await restartMembers();
    writePair(await second.issuePlatformClient('four'), files);
    await taken();
    await write();
    await serve(second, [second]);
    await restartMembers();
    writeFileSync(files.ca, second.certificatePem);
    await taken();
    await write();
    assert.deepEqual(
      seen,
      Array.from({ length: written }, (_, index) => `${index + 1}`),
    );
  });
});
