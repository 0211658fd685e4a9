import { eventually } from '../lib/eventually.ts';
import { cpuSeconds, printFigure, printMachine, residentMiB, residentOwnMiB } from '../lib/measure.ts';
import { startSkypod } from '../lib/skypod.ts';

/**
 * Pods a second from `kubectl scale` of a Deployment to all of them Running, through every component and both
 * processes, without containers. `node test/bench/pods-simulated.ts [PODS ...]`
 */
const sizes = process.argv.slice(2).map(Number);
printMachine();
for (const size of sizes.length > 0 ? sizes : [1_000, 10_000]) {
  const skypod = await startSkypod({ runtime: 'simulated' });
  try {
    const { kubectl } = skypod;
    const controlPlane = skypod.pidOf('control-plane');
    const host = skypod.pidOf('host');
    await new Promise((resolve) => setTimeout(resolve, 3_000));
    printFigure('control plane, idle, resident', residentMiB(controlPlane), 'MiB', '150 MiB');
    await kubectl('create', 'deployment', 'many', '--image=example.test/many', '--replicas=0');
    const cpuBefore = [cpuSeconds(controlPlane), cpuSeconds(host)] as const;
    const ownBefore = [residentOwnMiB(controlPlane), residentOwnMiB(host)] as const;
    const start = performance.now();
    await kubectl('scale', 'deployment/many', `--replicas=${size}`);
    await eventually(
      `${size} pods are ready`,
      async () =>
        (await kubectl('get', 'deployment', 'many', '-o', 'jsonpath={.status.readyReplicas}')) === String(size),
      { timeoutMs: 600_000, intervalMs: 250 },
    );
    const seconds = (performance.now() - start) / 1000;
    const cpu = [cpuSeconds(controlPlane) - cpuBefore[0], cpuSeconds(host) - cpuBefore[1]] as const;
    printFigure(`${size} pods, Deployment to Ready, simulated runtime`, size / seconds, 'pods/s', '1,000 pods/s');
    printFigure(`${size} pods, CPU of both processes`, ((cpu[0] + cpu[1]) / size) * 1000, 'ms/pod', '2 ms');
    printFigure(`${size} pods, CPU of the control plane`, (cpu[0] / size) * 1000, 'ms/pod');
    printFigure(`${size} pods, control plane resident`, residentMiB(controlPlane), 'MiB');
    const own = (pid: number, before: number) => ((residentOwnMiB(pid) - before) / size) * 1024;
    printFigure(`${size} pods, control plane's own memory`, own(controlPlane, ownBefore[0]), 'KiB/pod', '60 KiB');
    printFigure(`${size} pods, host resident`, residentMiB(host), 'MiB');
    printFigure(`${size} pods, host's own memory`, own(host, ownBefore[1]), 'KiB/pod');
  } finally {
    await skypod.destroy();
  }
}
