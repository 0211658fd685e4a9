import assert from 'node:assert/strict';
import { createSocket, type Socket as UdpSocket } from 'node:dgram';
import { once } from 'node:events';
import { createServer, type Server } from 'node:net';
import { after, before, describe, test } from 'node:test';
import { decode, encode } from 'dns-packet';
import type { PodAddress } from '../api/pod-network.ts';
import type { VpcService } from '../api/pool.ts';
import { VPC_SERVICES } from '../api/resources.ts';
import { systemClock } from '../base/clock.ts';
import { silentLogger } from '../base/log.ts';
import { listenLocally } from '../base/testing/local-server.ts';
import { until } from '../base/testing/until.ts';
import { Client, SYSTEM_TENANT } from '../client/client.ts';
import { createInformerFactory } from '../client/informer-factory.ts';
import { FakeTransport } from '../client/testing/fake-transport.ts';
import { startApiForwarder } from './api-forwarder/index.ts';
import { startDnsServer } from './dns/index.ts';
import { type ServiceTables, startServiceTables } from './service/table/index.ts';
import { vpcService } from './service/table/testing.ts';
import type { VpcNetwork } from './vpc/index.ts';
import { answerIn, ask, inNamespace, testNetwork, whyNoNamespaces } from './vpc/testing/network.ts';

const skip = whyNoNamespaces();

/** The whole network of a host, with an API server in memory: two tenants whose services have the same names. */
describe('a host and its tenants', { skip }, () => {
  const controller = new AbortController();
  const client = new Client(new FakeTransport());
  const servers: { end(): Promise<void> }[] = [];
  const pods: Record<string, PodAddress> = {};
  let network: VpcNetwork;
  let tables: ServiceTables;
  let end: () => Promise<void>;
  let controlPlane: Server;
  let upstream: UdpSocket;

  const path = (name: string) => pods[name]!.namespacePath!;
  const servicesOf = (tenant: string) => client.resource<VpcService>(SYSTEM_TENANT, VPC_SERVICES, tenant);
  /** Asks with Node's own resolver (c-ares: EDNS, UDP, TCP when cut), which knows no search path. */
  const resolve = async (pod: string, call: string) => {
    const script = `
      const dns = new (require('node:dns').promises.Resolver)({ timeout: 2000, tries: 2 });
      dns.setServers(['10.96.0.10']);
      dns.${call}.then((answer) => console.log(JSON.stringify(answer)), (error) => console.log(JSON.stringify(error.code)));`;
    return JSON.parse((await inNamespace(path(pod), process.execPath, ['-e', script])).output);
  };

  before(async () => {
    ({ network, end } = await testNetwork());
    upstream = createSocket('udp4');
    upstream.on('message', (message, from) => {
      const { id, questions } = decode(message);
      const name = questions![0]!.name;
      const answers = name === 'example.com' ? [{ type: 'A' as const, name, ttl: 60, data: '192.0.2.80' }] : [];
      const answer = encode({ type: 'response', id, flags: answers.length > 0 ? 0 : 3, questions, answers });
      upstream.send(answer, from.port, from.address);
    });
    upstream.bind(0, '127.0.0.1');
    await once(upstream, 'listening');
    controlPlane = createServer((socket) => {
      socket.on('error', () => {});
      socket.on('data', (data) => socket.end(`control plane heard ${data}`));
    });
    const port = await listenLocally(controlPlane);

    const shared = { network, clock: systemClock, logger: silentLogger };
    tables = startServiceTables(
      { ...shared, createInformers: () => createInformerFactory(client, shared) },
      controller.signal,
    );
    await startDnsServer(
      {
        ...shared,
        services: (tenant) => tables.services(tenant),
        upstream: [{ address: '127.0.0.1', port: upstream.address().port }],
      },
      controller.signal,
    );
    await startApiForwarder(
      {
        ...shared,
        apiServers: [
          { host: '127.0.0.1', port: 1 },
          { host: '127.0.0.1', port },
        ],
      },
      controller.signal,
    );

    for (const tenant of ['red', 'blue']) {
      const pod = await network.setUp({ tenant, uid: 'pod', hostNetwork: false });
      pods[tenant] = pod;
      servers.push(await answerIn(pod.namespacePath!, [8080], tenant));
      const address = tenant === 'red' ? '10.96.1.1' : '10.96.2.2';
      await servicesOf(tenant).create(vpcService('web', address, [pod.ip]));
      await until(() => tables.services(tenant)!.get(`system/${tenant}/default.web`));
      await tables.settled(tenant);
    }
  });
  after(async () => {
    controller.abort();
    for (const server of servers) await server.end();
    upstream?.close();
    controlPlane?.close();
    await end();
  });

  test('each tenant resolves and reaches its own service of the same name', async () => {
    assert.deepEqual(await resolve('red', 'resolve4("web.default.svc.cluster.local")'), ['10.96.1.1']);
    assert.deepEqual(await resolve('blue', 'resolve4("WEB.default.svc.cluster.local")'), ['10.96.2.2']);
    assert.match((await ask(path('red'), '10.96.1.1', 80))[0]!, /^red /);
    assert.match((await ask(path('blue'), '10.96.2.2', 80))[0]!, /^blue /);
    assert.deepEqual(await ask(path('red'), '10.96.2.2', 80), ['error ECONNREFUSED']);
  });

  test('SRV, PTR, no data, no name, and names of the world outside', async () => {
    const web = 'web.default.svc.cluster.local';
    assert.deepEqual(await resolve('red', `resolveSrv("_http._tcp.${web}")`), [
      { name: web, port: 80, priority: 0, weight: 100, type: 'SRV' },
    ]);
    assert.deepEqual(await resolve('red', 'reverse("10.96.1.1")'), [web]);
    assert.equal(await resolve('red', `resolve6("${web}")`), 'ENODATA');
    assert.equal(await resolve('red', 'resolve4("nothing.default.svc.cluster.local")'), 'ENOTFOUND');
    assert.deepEqual(await resolve('red', 'resolve4("example.com")'), ['192.0.2.80']);
    assert.equal(await resolve('red', 'resolve4("nothing.example.com")'), 'ENOTFOUND');
  });

  test('an alias brings the address it leads to', async () => {
    await servicesOf('red').create(vpcService('alias', '', [], { type: 'ExternalName', externalName: 'example.com' }));
    await until(() => tables.services('red')!.get('system/red/default.alias'));
    assert.deepEqual(await resolve('red', 'resolve4("alias.default.svc.cluster.local")'), ['192.0.2.80']);
    assert.deepEqual(await resolve('red', 'resolveCname("alias.default.svc.cluster.local")'), ['example.com']);
  });

  test('an answer too large for UDP comes by TCP', async () => {
    const addresses = Array.from({ length: 200 }, (_, index) => `10.128.1.${index + 1}`);
    await servicesOf('red').create(vpcService('large', '', addresses));
    await until(() => tables.services('red')!.get('system/red/default.large'));
    const answer = (await resolve('red', 'resolve4("large.default.svc.cluster.local")')) as string[];
    assert.deepEqual(new Set(answer), new Set(addresses));
  });

  test('busybox, which pods have, resolves too', async (context) => {
    const { code, output } = await inNamespace(path('red'), 'busybox', [
      'nslookup',
      'web.default.svc.cluster.local',
      '10.96.0.10',
    ]);
    if (code === 127 || /applet not found|No such file/.test(output)) return context.skip('no busybox with nslookup');
    assert.match(output, /10\.96\.1\.1/);
  });

  test('kubernetes.default leads to the control plane', async () => {
    const script = `
      const socket = require('node:net').connect(443, '10.96.0.1', () => socket.end('hello'));
      socket.on('data', (data) => console.log(String(data)));
      socket.on('error', (error) => console.log(error.code));`;
    for (const tenant of ['red', 'blue']) {
      const { output } = await inNamespace(path(tenant), process.execPath, ['-e', script]);
      assert.equal(output, 'control plane heard hello\n');
    }
  });

  test('services change with their objects', async () => {
    const services = servicesOf('red');
    const web = await services.get('default.web');
    await services.update({ ...web, spec: { ...web.spec, endpoints: [] } });
    await until(async () => (await ask(path('red'), '10.96.1.1', 80))[0] === 'error ECONNREFUSED');
    await services.update({ ...(await services.get('default.web')), spec: web.spec });
    await until(async () => (await ask(path('red'), '10.96.1.1', 80))[0]?.startsWith('red '));
  });

  test('messages that are no questions do no harm', async () => {
    const script = `
      const socket = require('node:dgram').createSocket('udp4');
      const send = (bytes) => new Promise((resolve) => socket.send(Buffer.from(bytes), 53, '10.96.0.10', resolve));
      (async () => {
        for (const bytes of [[], [1], Array(12).fill(255), [0,1,1,0,0,1,0,0,0,0,0,0,63,1], Array(600).fill(192)]) await send(bytes);
        socket.on('message', (answer) => { console.log(answer[3] & 15); socket.close(); });
        await send([0, 1, 1, 0, 0, 2, 0, 0, 0, 0, 0, 0]);
      })();`;
    const { output } = await inNamespace(path('red'), process.execPath, ['-e', script]);
    assert.match(output, /^1\n/, 'FORMERR');
    assert.deepEqual(await resolve('red', 'resolve4("web.default.svc.cluster.local")'), ['10.96.1.1']);
  });
});
