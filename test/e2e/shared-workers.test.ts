import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Deployment } from '../../src/api/generated/apps-v1.ts';
import { builtinResources } from '../../src/api/resources/index.ts';
import { DEPLOYMENTS, PODS } from '../../src/api/resources.ts';
import type { Transport } from '../../src/api/transport.ts';
import { startTestServer } from '../../src/apiserver/testing/test-server.ts';
import { systemClock } from '../../src/base/clock.ts';
import { silentLogger } from '../../src/base/log.ts';
import { until } from '../../src/base/testing/until.ts';
import { Client } from '../../src/client/client.ts';
import { createInformerFactory } from '../../src/client/informer-factory.ts';
import { startControllers } from '../../src/controllers/all.ts';
import { openMemoryStore } from '../../src/store/memory/memory-store.ts';

const deployment = (name: string): any => ({
  metadata: { name },
  spec: {
    replicas: 2,
    selector: { matchLabels: { app: name } },
    template: { metadata: { labels: { app: name } }, spec: { containers: [{ name: 'c', image: 'i' }] } },
  },
});

test("a tenant whose every write hangs does not delay another tenant's Deployments", {
  timeout: 120_000,
}, async (t) => {
  const server = await startTestServer(openMemoryStore(), { tenants: ['slow', 'quiet'] });
  const stop = new AbortController();
  const released = Promise.withResolvers<void>();
  // As with an admission webhook that does not answer: what controllers write for this tenant waits.
  const hanging: Transport = {
    async request(request) {
      if (request.method !== 'GET' && request.path.startsWith('/clusters/slow/')) await released.promise;
      return server.transport.request(request);
    },
    watch: (request) => server.transport.watch(request),
  };
  const client = new Client(hanging);
  const options = { clock: systemClock, logger: silentLogger };
  const informers = createInformerFactory(client, options);
  const controllers = startControllers(
    { client, informers, ...options, rootCa: 'PEM', resources: builtinResources },
    stop.signal,
  );
  informers.start(stop.signal);
  t.after(async () => {
    released.resolve();
    stop.abort();
    await controllers;
    await server.close();
  });

  const direct = new Client(server.transport);
  const of = (tenant: string) => direct.resource<Deployment>(tenant, DEPLOYMENTS, 'default');
  const podCount = async (tenant: string) => (await direct.resource(tenant, PODS, 'default').list()).items.length;
  await Promise.all(Array.from({ length: 500 }, (_, index) => of('slow').create(deployment(`slow-${index}`))));
  for (let index = 0; index < 10; index++) await of('quiet').create(deployment(`web-${index}`));
  await until(async () => (await podCount('quiet')) === 20, 60_000);
  assert.equal(await podCount('slow'), 0);
  for (let index = 0; index < 10; index++) await of('quiet').delete(`web-${index}`);
  await until(async () => (await podCount('quiet')) === 0, 60_000);
  assert.equal(await podCount('slow'), 0, 'the collector was not held up either');

  released.resolve();
  await until(async () => (await podCount('slow')) === 1000, 60_000);
});
