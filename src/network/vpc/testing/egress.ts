import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { answerIn, ask, testNetwork } from './network.ts';

/**
 * Run by egress.test.ts in a network namespace that plays the machine: it has an uplink to another namespace that plays
 * the world. Prints what was answered as JSON.
 */
const world = `skypod-test-world-${process.pid}`;
const ip = (...args: string[]) => {
  const { status, stderr } = spawnSync('ip', args, { encoding: 'utf8' });
  if (status !== 0) throw new Error(`ip ${args.join(' ')}: ${stderr}`);
};
ip('netns', 'add', world);
const ends: (() => Promise<void>)[] = [];
try {
  // A namespace begins with what the real machine has, which may forward.
  writeFileSync('/proc/sys/net/ipv4/ip_forward', '0');
  ip('link', 'set', 'lo', 'up');
  ip('link', 'add', 'up0', 'type', 'veth', 'peer', 'name', 'out0', 'netns', world);
  ip('addr', 'add', '198.51.100.2/24', 'dev', 'up0');
  ip('link', 'set', 'up0', 'up');
  ip('-n', world, 'link', 'set', 'lo', 'up');
  ip('-n', world, 'addr', 'add', '198.51.100.1/24', 'dev', 'out0');
  ip('-n', world, 'addr', 'add', '169.254.169.254/32', 'dev', 'out0');
  ip('-n', world, 'addr', 'add', '203.0.113.9/32', 'dev', 'out0');
  ip('-n', world, 'link', 'set', 'out0', 'up');
  ip('route', 'add', 'default', 'via', '198.51.100.1');

  const server = await answerIn(`/run/netns/${world}`, [8080], 'world');
  ends.push(server.end);
  const machine = await answerIn('/proc/self/ns/net', [8081], 'machine');
  ends.push(machine.end);
  const forwarding = () => readFileSync('/proc/sys/net/ipv4/conf/up0/forwarding', 'utf8').trim();
  const before = forwarding();
  const { network, end } = await testNetwork({ egress: undefined, blockedDestinations: ['203.0.113.0/24'] });
  ends.push(end);
  const red = await network.setUp({ tenant: 'red', uid: 'pod', hostNetwork: false });
  const host = await network.setUp({ tenant: 'red', uid: 'host', hostNetwork: true });
  const blue = await network.setUp({ tenant: 'blue', uid: 'pod', hostNetwork: false });
  const one = async (path: string, address: string, port: number) => (await ask(path, address, port, 1, 1000))[0];
  const during = forwarding();
  const answers = {
    podToWorld: await one(red.namespacePath!, '198.51.100.1', 8080),
    sameAddressOfAnotherTenant: await one(blue.namespacePath!, '198.51.100.1', 8080),
    hostNetworkToWorld: await one(host.namespacePath!, '198.51.100.1', 8080),
    podToMetadata: await one(red.namespacePath!, '169.254.169.254', 8080),
    podToBlocked: await one(red.namespacePath!, '203.0.113.9', 8080),
    podToMachine: await one(red.namespacePath!, '198.51.100.2', 8081),
    podToOtherLink: await one(red.namespacePath!, network.localAddress('blue')!, 8081),
    hostNetworkToMachine: await one(host.namespacePath!, '198.51.100.2', 8081),
    machineToMachine: await one('/proc/self/ns/net', '198.51.100.2', 8081),
  };
  await end();
  ends.pop();
  console.log(JSON.stringify({ ...answers, forwarding: [before, during, forwarding()] }));
} finally {
  for (const end of ends.reverse()) await end();
  ip('netns', 'del', world);
}
