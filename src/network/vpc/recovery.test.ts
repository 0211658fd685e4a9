import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { kernelNames } from './names.ts';
import { answerIn, ask, testNetwork, whyNoNamespaces } from './testing/network.ts';

describe('after kill -9', { skip: whyNoNamespaces() }, () => {
  let dataDirectory: string;
  const servers: { end(): Promise<void> }[] = [];
  before(async () => {
    dataDirectory = await mkdtemp(join(tmpdir(), 'skypod-network-'));
  });
  after(async () => {
    for (const server of servers) await server.end();
    const { end } = await testNetwork({ dataDirectory });
    await end();
    await rm(dataDirectory, { recursive: true, force: true });
    const { namespacePrefix } = kernelNames(dataDirectory);
    assert.deepEqual(
      (await readdir('/run/netns')).filter((name) => name.startsWith(namespacePrefix)),
      [],
    );
  });

  test('a new process finds the pods with their addresses; their connections go on', async () => {
    const first = (await testNetwork({ dataDirectory })).network;
    const a = await first.setUp({ tenant: 'red', uid: 'a', hostNetwork: false });
    const b = await first.setUp({ tenant: 'red', uid: 'b', hostNetwork: false });
    const host = await first.setUp({ tenant: 'red', uid: 'host', hostNetwork: true });
    servers.push(await answerIn(b.namespacePath!, [8080], 'b'));
    const local = first.localAddress('red')!;
    const open = connect({ host: b.ip, port: 8080, localAddress: local });
    await once(open, 'data');
    // Nothing is told to `first`: for the kernel and the files this is a crash.

    const second = (await testNetwork({ dataDirectory })).network;
    assert.equal(second.localAddress('red'), local);
    const byUid = new Map((await second.list()).map(({ uid, address }) => [uid, address]));
    assert.deepEqual(Object.fromEntries(byUid), { a, b, host });
    assert.deepEqual(await second.setUp({ tenant: 'red', uid: 'a', hostNetwork: false }), a);
    const c = await second.setUp({ tenant: 'red', uid: 'c', hostNetwork: false });
    assert.ok(![a.ip, b.ip].includes(c.ip));
    assert.deepEqual(await ask(c.namespacePath!, b.ip, 8080), [`b ${c.ip}`]);
    for (const uid of ['a', 'b', 'c', 'host']) await second.tearDown({ tenant: 'red', uid });
    assert.deepEqual(await second.list(), []);
    open.destroy();
    first.close();
    await second.destroy();
  });

  test('a namespace that was only half made is made anew', async () => {
    const first = (await testNetwork({ dataDirectory })).network;
    const whole = await first.setUp({ tenant: 'red', uid: 'whole', hostNetwork: false });
    const half = await first.setUp({ tenant: 'red', uid: 'half', hostNetwork: false });
    first.close();
    // ip makes the file, then mounts the namespace on it: this is how it looks between.
    const { status, stderr } = spawnSync('umount', [half.namespacePath!], { encoding: 'utf8' });
    assert.equal(status, 0, stderr);
    const second = (await testNetwork({ dataDirectory })).network;
    assert.deepEqual(await second.setUp({ tenant: 'red', uid: 'half', hostNetwork: false }), half);
    servers.push(await answerIn(half.namespacePath!, [8080], 'half'));
    assert.deepEqual(await ask(whole.namespacePath!, half.ip, 8080), [`half ${whole.ip}`]);
    await second.destroy();
  });

  test('killed at any moment, again and again: every pod is whole, no address has two owners', async () => {
    const script = fileURLToPath(new URL('./testing/churn.ts', import.meta.url));
    for (let round = 0; round < 6; round++) {
      const child = spawn(process.execPath, [script, dataDirectory], { stdio: ['ignore', 'pipe', 'inherit'] });
      await once(child.stdout, 'data');
      await new Promise((resolve) => setTimeout(resolve, 20 + 37 * round));
      child.kill('SIGKILL');
      await once(child, 'close');
    }
    const { network } = await testNetwork({ dataDirectory });
    const pods = await network.list();
    assert.ok(pods.length > 0);
    for (const { tenant, uid, address } of pods) {
      assert.deepEqual(await network.setUp({ tenant, uid, hostNetwork: false }), address);
    }
    const owners = new Set(pods.map(({ tenant, address }) => `${tenant} ${address.ip}`));
    assert.equal(owners.size, pods.length);
    const [one, other] = pods.filter(({ tenant }) => tenant === pods[0]!.tenant);
    servers.push(await answerIn(one!.address.namespacePath!, [8080], 'one'));
    if (other !== undefined) {
      assert.deepEqual(await ask(other.address.namespacePath!, one!.address.ip, 8080), [`one ${other.address.ip}`]);
    }
    await network.destroy();
  });
});
