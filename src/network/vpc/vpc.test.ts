import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import type { PodAddress } from '../../api/pod-network.ts';
import { ManualClock } from '../../base/clock.ts';
import { until } from '../../base/testing/until.ts';
import type { VpcNetwork } from './index.ts';
import { kernelNames } from './names.ts';
import { answerIn, ask, inNamespace, testNetwork, whyNoNamespaces } from './testing/network.ts';

const skip = whyNoNamespaces();

describe('VPCs in the kernel', { skip }, () => {
  let network: VpcNetwork;
  let dataDirectory: string;
  let end: () => Promise<void>;
  const servers: { end(): Promise<void> }[] = [];
  const pods: Record<string, PodAddress> = {};
  const path = (name: string) => pods[name]!.namespacePath!;

  before(async () => {
    ({ network, dataDirectory, end } = await testNetwork());
    for (const name of ['red/a', 'red/b', 'blue/a', 'blue/b']) {
      const [tenant, uid] = name.split('/') as [string, string];
      pods[name] = await network.setUp({ tenant, uid, hostNetwork: false });
      servers.push(await answerIn(path(name), [8080], name));
    }
    pods['red/host'] = await network.setUp({ tenant: 'red', uid: 'host', hostNetwork: true });
    servers.push(await answerIn(path('red/host'), [9090], 'red/host'));
  });
  after(async () => {
    for (const server of servers) await server.end();
    const links = ['red', 'blue'].map((tenant) => network.localAddress(tenant)!.replaceAll('.', '\\.'));
    await end();
    const names = kernelNames(dataDirectory);
    assert.deepEqual(
      readdirSync('/run/netns').filter((name) => name.startsWith(names.namespacePrefix)),
      [],
      'no namespace stays',
    );
    const kernel = ['ip -br link', 'ip rule', 'nft list tables'].map((command) => {
      const [program, ...args] = command.split(' ') as [string, ...string[]];
      return spawnSync(program, args, { encoding: 'utf8' }).stdout;
    });
    assert.doesNotMatch(kernel.join('\n'), new RegExp([names.linkPrefix, names.machineTable, ...links].join('|')));
  });

  test('tenants have the same addresses, and setting up twice changes nothing', async () => {
    assert.equal(pods['red/a']!.ip, '10.128.0.2');
    assert.equal(pods['blue/a']!.ip, '10.128.0.2');
    assert.equal(pods['red/a']!.hostIp, '10.128.0.1');
    assert.deepEqual(await network.setUp({ tenant: 'red', uid: 'a', hostNetwork: false }), pods['red/a']);
    assert.deepEqual(
      (await network.list()).map(({ tenant, uid }) => `${tenant}/${uid}`).sort(),
      Object.keys(pods).sort(),
    );
  });

  test('pods reach the pods of their own VPC, themselves and hostNetwork pods', async () => {
    assert.deepEqual(await ask(path('red/a'), pods['red/b']!.ip, 8080), [`red/b ${pods['red/a']!.ip}`]);
    assert.deepEqual(await ask(path('blue/a'), pods['blue/b']!.ip, 8080), [`blue/b ${pods['blue/a']!.ip}`]);
    assert.deepEqual(await ask(path('red/a'), pods['red/a']!.ip, 8080), [`red/a ${pods['red/a']!.ip}`]);
    assert.deepEqual(await ask(path('red/a'), '127.0.0.1', 8080), ['red/a 127.0.0.1']);
    assert.deepEqual(await ask(path('red/a'), '10.128.0.1', 9090), [`red/host ${pods['red/a']!.ip}`]);
    assert.deepEqual(await ask(path('red/host'), pods['red/b']!.ip, 8080), ['red/b 10.128.0.1']);
    assert.deepEqual(await ask(path('blue/a'), '10.128.0.1', 9090), ['error ECONNREFUSED']);
  });

  test('the host reaches into each VPC by its link, and pods see the gateway', async () => {
    const read = async (tenant: string, address: string, port: number) => {
      const socket = await network.connect(tenant, address, port, 2000);
      return (await Array.fromAsync(socket.setEncoding('utf8') as AsyncIterable<string>)).join('');
    };
    assert.equal(await read('red', pods['red/b']!.ip, 8080), 'red/b 10.128.0.1');
    assert.equal(await read('blue', pods['blue/b']!.ip, 8080), 'blue/b 10.128.0.1');
    assert.match(await read('red', '10.128.0.1', 9090), /^red\/host /);
    assert.notEqual(network.localAddress('red'), network.localAddress('blue'));
    await assert.rejects(network.connect('green', '10.128.0.2', 8080, 100), /does not carry/);
  });

  test("the machine, other VPCs' links, metadata services and the outside are out of reach", async () => {
    const machine = await answerIn('/proc/self/ns/net', [18080], 'machine');
    servers.push(machine);
    const red = network.localAddress('red')!;
    const blue = network.localAddress('blue')!;
    for (const target of [red, blue, '169.254.169.254', '192.0.2.1', '10.128.7.9', '10.96.3.4']) {
      for (const from of ['red/a', 'red/host']) {
        const [answer] = await ask(path(from), target, 18080, 1, 500);
        assert.match(answer!, /^error/, `${from} to ${target}: ${answer}`);
      }
    }
  });

  test('a pod can use no address but its own', async () => {
    const [own, foreign] = [path('red/a'), '10.128.0.77'];
    spawnSync('nsenter', [`--net=${own}`, 'ip', 'addr', 'add', `${foreign}/32`, 'dev', 'eth0']);
    const script = (from: string) => `
      const socket = require('node:dgram').createSocket('udp4');
      socket.bind(0, '${from}', () => socket.send('from ${from}', 7070, '${pods['red/b']!.ip}', () => socket.close()));`;
    const listener = inNamespace(path('red/b'), process.execPath, [
      '-e',
      `const socket = require('node:dgram').createSocket('udp4');
       socket.bind(7070, '0.0.0.0');
       socket.on('message', (text) => { console.log(String(text)); if (String(text).includes('${pods['red/a']!.ip}')) process.exit(0); });
       setTimeout(() => process.exit(1), 10000);`,
    ]);
    // The listener ends at the first honest packet, and every forged one was sent before it.
    let done = false;
    void listener.then(() => {
      done = true;
    });
    while (!done) {
      await inNamespace(own, process.execPath, ['-e', script(foreign)]);
      await inNamespace(own, process.execPath, ['-e', script(pods['red/a']!.ip)]);
    }
    assert.deepEqual(await listener, { code: 0, output: `from ${pods['red/a']!.ip}\n` });
  });

  test('host ports are the gateway’s, one owner each, and go with their pod', async () => {
    const hostPorts = [{ protocol: 'TCP' as const, hostPort: 8000, containerPort: 8080 }];
    const pod = { tenant: 'red', uid: 'ports', hostNetwork: false, hostPorts };
    const address = await network.setUp(pod);
    const server = await answerIn(address.namespacePath!, [8080], 'ports');
    assert.deepEqual(await ask(path('red/a'), '10.128.0.1', 8000), [`ports ${pods['red/a']!.ip}`]);
    assert.deepEqual(await ask(address.namespacePath!, '10.128.0.1', 8000), ['ports 10.128.0.1'], 'itself');
    assert.deepEqual(await ask(path('blue/a'), '10.128.0.1', 8000), ['error ECONNREFUSED']);
    await assert.rejects(network.setUp({ ...pod, uid: 'second' }), /File exists/);
    assert.deepEqual(await ask(path('red/a'), '10.128.0.1', 8000), [`ports ${pods['red/a']!.ip}`], 'still the first');
    await server.end();
    await network.tearDown(pod);
    const after = await network.setUp({ ...pod, uid: 'second' });
    servers.push(await answerIn(after.namespacePath!, [8080], 'second'));
    assert.deepEqual(await ask(path('red/a'), '10.128.0.1', 8000), [`second ${pods['red/a']!.ip}`]);
    await network.tearDown({ tenant: 'red', uid: 'second' });
  });

  test('host ports at one address leave the others to other pods', async () => {
    const at = (hostIP: string | undefined) => [
      { protocol: 'TCP' as const, hostPort: 8001, containerPort: 8080, ...(hostIP !== undefined && { hostIP }) },
    ];
    const made = new Map<string, PodAddress>();
    for (const [uid, hostIP] of [
      ['at-loopback', '127.0.0.1'],
      ['at-node', '10.112.0.1'],
      ['anywhere', undefined],
      ['nowhere', 'not an address'],
    ] as const) {
      const address = await network.setUp({ tenant: 'red', uid, hostNetwork: false, hostPorts: at(hostIP) });
      made.set(uid, address);
      servers.push(await answerIn(address.namespacePath!, [8080], uid));
    }
    const { namespacePath: host } = await network.setUp({ tenant: 'red', uid: 'host', hostNetwork: true });
    assert.deepEqual(await ask(host!, '127.0.0.1', 8001), ['at-loopback 10.128.0.1']);
    assert.deepEqual(await ask(host!, '10.112.0.1', 8001), ['at-node 10.128.0.1']);
    assert.deepEqual(await ask(host!, '10.112.0.2', 8001), ['anywhere 10.128.0.1']);
    const client = pods['red/a']!.ip;
    assert.deepEqual(await ask(path('red/a'), '10.112.0.1', 8001), [`at-node ${client}`]);
    assert.deepEqual(await ask(path('red/a'), '10.128.0.1', 8001), [`anywhere ${client}`]);
    assert.deepEqual(await ask(path('red/a'), '127.0.0.1', 8001), ['error ECONNREFUSED'], 'a pod’s own loopback');
    for (const uid of [...made.keys(), 'host']) await network.tearDown({ tenant: 'red', uid });
  });

  test('the rules on the machine’s side come back when somebody flushes them', async () => {
    const clock = new ManualClock();
    const own = await testNetwork({ clock });
    const { machineTable } = kernelNames(own.dataDirectory);
    await own.network.setUp({ tenant: 'red', uid: 'a', hostNetwork: false });
    const link = own.network.localAddress('red')!;
    spawnSync('nft', ['delete', 'table', 'inet', machineTable]);
    clock.advance(10_000);
    const rules = () => spawnSync('nft', ['list', 'table', 'inet', machineTable], { encoding: 'utf8' }).stdout;
    await until(() => rules().includes(link));
    await own.end();
    assert.equal(rules(), '');
  });

  test('helper processes keep no namespace open', async () => {
    for (let count = 0; count < 5; count++) {
      await network.setUp({ tenant: 'red', uid: `brief${count}`, hostNetwork: false });
    }
    const children = readFileSync(`/proc/self/task/${process.pid}/children`, 'utf8').trim().split(' ');
    const namespaces = children.flatMap((pid) => {
      const descriptors = readdirSync(`/proc/${pid}/fd`).map((fd) => readlinkSync(`/proc/${pid}/fd/${fd}`));
      return descriptors.filter((target) => /^(\/run\/netns\/|net:)/.test(target));
    });
    assert.deepEqual(namespaces, []);
    for (let count = 0; count < 5; count++) await network.tearDown({ tenant: 'red', uid: `brief${count}` });
  });

  test('tear-down removes, twice is fine, and the address is not given again at once', async () => {
    const pod = { tenant: 'red', uid: 'short', hostNetwork: false };
    const first = await network.setUp(pod);
    await network.tearDown(pod);
    await network.tearDown(pod);
    assert.equal(
      (await network.list()).some(({ uid }) => uid === 'short'),
      false,
    );
    const second = await network.setUp(pod);
    assert.notEqual(second.ip, first.ip);
    await network.tearDown(pod);
  });

  test('names that are not names are refused', async () => {
    await assert.rejects(network.setUp({ tenant: '../x', uid: 'a', hostNetwork: false }), /not a usable name/);
    await assert.rejects(
      network.setUp({ tenant: 'x', uid: 'a\nnetns del b', hostNetwork: false }),
      /not a usable name/,
    );
  });
});
