import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { eventually } from '../lib/eventually.ts';
import { image, testImages } from '../lib/images.ts';
import { machineCpuSeconds, percentile, printFigure, printMachine, residentMiB } from '../lib/measure.ts';
import { startSkypod } from '../lib/skypod.ts';

/**
 * Real containers, image present: one pod's time from `create` to Ready (20 times), then 100 pods at once.
 * Time is taken from one `kubectl get -w` that runs all the while, so no kubectl start is in it.
 * `node test/bench/pods-containers.ts [PODS_AT_ONCE]`
 */
const atOnce = Number(process.argv[2] ?? 100);
printMachine();
const images = await testImages();
const skypod = await startSkypod({ runtime: 'containerd' });
try {
  const { kubectl } = skypod;
  const readyAt = new Map<string, number>();
  const createdAt = new Map<string, number>();
  const watch = spawn(kubectl.path, ['get', 'pods', '-w', '--output-watch-events', '-o', 'json'], {
    env: { ...process.env, KUBECONFIG: kubectl.kubeconfig },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let buffered = '';
  watch.stdout.on('data', (chunk) => {
    buffered += chunk;
    for (let end = buffered.indexOf('\n'); end >= 0; end = buffered.indexOf('\n')) {
      const event = JSON.parse(buffered.slice(0, end));
      buffered = buffered.slice(end + 1);
      const { metadata, status } = event.object;
      const now = performance.now();
      if (event.type === 'ADDED' && !createdAt.has(metadata.name)) createdAt.set(metadata.name, now);
      const ready = status?.conditions?.some((entry: any) => entry.type === 'Ready' && entry.status === 'True');
      if (ready && !readyAt.has(metadata.name)) readyAt.set(metadata.name, now);
    }
  });
  const run = (name: string) => kubectl('run', name, `--image=${image('busybox')}`, '--', 'sleep', '1000000');

  await run('warm');
  await eventually('the first pod is ready (image pulled)', () => readyAt.has('warm'));
  printFigure('control plane, one pod, resident', residentMiB(skypod.pidOf('control-plane')), 'MiB', '150 MiB');
  const times: number[] = [];
  for (let index = 0; index < 20; index++) {
    const name = `single-${index}`;
    await run(name);
    await eventually(`${name} is ready`, () => readyAt.has(name), { intervalMs: 5 });
    times.push(readyAt.get(name)! - createdAt.get(name)!);
    await kubectl('delete', 'pod', name, '--now', '--wait=true');
  }
  printFigure('one real pod, created to Ready, p50 of 20', percentile(times, 50), 'ms', '100 ms (oci)');
  printFigure('one real pod, created to Ready, p99 of 20', percentile(times, 99), 'ms', '1,000 ms');

  await kubectl(
    'create',
    'deployment',
    'crowd',
    `--image=${image('busybox')}`,
    '--replicas=0',
    '--',
    'sleep',
    '1000000',
  );
  const cpuBefore = machineCpuSeconds();
  const start = performance.now();
  await kubectl('scale', 'deployment/crowd', `--replicas=${atOnce}`);
  const crowd = () => [...readyAt].filter(([name]) => name.startsWith('crowd-'));
  await eventually(`${atOnce} pods are ready`, () => crowd().length === atOnce, { timeoutMs: 600_000, intervalMs: 50 });
  const seconds = (Math.max(...crowd().map(([, at]) => at)) - start) / 1000;
  printFigure(`${atOnce} real pods at once`, atOnce / seconds, 'pods/s', '10 pods/s (cri)');
  printFigure(
    `${atOnce} real pods at once, CPU of the whole machine`,
    (machineCpuSeconds() - cpuBefore) / atOnce,
    'CPU-s/pod',
    '0.16 CPU-s (containerd alone)',
  );
  watch.kill();
  await once(watch, 'exit');
} finally {
  await skypod.destroy();
  await images.release();
}
