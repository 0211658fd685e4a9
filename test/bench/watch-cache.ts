import type { KubeObject } from '../../src/api/object.ts';
import { createWatchCaches } from '../../src/apiserver/watch-cache/caches.ts';
import { encodeForStore } from '../../src/apiserver/watch-cache/encoding.ts';
import { storeKey } from '../../src/apiserver/watch-cache/keys.ts';
import { systemClock } from '../../src/base/clock.ts';
import { silentLogger } from '../../src/base/log.ts';
import { openMemoryStore } from '../../src/store/memory/memory-store.ts';

/** Prints what the watch cache costs: `node --expose-gc test/bench/watch-cache.ts`. */
const PODS = { group: '', resource: 'pods' };

/** About 1.5 KB of JSON. */
function pod(namespace: string, name: string): KubeObject {
  const environment = Array.from({ length: 12 }, (_, index) => ({
    name: `VARIABLE_${index}`,
    value: `value ${index}`,
  }));
  return {
    kind: 'Pod',
    apiVersion: 'v1',
    metadata: {
      name,
      namespace,
      uid: '00000000-0000-0000-0000-000000000000',
      resourceVersion: '',
      creationTimestamp: '2026-01-01T00:00:00Z',
      labels: { app: 'web', 'pod-template-hash': '5d69cb9b6' },
    },
    spec: {
      containers: [{ name: 'web', image: 'registry/web:1', env: environment, resources: { limits: { cpu: '1' } } }],
      nodeName: 'virtual-node-zone-a',
      serviceAccountName: 'default',
    },
    status: {
      phase: 'Running',
      podIP: '10.0.0.1',
      conditions: [{ type: 'Ready', status: 'True' }],
      padding: 'x'.repeat(350),
    },
  };
}

const say = (what: string, figure: string) => console.log(`${what.padEnd(58)} ${figure.padStart(16)}`);
const resident = async () => {
  for (let turn = 0; turn < 3; turn++) {
    globalThis.gc?.();
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
};

async function setUp() {
  const store = openMemoryStore();
  const caches = createWatchCaches({ store, clock: systemClock, logger: silentLogger });
  const cache = await caches.for(PODS);
  const put = async (tenant: string, object: KubeObject) => {
    const key = storeKey(PODS, tenant, object.metadata.namespace!, object.metadata.name);
    return (await store.commit({ compare: [], operations: [{ type: 'put', key, value: encodeForStore(object) }] }))
      .revision;
  };
  return { store, caches, cache, put };
}

async function fanOut(watchers: number, interested: boolean): Promise<void> {
  const { store, caches, cache, put } = await setUp();
  let bytes = 0;
  for (let index = 0; index < watchers; index++) {
    cache.watch({
      tenant: interested ? 't' : `other-${index}`,
      afterRevision: cache.revision,
      onEvents: (events) => {
        for (const event of events) bytes += event.frame('tenant').length;
      },
      onEnd: () => {},
    });
  }
  const events = interested ? 200 : 20_000;
  const object = pod('default', 'p');
  await put('t', object);
  const start = performance.now();
  for (let index = 0; index < events; index++) await put('t', object);
  const each = (performance.now() - start) / events;
  const whom = interested ? 'who all want it' : 'of other tenants';
  say(`one event, ${watchers.toLocaleString('en')} watchers ${whom}`, `${(each * 1000).toFixed(1)} µs`);
  if (interested && bytes > 0) say('  deliveries', `${Math.round(watchers / (each / 1000)).toLocaleString('en')} /s`);
  caches.close();
  await store.close();
}

async function memory(): Promise<void> {
  const { store, caches, cache, put } = await setUp();
  const count = 20_000;
  const before = await resident();
  for (let index = 0; index < count; index++) await put('t', pod('default', `pod-${index}`));
  const stored = await resident();
  say(
    `memory a pod of ${encodeForStore(pod('a', 'b')).length} B as written (store's bytes included)`,
    `${Math.round((stored - before) / count)} B`,
  );
  let start = performance.now();
  const { entries } = await cache.list({ tenant: 't' });
  say(`LIST of ${count.toLocaleString('en')}, the first`, `${(performance.now() - start).toFixed(1)} ms`);
  start = performance.now();
  for (const entry of entries) entry.bytes('tenant');
  say('  its bytes, the first time', `${(performance.now() - start).toFixed(1)} ms`);
  start = performance.now();
  const again = await cache.list({ tenant: 't' });
  for (const entry of again.entries) entry.bytes('tenant');
  say('LIST and its bytes, again', `${(performance.now() - start).toFixed(1)} ms`);
  say('memory a pod, once listed', `${Math.round(((await resident()) - before) / count)} B`);
  caches.close();

  // As after a restart: nothing was handed over, nothing parsed.
  const reloadedBefore = await resident();
  const reloaded = createWatchCaches({ store, clock: systemClock, logger: silentLogger });
  start = performance.now();
  const fresh = await reloaded.for(PODS);
  say(`load ${count.toLocaleString('en')} pods from the store`, `${(performance.now() - start).toFixed(1)} ms`);
  say(
    'memory a pod, loaded and not read (without the bytes)',
    `${Math.round(((await resident()) - reloadedBefore) / count)} B`,
  );
  start = performance.now();
  await fresh.list({ tenant: 't', filter: { matches: (object) => object.metadata.labels?.app === 'web' } });
  say('LIST with a selector, the first (parses all)', `${(performance.now() - start).toFixed(1)} ms`);
  reloaded.close();
  await store.close();
}

await memory();
for (const watchers of [1000, 10_000]) {
  await fanOut(watchers, true);
  await fanOut(watchers, false);
}
