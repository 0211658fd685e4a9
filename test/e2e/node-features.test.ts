import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { eventually } from '../lib/eventually.ts';
import { image, type TestImages, testImages } from '../lib/images.ts';
import { type Kubectl, needsKubectl } from '../lib/kubectl.ts';
import { isRoot, type Skypod, startSkypod } from '../lib/skypod.ts';

const podOf = (name: string, spec: object) =>
  JSON.stringify({ apiVersion: 'v1', kind: 'Pod', metadata: { name, labels: { app: name } }, spec });
const shell = (script: string, more: object = {}) => ({
  name: 'main',
  image: image('busybox'),
  command: ['/bin/sh', '-c', script],
  ...more,
});
const forever = 'trap "exit 0" TERM; while true; do sleep 0.1; done';

/** What a kubelet does for its pods, on a node behind which no machine stands. */
describe('a virtual node, with real containers', { skip: isRoot ? false : 'containers need root' }, () => {
  let images: TestImages;
  let skypod: Skypod;
  let kubectl: Kubectl;

  before(async () => {
    images = await testImages();
    skypod = await startSkypod({ runtime: 'containerd' });
    kubectl = skypod.kubectl;
  });
  after(async () => {
    await skypod?.destroy();
    await images?.release();
  });

  const run = async (name: string, spec: object) => {
    await kubectl.input(podOf(name, spec), 'apply', '-f', '-');
    await kubectl('wait', '--for=condition=Ready', `pod/${name}`, '--timeout=60s');
  };
  const status = (pod: string, path: string) => kubectl('get', 'pod', pod, '-o', `jsonpath={.status.${path}}`);

  it('mounts an image as a volume, read-only', async () => {
    await run('reader', {
      containers: [shell(forever, { volumeMounts: [{ name: 'files', mountPath: '/files' }] })],
      volumes: [{ name: 'files', image: { reference: image('nginx') } }],
    });
    assert.match(await kubectl('exec', 'reader', '--', 'ls', '/files/usr/sbin'), /nginx/);
    await assert.rejects(kubectl('exec', 'reader', '--', 'touch', '/files/new'), /Read-only file system/);
    await kubectl('delete', 'pod', 'reader', '--now');
  });

  it('shows at a hostPath a machine of the tenant’s own', async () => {
    const mount = (name: string) => ({ name, mountPath: `/node/${name}` });
    await run('curious', {
      containers: [shell(forever, { volumeMounts: [mount('root'), mount('hosts'), mount('state')] })],
      volumes: [
        { name: 'root', hostPath: { path: '/' } },
        { name: 'hosts', hostPath: { path: '/etc/hosts', type: 'File' } },
        { name: 'state', hostPath: { path: '/var/lib/app', type: 'DirectoryOrCreate' } },
      ],
    });
    assert.match(await kubectl('exec', 'curious', '--', 'ls', '/node/root'), /^etc$/m);
    assert.equal(await kubectl('exec', 'curious', '--', 'ls', '/node/root/home'), '');
    assert.match(await kubectl('exec', 'curious', '--', 'cat', '/node/hosts'), /virtual-node-/);
    await kubectl('exec', 'curious', '--', 'sh', '-c', 'echo kept > /node/state/file && cat /node/state/file');
    assert.equal(await kubectl('exec', 'curious', '--', 'cat', '/node/root/var/lib/app/file'), 'kept\n');
    await kubectl('delete', 'pod', 'curious', '--now');
  });

  it('resizes a container in place, or with a new one where its policy asks for that', {
    skip: needsKubectl(32),
  }, async () => {
    const resources = { requests: { cpu: '100m', memory: '64Mi' }, limits: { cpu: '200m', memory: '64Mi' } };
    await run('grows', {
      restartPolicy: 'OnFailure',
      containers: [
        shell(forever, { resources, resizePolicy: [{ resourceName: 'memory', restartPolicy: 'RestartContainer' }] }),
      ],
    });
    const quota = () =>
      kubectl(
        ...['exec', 'grows', '--', 'sh', '-c'],
        'cat /sys/fs/cgroup/cpu/cpu.cfs_quota_us 2>/dev/null || cut -d" " -f1 /sys/fs/cgroup/cpu.max',
      );
    assert.equal(await quota(), '20000\n');
    const resize = (limits: object) =>
      kubectl(
        ...['patch', 'pod', 'grows', '--subresource=resize', '-p'],
        JSON.stringify({ spec: { containers: [{ name: 'main', resources: { limits } }] } }),
      );
    const settled = (generation: string) =>
      eventually(`generation ${generation} is in effect`, async () => {
        if ((await status('grows', 'observedGeneration')) !== generation) return false;
        return !(await status('grows', 'conditions[*].type')).includes('PodResize');
      });
    await resize({ cpu: '300m' });
    await settled('2');
    assert.equal(await quota(), '30000\n');
    assert.equal(await status('grows', 'containerStatuses[0].restartCount'), '0');

    await resize({ memory: '96Mi' });
    await settled('3');
    // It ended with 0, which `OnFailure` would take for done.
    await eventually(
      'a new container runs',
      async () => (await status('grows', 'containerStatuses[0].ready')) === 'true',
    );
    assert.equal(await status('grows', 'containerStatuses[0].restartCount'), '1');
    assert.equal(await status('grows', 'containerStatuses[0].resources.limits.memory'), '96Mi');
    assert.equal(await status('grows', 'phase'), 'Running');
    await kubectl('delete', 'pod', 'grows', '--now');
  });

  it('answers node ports at its address, and host ports at the one they ask for', async () => {
    const serve = (text: string) => `while true; do echo ${text} | nc -l -p 8080; done`;
    const ports = (hostIP: string) => [{ containerPort: 8080, hostPort: 9000, hostIP }];
    const addresses = (await kubectl('get', 'nodes', '-o', 'jsonpath={.items[*].status.addresses[0].address}')).split(
      ' ',
    );
    const node = addresses[0]!;
    await run('local', { containers: [shell(serve('local'), { ports: ports('127.0.0.1') })] });
    await run('web', { containers: [shell(serve('web'), { ports: ports(node) })] });
    await run('client', { hostNetwork: true, containers: [shell(forever)] });
    await kubectl('expose', 'pod', 'web', '--type=NodePort', '--port=80', '--target-port=8080');
    const nodePort = await kubectl('get', 'service', 'web', '-o', 'jsonpath={.spec.ports[0].nodePort}');
    const ask = (address: string, port: string) =>
      kubectl('exec', 'client', '--', 'sh', '-c', `nc -w 2 ${address} ${port} < /dev/null || true`);
    await eventually('the node port answers', async () => (await ask(node, nodePort)) === 'web\n');
    assert.equal(await ask(node, '9000'), 'web\n');
    assert.equal(await ask('127.0.0.1', '9000'), 'local\n');
    await kubectl('delete', 'pod,service', '-l', 'app in (local,web,client)', '--now');
  });
});
