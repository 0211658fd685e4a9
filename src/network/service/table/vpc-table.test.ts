import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { after, before, describe, test } from 'node:test';
import type { PodAddress } from '../../../api/pod-network.ts';
import { systemClock } from '../../../base/clock.ts';
import { silentLogger } from '../../../base/log.ts';
import { until } from '../../../base/testing/until.ts';
import type { VpcNetwork } from '../../vpc/index.ts';
import { answerIn, ask, inNamespace, testNetwork, whyNoNamespaces } from '../../vpc/testing/network.ts';
import { vpcService } from './testing.ts';
import { VpcTable } from './vpc-table.ts';

const skip = whyNoNamespaces();

describe('services in a VPC', { skip }, () => {
  let network: VpcNetwork;
  let end: () => Promise<void>;
  let table: VpcTable;
  const servers: { end(): Promise<void> }[] = [];
  const pods: PodAddress[] = [];
  const path = (index: number) => pods[index]!.namespacePath!;
  const ip = (index: number) => pods[index]!.ip;
  const address = '10.96.7.7';

  before(async () => {
    ({ network, end } = await testNetwork({ hostIndex: 3 }));
    for (let index = 0; index < 3; index++) {
      pods.push(await network.setUp({ tenant: 'red', uid: `pod${index}`, hostNetwork: false }));
      servers.push(await answerIn(path(index), [8080], `pod${index}`));
    }
    const vpc = network.carried()[0]!;
    table = new VpcTable({ ...vpc, logger: silentLogger, clock: systemClock });
    table.start();
  });
  after(async () => {
    await table?.close();
    for (const server of servers) await server.end();
    await end();
  });

  const nodes = ['10.112.0.1', '10.112.0.2', '10.112.0.3'];
  /** A pod on each virtual node. */
  const setUpClients = async () => {
    const clients: PodAddress[] = [];
    for (const [index, nodeAddress] of nodes.entries()) {
      clients.push(await network.setUp({ tenant: 'red', uid: `client${index}`, hostNetwork: false, nodeAddress }));
    }
    return clients;
  };
  const tearDownClients = async () => {
    for (const index of nodes.keys()) await network.tearDown({ tenant: 'red', uid: `client${index}` });
  };
  const endpoint = (index: number, more: { node?: string; near?: string[] }) => ({
    address: ip(index),
    ready: true,
    ports: { http: 8080 },
    ...more,
  });

  test('connections spread over the endpoints', async () => {
    table.set(vpcService('web', address, [ip(1), ip(2)]));
    await table.settled();
    const answers = await ask(path(0), address, 80, 60);
    const seen = new Set(answers);
    assert.deepEqual([...seen].sort(), [`pod1 ${ip(0)}`, `pod2 ${ip(0)}`], 'both answer, and see the client');
  });

  test('a pod reaches itself through its service', async () => {
    table.set(vpcService('web', address, [ip(0)]));
    await table.settled();
    assert.deepEqual(await ask(path(0), address, 80, 3), Array(3).fill(`pod0 ${pods[0]!.hostIp}`));
  });

  test('the host reaches a service by the link, and by its node port', async () => {
    const service = vpcService('web', address, [ip(1)], {
      type: 'NodePort',
      ports: [{ name: 'http', protocol: 'TCP', port: 80, nodePort: 30080 }],
    });
    table.set(service);
    await table.settled();
    for (const [host, port] of [
      [address, 80],
      [pods[0]!.hostIp, 30080],
    ] as const) {
      const socket = await network.connect('red', host, port, 2000);
      const text = (await Array.fromAsync(socket.setEncoding('utf8') as AsyncIterable<string>)).join('');
      assert.equal(text, `pod1 ${pods[0]!.hostIp}`);
    }
    assert.deepEqual(await ask(path(0), pods[0]!.hostIp, 30080), [`pod1 ${ip(0)}`]);
    assert.deepEqual(await ask(path(0), '10.112.0.1', 30080), [`pod1 ${ip(0)}`], 'the first virtual node');
    assert.deepEqual(await ask(path(0), '10.112.0.2', 30080), [`pod1 ${ip(0)}`], 'the second one');
    assert.deepEqual(await ask(path(0), '10.112.0.1', 80), ['error ECONNREFUSED'], 'no other port');
  });

  test('a node port with a local policy', async () => {
    const service = vpcService('local', '10.96.7.8', [], {
      type: 'NodePort',
      ports: [{ name: 'http', protocol: 'TCP', port: 80, nodePort: 30081 }],
      externalLocal: true,
      localAt: nodes,
      endpoints: [endpoint(1, { node: nodes[0]! }), endpoint(2, { node: nodes[1]! })],
    });
    table.set(service);
    await table.settled();
    assert.deepEqual(await ask(path(0), '10.112.0.1', 30081, 5), Array(5).fill(`pod1 ${ip(0)}`));
    assert.deepEqual(await ask(path(0), '10.112.0.2', 30081, 5), Array(5).fill(`pod2 ${ip(0)}`));
    const [unanswered] = await ask(path(0), '10.112.0.3', 30081);
    assert.match(unanswered!, /^error/);
    const seen = new Set(await ask(path(0), '10.96.7.8', 80, 60));
    assert.equal(seen.size, 2, 'its own address leads to all');
    table.delete(service.metadata.name);
    await table.settled();
  });

  test('an internal traffic policy leads pods to the endpoints of their own virtual node', async () => {
    const clients = await setUpClients();
    for (const sessionAffinitySeconds of [undefined, 60]) {
      const service = vpcService('local', '10.96.7.9', [], {
        internalLocal: true,
        localAt: nodes,
        endpoints: [endpoint(1, { node: nodes[0]! }), endpoint(2, { node: nodes[1]! })],
        ...(sessionAffinitySeconds !== undefined && { sessionAffinitySeconds }),
      });
      table.set(service);
      await table.settled();
      const from = (index: number, times: number) => ask(clients[index]!.namespacePath!, '10.96.7.9', 80, times);
      assert.deepEqual(await from(0, 5), Array(5).fill(`pod1 ${clients[0]!.ip}`));
      assert.deepEqual(await from(1, 5), Array(5).fill(`pod2 ${clients[1]!.ip}`));
      assert.match((await from(2, 1))[0]!, /^error/, 'none on its node');
    }
    table.delete('default.local');
    await table.settled();
    await tearDownClients();
  });

  test('endpoints near a virtual node are all that its pods use', async () => {
    const clients = await setUpClients();
    const service = vpcService('near', '10.96.7.10', [], {
      endpoints: [endpoint(1, { near: [nodes[0]!] }), endpoint(2, { near: [nodes[1]!] })],
    });
    table.set(service);
    await table.settled();
    const from = (index: number, times: number) => ask(clients[index]!.namespacePath!, '10.96.7.10', 80, times);
    assert.deepEqual(await from(0, 9), Array(9).fill(`pod1 ${clients[0]!.ip}`));
    assert.deepEqual(await from(1, 9), Array(9).fill(`pod2 ${clients[1]!.ip}`));
    assert.equal(new Set(await from(2, 60)).size, 2, 'none is near to it');
    table.set(vpcService('near', '10.96.7.10', [], { endpoints: [endpoint(2, { near: [nodes[1]!] })] }));
    await table.settled();
    assert.deepEqual(await from(0, 3), Array(3).fill(`pod2 ${clients[0]!.ip}`), 'what was near is gone');
    table.delete('default.near');
    await table.settled();
    await tearDownClients();
  });

  test('hostNetwork pods use services too', async () => {
    const host = await network.setUp({ tenant: 'red', uid: 'host', hostNetwork: true });
    assert.deepEqual(await ask(host.namespacePath!, address, 80), [`pod1 ${host.ip}`]);
    await network.tearDown({ tenant: 'red', uid: 'host' });
  });

  test('session affinity keeps a client with its endpoint until that is gone', async () => {
    const affinity = { sessionAffinitySeconds: 600 };
    table.set(vpcService('web', address, [ip(1), ip(2)], affinity));
    await table.settled();
    const [first, ...others] = await ask(path(0), address, 80, 30);
    assert.deepEqual(new Set(others), new Set([first]));
    const chosen = first!.startsWith('pod1') ? 1 : 2;
    const other = 3 - chosen;
    table.set(vpcService('web', address, [ip(other)], affinity));
    await table.settled();
    assert.deepEqual(await ask(path(0), address, 80), [`pod${other} ${ip(0)}`]);
    // It stays with the new one when the old one is back.
    table.set(vpcService('web', address, [ip(1), ip(2)], affinity));
    await table.settled();
    assert.deepEqual(new Set(await ask(path(0), address, 80, 20)), new Set([`pod${other} ${ip(0)}`]));
  });

  test('UDP services translate too, and refuse without endpoints', async () => {
    const service = (addresses: string[]) => {
      const udp = vpcService('echo', '10.96.7.9', addresses);
      udp.spec.ports = [{ name: 'http', protocol: 'UDP', port: 7 }];
      return udp;
    };
    const echo = inNamespace(path(1), process.execPath, [
      '-e',
      `const socket = require('node:dgram').createSocket('udp4');
       socket.bind(8080);
       socket.on('message', (text, from) => socket.send('echo ' + text, from.port, from.address, () => process.exit(0)));`,
    ]);
    const say = `const socket = require('node:dgram').createSocket('udp4');
       socket.connect(7, '10.96.7.9', () => { socket.send('hello'); setInterval(() => socket.send('hello'), 50); });
       socket.on('message', (text) => { console.log(String(text)); process.exit(0); });
       socket.on('error', (error) => { console.log(error.code); if (process.argv[1] === 'refused') process.exit(0); });`;
    table.set(service([ip(1)]));
    await table.settled();
    const { output } = await inNamespace(path(0), process.execPath, ['-e', say]);
    assert.match(output, /echo hello\n$/);
    await echo;
    table.set(service([]));
    await table.settled();
    assert.equal((await inNamespace(path(0), process.execPath, ['-e', say, 'refused'])).output, 'ECONNREFUSED\n');
  });

  test('a UDP client that keeps its port moves to the endpoint that is left', async (context) => {
    if (spawnSync('which', ['conntrack']).status !== 0) return context.skip('needs conntrack');
    const service = (index: number) => {
      const udp = vpcService('names', '10.96.7.10', [ip(index)]);
      udp.spec.ports = [{ name: 'http', protocol: 'UDP', port: 7 }];
      return udp;
    };
    const answering = (index: number) =>
      spawn('nsenter', [
        `--net=${path(index)}`,
        process.execPath,
        '-e',
        `const socket = require('node:dgram').createSocket('udp4');
         socket.bind(8080, () => console.log('ready'));
         socket.on('message', (_, from) => socket.send('pod${index}', from.port, from.address));`,
      ]);
    const children = [answering(1), answering(2)];
    context.after(() => {
      for (const child of children) child.kill('SIGKILL');
    });
    await Promise.all(children.map((child) => once(child.stdout, 'data')));
    table.set(service(1));
    await table.settled();
    const client = spawn('nsenter', [
      `--net=${path(0)}`,
      process.execPath,
      '-e',
      `const socket = require('node:dgram').createSocket('udp4');
       socket.connect(7, '10.96.7.10', () => setInterval(() => socket.send('hello'), 10));
       socket.on('message', (text) => console.log(String(text)));`,
    ]);
    children.push(client);
    let heard = '';
    client.stdout.setEncoding('utf8').on('data', (text) => {
      heard += text;
    });
    await until(() => heard.includes('pod1'));
    table.set(service(2));
    await until(() => heard.includes('pod2'));
  });

  test('a UDP client that kept asking a node port meets its first endpoint', async (context) => {
    if (spawnSync('which', ['conntrack']).status !== 0) return context.skip('needs conntrack');
    const service = (addresses: string[]) =>
      vpcService('early', '10.96.7.11', addresses, {
        ports: [{ name: 'http', protocol: 'UDP', port: 7, nodePort: 30777 }],
      });
    const run = (index: number, script: string) => {
      const child = spawn('nsenter', [`--net=${path(index)}`, process.execPath, '-e', script]);
      context.after(() => child.kill('SIGKILL'));
      return child;
    };
    const server = run(
      1,
      `const socket = require('node:dgram').createSocket('udp4');
       socket.bind(8080, () => console.log('ready'));
       socket.on('message', (_, from) => socket.send('pod1', from.port, from.address));`,
    );
    await once(server.stdout, 'data');
    table.set(service([]));
    await table.settled();
    const client = run(
      0,
      `const socket = require('node:dgram').createSocket('udp4');
       socket.on('error', () => {});
       let sent = 0;
       socket.on('message', (text) => console.log(String(text)));
       setInterval(() => { socket.send('hello', 30777, '10.112.0.1'); if (++sent === 5) console.log('asking'); }, 10);`,
    );
    let heard = '';
    client.stdout.setEncoding('utf8').on('data', (text) => {
      heard += text;
    });
    await until(() => heard.includes('asking'));
    table.set(service([ip(1)]));
    await until(() => heard.includes('pod1'));
  });

  test('no endpoints: refused at once', async () => {
    table.set(vpcService('web', address, []));
    await table.settled();
    assert.deepEqual(await ask(path(0), address, 80), ['error ECONNREFUSED']);
    table.delete('default.web');
    await table.settled();
    assert.deepEqual(await ask(path(0), address, 80), ['error ECONNREFUSED']);
  });

  test('a service of a further range answers, and is refused without endpoints', async () => {
    table.set(vpcService('far', '192.0.2.9', [ip(1)]));
    await table.settled();
    assert.deepEqual(await ask(path(0), '192.0.2.9', 80, 2), Array(2).fill(`pod1 ${ip(0)}`));
    table.set(vpcService('far', '192.0.2.9', []));
    await table.settled();
    const answers = await ask(path(0), '192.0.2.9', 80, 2);
    assert.deepEqual(answers, Array(2).fill('error ECONNREFUSED'));
    table.delete('default.far');
    await table.settled();
  });

  test('a new process writes the table anew without a gap', async () => {
    table.set(vpcService('web', address, [ip(1)]));
    table.set(vpcService('gone', '10.96.7.8', [ip(1)]));
    await table.settled();
    await table.close();
    table = new VpcTable({ ...network.carried()[0]!, logger: silentLogger, clock: systemClock });
    table.set(vpcService('web', address, [ip(2)]));
    assert.deepEqual(await ask(path(0), address, 80), [`pod1 ${ip(0)}`], 'what stood still stands');
    table.start();
    await table.settled();
    assert.deepEqual(await ask(path(0), address, 80), [`pod2 ${ip(0)}`]);
    assert.deepEqual(await ask(path(0), '10.96.7.8', 80), ['error ECONNREFUSED']);
  });
});
