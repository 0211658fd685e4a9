import assert from 'node:assert/strict';
import { createServer } from 'node:https';
import { test } from 'node:test';
import { CONTAINER_INSTANCES, HOSTS, PODS } from '../../api/resources.ts';
import { ManualClock, systemClock } from '../../base/clock.ts';
import { silentLogger } from '../../base/log.ts';
import { listenLocally } from '../../base/testing/local-server.ts';
import { Client } from '../../client/client.ts';
import { createInformerFactory } from '../../client/informer-factory.ts';
import { FakeTransport } from '../../client/testing/fake-transport.ts';
import { testAuthority } from '../testing/certificates.ts';
import { createMetricsProvider } from './provider.ts';

const stats = (uid: string, cpuNanoCores: number) => ({
  uid,
  containers: [
    {
      name: 'main',
      cpuNanoCores,
      cpuUsageCoreNanoSeconds: cpuNanoCores * 1000,
      memoryWorkingSetBytes: 1024,
      timestamp: '2026-01-01T00:00:00.000Z',
      windowSeconds: 10,
    },
  ],
});

test('a tenant’s pods from all of its hosts; one host away hides nobody else’s', async () => {
  const authority = await testAuthority();
  const own = await authority.issue('host:up', ['up']);
  const platform = await authority.issue('skypod:control-plane', ['control-plane']);
  let asked = 0;
  let instances: object[] = [];
  const server = createServer(
    { ca: authority.caPem, cert: own.certificatePem, key: own.keyPem, requestCert: true, rejectUnauthorized: true },
    (_request, response) => {
      asked++;
      response.end(JSON.stringify({ instances }));
    },
  );
  const port = await listenLocally(server);

  const transport = new FakeTransport();
  const client = new Client(transport);
  const host = (name: string, streamingPort: number) =>
    client.resource('system', HOSTS).create({
      metadata: { name },
      spec: { zone: 'a' },
      status: { streaming: { address: '127.0.0.1', port: streamingPort } },
    } as any);
  await host('up', port);
  // Nothing listens on the port of tcpmux here.
  await host('away', 1);
  const add = async (tenant: string, namespace: string, name: string, hostName: string) => {
    const pod = await client.resource(tenant, PODS, namespace).create({
      metadata: { name, labels: { app: name } },
      spec: { nodeName: 'virtual-node-a', containers: [] },
    } as any);
    const { uid } = pod.metadata;
    await client.resource('system', CONTAINER_INSTANCES, tenant).create({
      metadata: { name: uid },
      spec: { hostName, podRef: { namespace, name, uid } },
    } as any);
    return uid;
  };
  instances = [
    stats(await add('acme', 'shop', 'web', 'up'), 5),
    stats(await add('acme', 'lab', 'job', 'up'), 7),
    stats(await add('other', 'shop', 'theirs', 'up'), 9),
  ];
  await add('acme', 'shop', 'lost', 'away');

  const stop = new AbortController();
  const informers = createInformerFactory(client, { clock: systemClock, logger: silentLogger });
  const clock = new ManualClock();
  const provider = createMetricsProvider({
    informers,
    credentials: { caPem: authority.caPem, ...platform },
    clock,
    logger: silentLogger,
    zones: ['a', 'b'],
  });
  informers.start(stop.signal);
  await informers.waitForSync();
  try {
    const all = await provider.podMetrics('acme');
    assert.deepEqual(all.map(({ metadata }) => metadata.name).sort(), ['job', 'web']);
    const [web] = await provider.podMetrics('acme', 'shop');
    assert.deepEqual(web!.containers, [{ name: 'main', usage: { cpu: '5n', memory: '1Ki' } }]);
    assert.deepEqual(web!.metadata.labels, { app: 'web' });
    const nodes = await provider.nodeMetrics('acme');
    assert.deepEqual(
      nodes.map(({ metadata, usage }) => [metadata.name, usage['cpu']]),
      [
        ['virtual-node-a', '12n'],
        ['virtual-node-b', '0'],
      ],
    );
    const usage = await provider.nodeUsage('acme', 'virtual-node-a');
    assert.equal(usage.cpuUsageCoreNanoSeconds, 12_000);
    assert.deepEqual(usage.pods.map(({ name }) => name).sort(), ['job', 'web']);
    assert.deepEqual((await provider.nodeUsage('acme', 'virtual-node-b')).pods, []);
    assert.equal(asked, 1, 'answers a few seconds old are good enough');
    clock.advance(6_000);
    await provider.podMetrics('acme');
    assert.equal(asked, 2);
  } finally {
    stop.abort();
    provider.close();
    server.close();
    server.closeAllConnections();
  }
});
