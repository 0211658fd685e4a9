import assert from 'node:assert/strict';
import { after, afterEach, before, beforeEach, describe, it } from 'node:test';
import { sleep } from '../../base/abort.ts';
import { settled } from '../../base/testing/until.ts';
import { type Store, UnavailableError, UnknownOutcomeError } from '../store.ts';
import { openEtcdStore } from './etcd-store.ts';
import { type EtcdCluster, etcdMissing, startEtcd } from './testing/etcd-cluster.ts';
import { type FaultyProxy, startProxy } from './testing/proxy.ts';

const put = (store: Store, key: string, value: string) =>
  store.commit({ compare: [], operations: [{ type: 'put', key, value: Buffer.from(value) }] });

async function refusal(work: () => Promise<unknown>): Promise<{ error: Error; isAtOnce: boolean }> {
  const refused = work().then(
    () => assert.fail('it was answered'),
    (reason: Error) => reason,
  );
  // Any call to a member that does not answer would be waited for far longer, however slow the machine.
  const isAtOnce = await Promise.race([refused.then(() => true), settled().then(() => false)]);
  return { error: await refused, isAtOnce };
}

describe('etcd that is away', { skip: etcdMissing, timeout: 240_000 }, () => {
  let etcd: EtcdCluster;
  let proxies: FaultyProxy[];
  let store: Store;
  let log: string[];
  before(async () => {
    etcd = await startEtcd({ members: 3 });
  });
  beforeEach(async () => {
    proxies = await Promise.all(etcd.endpoints.map(startProxy));
    log = [];
    store = await openEtcdStore({
      endpoints: proxies.map(({ endpoint }) => endpoint),
      onAway: (reason) => log.push(`away: ${reason}`),
      onBack: () => log.push('back'),
    });
    await put(store, '/p/first', 'x');
  });
  afterEach(async () => {
    await store.close();
    for (const proxy of proxies) await proxy.close();
  });
  after(() => etcd.destroy());
  const cutOff = () => {
    for (const proxy of proxies) {
      proxy.refuse(true);
      proxy.holdRequests();
      proxy.dropAnswers();
    }
  };
  const heal = async () => {
    for (const proxy of proxies) {
      proxy.cutClients();
      await proxy.deliver();
      proxy.refuse(false);
    }
  };
  const backAgain = async () => {
    while (!log.includes('back')) await sleep(5);
  };

  it('whoever waits when it goes gives up once for all, and whoever comes later is told at once', async () => {
    cutOff();
    const waiting = [0, 1, 2, 3].map((index) => refusal(() => put(store, `/p/waiting-${index}`, 'x')));
    const reading = refusal(() => store.currentRevision());
    for (const { error } of await Promise.all(waiting)) {
      // It was sent: nobody knows, and nobody says that it was not done.
      assert.ok(error instanceof UnknownOutcomeError, `${error}`);
    }
    assert.ok((await reading).error instanceof UnavailableError);
    assert.equal(log.length, 1, `${log}`);
    for (let index = 0; index < 20; index++) {
      for (const work of [
        () => store.currentRevision(),
        () => store.get('/p/first'),
        () => store.range({ start: '/p/', end: '/p0' }),
        () => put(store, '/p/later', 'x'),
      ]) {
        const { error, isAtOnce } = await refusal(work);
        assert.ok(error instanceof UnavailableError, `${error}`);
        assert.ok(isAtOnce);
      }
    }
    await heal();
    await backAgain();
    assert.equal(await store.get('/p/later'), undefined, 'said not to be done');
    assert.equal((await put(store, '/p/after', 'x')).committed, true);
  });

  it('is found again without anybody asking, and its watches go on without a gap', async () => {
    const seen: number[] = [];
    const watch = store.watch({
      start: '/p/',
      end: '/p0',
      afterRevision: await store.currentRevision(),
      onEvents: (events) => seen.push(...events.map(({ revision }) => revision)),
      onError: assert.fail,
    });
    const written = [(await put(store, '/p/w', '1')).revision];
    cutOff();
    await refusal(() => store.currentRevision());
    const other = await openEtcdStore(etcd);
    try {
      for (let index = 0; index < 5; index++) written.push((await put(other, '/p/w', `${index}`)).revision);
    } finally {
      await other.close();
    }
    await heal();
    await backAgain();
    while (seen.length < written.length) await sleep(5);
    assert.deepEqual(seen, written);
    watch.close();
  });

  it('a write on its way is waited for longer than that, so that its outcome is known after all', async () => {
    cutOff();
    const writing = put(store, '/p/on-its-way', 'x');
    while (log.length === 0) await sleep(5);
    await heal();
    const result = await writing;
    assert.equal(result.committed, true);
    assert.equal((await store.get('/p/on-its-way'))!.modRevision, result.revision);
  });

  it('one that hangs and takes connections all the time does not get ever more of them', async () => {
    const [proxy] = proxies as [FaultyProxy];
    const before = proxy.connections();
    for (const each of proxies) {
      each.holdRequests();
      each.dropAnswers();
    }
    await refusal(() => store.currentRevision());
    // Rounds of questions have gone by.
    while (proxy.connections().taken < before.taken + 5) await sleep(50);
    assert.ok(proxy.connections().open <= before.open + 2, `${proxy.connections().open} of ${before.open}`);
    await heal();
    await backAgain();
    assert.equal((await put(store, '/p/hung', 'x')).committed, true);
  });

  it('what was never sent is said not to be done', async () => {
    for (const proxy of proxies) {
      proxy.refuse(true);
      proxy.cutClients();
    }
    // By then it has noticed that its connections are gone.
    await refusal(() => store.get('/p/first'));
    const { error } = await refusal(() => put(store, '/p/unsent', 'x'));
    assert.ok(error instanceof UnavailableError, `${error}`);
    assert.match(log[0]!, /^away: /);
  });

  it('a member that hangs is left for the others', async () => {
    for (const member of [0, 1, 2]) {
      await etcd.pause(member);
      assert.equal((await put(store, '/p/hanging', `${member}`)).committed, true);
      etcd.resume(member);
      // Until it follows again: two of three that are gone would be another matter.
      const lone = await openEtcdStore({ endpoints: [etcd.endpoints[member]!], callTimeoutMs: 20_000 });
      await lone.close();
    }
  });
});
