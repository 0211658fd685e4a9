import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { parse, stringify } from 'yaml';
import { CONFIG_MAPS } from '../../src/api/resources.ts';
import { systemClock } from '../../src/base/clock.ts';
import { silentLogger } from '../../src/base/log.ts';
import { Client } from '../../src/client/client.ts';
import type { HttpTransport } from '../../src/client/http-transport.ts';
import { createInformerFactory } from '../../src/client/informer-factory.ts';
import { transportFromKubeconfig } from '../../src/client/kubeconfig.ts';
import { openEtcdStore } from '../../src/store/etcd/etcd-store.ts';
import { etcdMissing } from '../../src/store/etcd/testing/etcd-cluster.ts';
import type { Store } from '../../src/store/store.ts';
import { type ControlPlane, type ControlPlanes, patienceMs, startControlPlanes } from '../lib/control-planes.ts';
import { eventually } from '../lib/eventually.ts';
import {
  checkRecorder,
  checkSession,
  configMaps,
  observe,
  type Recorder,
  recordHistory,
  type WatchSession,
} from '../lib/history.ts';
import { type Kubectl, kubectlWith, newestKubectl } from '../lib/kubectl.ts';
import { haproxyMissing, type LoadBalancer, startLoadBalancer } from '../lib/load-balancer.ts';
import { beginCounting, overHttp1, overHttp2, type Service, serve } from '../lib/steady-load.ts';

const delay = '4s';
/** But for what the store said: on a machine that has no time for etcd it does so of itself. */
const refusedBy = (services: Service[]): string[] =>
  services.flatMap(({ refused }) => refused).filter((why) => !why.includes('etcd: no member answers'));
const deployment = '/apis/apps/v1/namespaces/default/deployments';

describe('control planes behind a load balancer', { skip: etcdMissing || haproxyMissing }, () => {
  let cluster: ControlPlanes;
  let balancer: LoadBalancer;
  let transport: HttpTransport;
  let kubectl: Kubectl;
  let store: Store;
  let recorder: Recorder;
  const stop = new AbortController();
  const problems: string[] = [];
  const services: Service[] = [];
  /** Of each observer. */
  const sessions: WatchSession[][] = [[], [], []];
  const ends: (() => unknown)[] = [];
  /** name -> value, as an informer knows them. */
  let known: () => Map<string, string>;
  let observers: Promise<unknown>[] = [];

  before(async () => {
    cluster = await startControlPlanes({ args: ['--shutdown-delay-duration', delay] });
    const { planes } = cluster;
    balancer = await startLoadBalancer(planes.map(({ url }) => url));
    const config = parse(readFileSync(join(planes[0]!.dataDir, 'kubeconfig'), 'utf8'));
    config.clusters[0].cluster.server = balancer.url;
    const kubeconfig = join(planes[0]!.dataDir, 'balanced.kubeconfig');
    writeFileSync(kubeconfig, stringify(config));
    kubectl = kubectlWith(newestKubectl(), kubeconfig);
    transport = transportFromKubeconfig(kubeconfig, { requestTimeoutMs: 30_000 });
    ends.push(() => transport.close());
    await eventually(
      'it is served through the load balancer',
      () => kubectl.try('get', 'ns').then(({ code }) => code === 0),
      {
        timeoutMs: patienceMs,
      },
    );
    store = await openEtcdStore({ endpoints: cluster.etcd.endpoints });
    recorder = recordHistory(store);

    for (const index of [0, 1])
      services.push(await serve(`w${index}-plain`, overHttp1(transport), problems, stop.signal));
    for (const index of [2, 3]) {
      const client = overHttp2(balancer.url, kubeconfig);
      ends.push(() => client.close());
      services.push(await serve(`w${index}-multiplexed`, client.send, problems, stop.signal));
    }
    const balanced = [{ index: 0, transport }] as unknown as ControlPlane[];
    observers = sessions.map((own) => observe(0, balanced, own, stop.signal));
    const client = new Client(transport);
    const informers = createInformerFactory(client, { clock: systemClock, logger: silentLogger });
    const informer = informers.informer(CONFIG_MAPS, { tenant: 'default', namespace: 'default' });
    informers.start(stop.signal);
    await informers.waitForSync();
    known = () =>
      new Map([...informer.values()].map(({ metadata, ...rest }: any) => [metadata.name, rest.data?.value]));
  });
  after(async () => {
    stop.abort();
    await Promise.all(observers);
    for (const end of ends) await end();
    await store?.close();
    await balancer?.close();
    await cluster?.destroy();
  });

  const progress = async (what: string) => {
    const goals = services.map(({ answered }) => answered + 20);
    await eventually(
      `every client is answered ${what}`,
      () => services.every(({ answered }, index) => answered >= goals[index]!),
      {
        timeoutMs: patienceMs,
      },
    );
  };
  /** Whoever watches has seen what was acknowledged up to now. */
  const watched = async (what: string) => {
    const goal = await store.currentRevision();
    await eventually(`watches see it ${what}`, () => sessions.every((own) => (own.at(-1)?.seen ?? 0) >= goal), {
      timeoutMs: patienceMs,
    });
    const wanted = services.map(({ acknowledged }) => acknowledged);
    await eventually(
      `an informer knows it ${what}`,
      () =>
        [...known()]
          .filter(([name]) => /^w\d/.test(name))
          .every(([name, value]) => Number(value) >= wanted[Number(name[1])]!),
      { timeoutMs: patienceMs },
    );
  };
  const backAgain = async (plane: ControlPlane) => {
    await plane.ready();
    await eventually('the load balancer has seen it', () => balancer.sendsTo(plane.url), { timeoutMs: patienceMs });
  };
  const sum = (of: (service: Service) => number) => services.reduce((total, service) => total + of(service), 0);
  const report = (say: (line: string) => void) =>
    say(
      `${sum(({ answered }) => answered)} answers, ${sum(({ refused }) => refused.length)} refused, ` +
        `${sum(({ broken }) => broken.length)} connections broken under a request, ` +
        `longest gaps of the clients ${services.map(({ longestGapMs }) => Math.round(longestGapMs)).join(', ')} ms`,
    );

  it('a rolling upgrade fails no request and no watch', async (context) => {
    const labels = { app: 'rolled' };
    const pod = { nodeSelector: { none: 'such' }, containers: [{ name: 'main', image: 'example.test/rolled' }] };
    const path = `${deployment}/rolled`;
    await transport.request({
      method: 'POST',
      path: deployment,
      body: {
        apiVersion: 'apps/v1',
        kind: 'Deployment',
        metadata: { name: 'rolled' },
        spec: {
          progressDeadlineSeconds: 86_400,
          selector: { matchLabels: labels },
          template: { metadata: { labels }, spec: pod },
        },
      },
    });
    // client-go's informer: it watches through all of it.
    const waiting = kubectl('rollout', 'status', 'deployment/rolled', '--timeout=1h');
    waiting.catch(() => {});
    await progress('at first');
    for (const service of services) beginCounting(service);
    for (const plane of cluster.planes) {
      const { length } = plane.ends;
      plane.signal('SIGTERM');
      await eventually('it has ended', () => plane.ends.length > length, { timeoutMs: patienceMs });
      await progress(`while control plane ${plane.index} is away`);
      assert.match(await kubectl('get', 'configmap', 'w0-plain', '-o', 'name'), /w0-plain/);
      plane.start();
      await backAgain(plane);
      await progress(`when control plane ${plane.index} is back`);
      await watched(`when control plane ${plane.index} is back`);
    }
    report((line) => context.diagnostic(line));
    assert.deepEqual(refusedBy(services), []);
    assert.deepEqual(
      services.flatMap(({ broken }) => broken),
      [],
    );
    await transport.request({
      method: 'PATCH',
      path,
      contentType: 'application/merge-patch+json',
      body: { spec: { template: { spec: { nodeSelector: null } } } },
    });
    assert.match(await waiting, /successfully rolled out/);
    assert.deepEqual(problems, []);
  });

  it('kill -9 breaks connections, and nothing else', async (context) => {
    for (const service of services) beginCounting(service);
    for (const plane of cluster.planes) {
      await plane.kill();
      await progress(`when control plane ${plane.index} was killed`);
      await watched(`without control plane ${plane.index}`);
      plane.start();
      await backAgain(plane);
    }
    report((line) => context.diagnostic(line));
    assert.deepEqual(refusedBy(services), []);
    assert.deepEqual(problems, []);
  });

  it('one that is cut off from etcd is left by its watches and its clients', async (context) => {
    const plane = cluster.planes[1]!;
    for (const service of services) beginCounting(service);
    plane.partition();
    await eventually('it ends its watches', () => plane.log().some(({ msg }) => msg.startsWith('etcd is silent')), {
      timeoutMs: patienceMs,
    });
    await progress('through the others');
    await watched('through the others');
    report((line) => context.diagnostic(line));
    for (const service of services) beginCounting(service);
    await progress('by now');
    assert.deepEqual(
      services.flatMap(({ refused, broken }) => [...refused, ...broken]),
      [],
      'nobody comes to it any more',
    );
    await plane.heal();
    await backAgain(plane);
    await progress('when it is back');
    await watched('when it is back');
    assert.deepEqual(problems, []);
  });

  it('and no watch had a gap in all this', async () => {
    stop.abort();
    await Promise.all(observers);
    const upTo = await store.currentRevision();
    await eventually('everything is recorded', () => recorder.error !== undefined || recorder.revision >= upTo);
    assert.equal(recorder.error, undefined);
    const found = await checkRecorder(recorder, store);
    for (const session of sessions.flat()) found.push(...checkSession(session, recorder.history));
    assert.deepEqual(found.slice(0, 20), []);
    assert.ok(
      sessions.flat().reduce((events, session) => events + session.events.length, 0) > 500,
      'there was something to see',
    );
    assert.ok((await transport.request<any>({ method: 'GET', path: configMaps })).items.length >= 4);
  });
});
