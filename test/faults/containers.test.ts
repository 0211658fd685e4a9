import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { eventually } from '../lib/eventually.ts';
import { image, type TestImages, testImages } from '../lib/images.ts';
import { isRoot, type Skypod, startSkypod } from '../lib/skypod.ts';

/** Real containers outlive every process of ours. */
describe('faults around running containers', { skip: isRoot ? false : 'containers need root' }, () => {
  let images: TestImages;
  let skypod: Skypod;
  before(async () => {
    images = await testImages();
    skypod = await startSkypod({ runtime: 'containerd' });
    await skypod.kubectl(
      'create',
      'deployment',
      'steady',
      `--image=${image('busybox')}`,
      '--replicas=2',
      '--',
      'sh',
      '-c',
      'echo $(cat /proc/sys/kernel/random/uuid) > /tmp/run; sleep 1000000',
    );
    await skypod.kubectl('rollout', 'status', 'deployment/steady', '--timeout=180s');
  });
  after(async () => {
    await skypod?.destroy();
    await images?.release();
  });

  /** What only a container that was never restarted can still tell. */
  const runs = async () => {
    const names = (
      await skypod.kubectl('get', 'pods', '-l', 'app=steady', '-o', 'jsonpath={.items[*].metadata.name}')
    ).split(' ');
    return Promise.all(
      names.map((name) =>
        eventually(`exec in ${name} works`, () => skypod.kubectl('exec', name, '--', 'cat', '/tmp/run'), {
          retryErrors: true,
        }),
      ),
    );
  };
  const restarts = () =>
    skypod.kubectl(
      'get',
      'pods',
      '-l',
      'app=steady',
      '-o',
      'jsonpath={.items[*].status.containerStatuses[0].restartCount}',
    );
  const settled = async () => {
    // A new pod proves that the whole path works again.
    await eventually(
      'a new pod becomes ready',
      async () =>
        (await skypod.kubectl.try('run', 'probe', `--image=${image('busybox')}`, '--restart=Never', '--', 'true'))
          .code === 0,
    );
    await eventually(
      'it ran',
      async () => (await skypod.kubectl('get', 'pod', 'probe', '-o', 'jsonpath={.status.phase}')) === 'Succeeded',
    );
    await skypod.kubectl('delete', 'pod', 'probe', '--now');
  };

  it('kill -9 of the host agent', async () => {
    const before = await runs();
    const pid = skypod.pidOf('host');
    process.kill(pid, 'SIGKILL');
    await eventually('the supervisor brought it back', () => skypod.pidOf('host') !== pid, { retryErrors: true });
    await settled();
    assert.deepEqual(await runs(), before);
    assert.equal(await restarts(), '0 0');
  });

  it('kill -9 of the control plane', async () => {
    const before = await runs();
    const pid = skypod.pidOf('control-plane');
    process.kill(pid, 'SIGKILL');
    await eventually('the supervisor brought it back', () => skypod.pidOf('control-plane') !== pid, {
      retryErrors: true,
    });
    await eventually('the API answers', async () => (await skypod.kubectl.try('get', '--raw', '/readyz')).code === 0);
    await settled();
    assert.deepEqual(await runs(), before);
    assert.equal(await restarts(), '0 0');
  });

  it('kill -9 of containerd', async () => {
    const before = await runs();
    const pidFile = JSON.parse((await skypod.run('status', '-o', 'json')).stdout).containerd.pidFile;
    const pidOf = () => Number(JSON.parse(readFileSync(pidFile, 'utf8')).pid);
    const containerd = pidOf();
    process.kill(containerd, 'SIGKILL');
    await eventually('it is started again', () => pidOf() !== containerd, { retryErrors: true });
    await settled();
    assert.deepEqual(await runs(), before);
    assert.equal(await restarts(), '0 0');
  });

  it('stop and start: containers are adopted, not restarted', async () => {
    const before = await runs();
    await skypod.stop();
    skypod = await startSkypod({ runtime: 'containerd', dataDir: skypod.dataDir, port: skypod.port });
    await settled();
    assert.deepEqual(await runs(), before);
    assert.equal(await restarts(), '0 0');
    assert.ok(readFileSync(join(skypod.dataDir, 'kubeconfig'), 'utf8').length > 0);
  });
});
