import { join } from 'node:path';
import { aborted, sleep } from '../base/abort.ts';
import { parseRegistries, type RegistryPolicy } from '../runtime/cri/registries/policy.ts';
import { CommandError, reportAndExit } from './command-error.ts';
import { type ControlPlaneFlags, controlPlaneArguments, parseControlPlaneFlags } from './control-plane-settings.ts';
import { type DataDirectory, openDataDirectory } from './data-directory.ts';
import { assertPortFree, type ListenAddress, parseListenAddress } from './listen-address.ts';
import { createLogger } from './logger.ts';
import { acquireProcessLock, lockHolder, type ProcessLock } from './process-lock.ts';
import { parseServers } from './server-endpoint.ts';
import { reportFatal, reportNotice, reportReady, shutdownSignal, supervise } from './supervisor.ts';

interface UpOptions extends ControlPlaneFlags {
  dataDir: string;
  listen: string;
  runtime: string;
  zones: string;
  privilegedTenants?: string;
  registries?: string;
}

/** How long a process may take to end in good order, once its clients have left, before it just ends. */
const STOP_GRACE_MS = 5_000;
/** By then one that serves has begun to send its clients away. */
const STOP_NOTICE_MS = 100;
const mainFile = join(import.meta.dirname, '..', 'main.ts');

/** `skypod up`: a control-plane process and a host process, each brought back alone when it dies. */
export async function runUp(options: UpOptions): Promise<void> {
  const listen = parseListenAddress(options.listen);
  const zones = parseZones(options.zones);
  const runtime = parseRuntime(options.runtime);
  const { leaving, options: departing } = parseControlPlaneFlags(options).departure;
  const privileged = parseTenants(options.privilegedTenants);
  parseRegistryList(options.registries);
  const data = openDataDirectory(options.dataDir, { create: true });
  const lock = acquireProcessLock(
    join(data.run, 'up.pid'),
    (pid) => `the data directory ${data.root} is in use by process ${pid}: stop it, or choose another with --data-dir`,
  );
  const logger = createLogger('supervisor', join(data.logs, 'supervisor.log'));
  const stop = shutdownSignal();
  const say = (line: string) => process.stdout.write(`${line}\n`);
  try {
    await awaitOrphans(data);
    await assertPortFree(listen);
    const common = ['--data-dir', data.root, '--zones', zones.join(',')];
    say(`starting the control plane on https://${options.listen} (data in ${data.root})`);
    const controlPlane = supervise({
      name: 'control plane',
      arguments: [
        ...[mainFile, 'control-plane', ...common, '--listen', options.listen],
        ...controlPlaneArguments(options),
      ],
      logFile: join(data.logs, 'control-plane.log'),
      logger,
      stopTimeoutMs: 20_000 + leaving.delayMs + leaving.drainMs + (departing.watchGraceMs ?? 0),
      onNotice: say,
    });
    try {
      if (!(await readyOrStopped(controlPlane.ready, stop))) return;
      say(`starting the host (${runtime} runtime)`);
      const host = supervise({
        name: 'host',
        arguments: [
          ...[mainFile, 'host', ...common, '--runtime', runtime],
          ...(options.registries === undefined ? [] : ['--registries', options.registries]),
          ...(privileged.length > 0 ? ['--privileged-tenants', privileged.join(',')] : []),
        ],
        logFile: join(data.logs, 'host.log'),
        logger,
        stopTimeoutMs: 20_000,
      });
      try {
        if (!(await readyOrStopped(host.ready, stop))) return;
        say(`skypod is ready: export KUBECONFIG=${data.kubeconfig}`);
        await aborted(stop);
        say('stopping (containers keep running; the next start adopts them)');
      } finally {
        await host.stop();
      }
    } finally {
      await controlPlane.stop();
    }
  } finally {
    lock.release();
  }
}

async function readyOrStopped(ready: Promise<void>, stop: AbortSignal): Promise<boolean> {
  await Promise.race([
    ready.catch((error: Error) => {
      throw new CommandError(error.message);
    }),
    aborted(stop),
  ]);
  return !stop.aborted;
}

/** Children of a supervisor that was killed end by themselves within seconds; starting earlier would race them. */
async function awaitOrphans(data: DataDirectory): Promise<void> {
  for (const name of ['control-plane', 'host']) {
    const path = join(data.run, `${name}.pid`);
    for (const deadline = Date.now() + 30_000; ; await sleep(100)) {
      const holder = lockHolder(path);
      if (holder === undefined) break;
      if (Date.now() > deadline)
        throw new CommandError(
          `process ${holder}, left by an earlier start in ${data.root}, does not end: end it first`,
        );
    }
  }
}

function parseZones(text: string): string[] {
  const zones = text
    .split(',')
    .map((zone) => zone.trim())
    .filter((zone) => zone !== '');
  for (const zone of zones)
    if (!/^[a-z0-9]([-a-z0-9]{0,38}[a-z0-9])?$/.test(zone))
      throw new CommandError(`--zones: "${zone}" is not a zone name (lower-case letters, digits and '-', at most 40)`);
  if (zones.length === 0 || new Set(zones).size !== zones.length)
    throw new CommandError('--zones wants one or more different names (for example zone-a,zone-b)');
  return zones;
}

function parseRegistryList(text = 'public'): RegistryPolicy {
  try {
    return parseRegistries(text);
  } catch (error) {
    throw new CommandError(`--registries: ${(error as Error).message}`);
  }
}

/** Of --privileged-tenants. */
function parseTenants(list = ''): string[] {
  const names = list.split(',').filter((name) => name !== '');
  for (const name of names)
    if (!/^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/.test(name))
      throw new CommandError(`--privileged-tenants: "${name}" is not a tenant's name`);
  return names;
}

function parseRuntime(text: string): 'containerd' | 'simulated' {
  if (text !== 'containerd' && text !== 'simulated')
    throw new CommandError(`--runtime ${text} is not known: containerd or simulated`);
  if (text === 'containerd' && process.getuid?.() !== 0)
    throw new CommandError('the containerd runtime needs root: run as root, or use --runtime simulated');
  return text;
}

/** Runs one of the two processes until it is told to stop; a failure to start is told to the supervisor in a line. */
async function runProcess(
  name: 'control-plane' | 'host',
  dataDir: string,
  run: (data: DataDirectory, stop: AbortSignal, onLeaving: (left: Promise<void>) => void) => Promise<void>,
): Promise<void> {
  // They are log files on the disk of the data: libraries that print into them while it is full end nothing.
  for (const stream of [process.stdout, process.stderr]) stream.on('error', () => {});
  let lock: ProcessLock | undefined;
  try {
    const data = openDataDirectory(dataDir, { create: true });
    lock = acquireProcessLock(
      join(data.run, `${name}.pid`),
      (pid) => `a ${name} of the data directory ${data.root} runs already (process ${pid})`,
    );
    const stop = shutdownSignal();
    let left: Promise<void> | undefined;
    const running = run(data, stop, (leaving) => (left = leaving));
    // Every step is safe to cut (that is what kill -9 does), so one that hangs may not hold up the end.
    const late = aborted(stop)
      .then(() => sleep(STOP_NOTICE_MS))
      .then(() => left)
      .then(() => sleep(STOP_GRACE_MS));
    await Promise.race([running, late]);
    lock.release();
    process.exit(0);
  } catch (error) {
    lock?.release();
    reportFatal(error instanceof Error ? error.message : String(error));
    reportAndExit(error);
  }
}

export async function runControlPlaneCommand(
  options: ControlPlaneFlags & { dataDir: string; listen: string; zones: string },
) {
  await runProcess('control-plane', options.dataDir, async (data, stop, onLeaving) => {
    const { runControlPlane } = await import('./control-plane.ts');
    const listen: ListenAddress = parseListenAddress(options.listen);
    const settings = parseControlPlaneFlags(options);
    const common = { data, listen, zones: parseZones(options.zones), settings, stop };
    await runControlPlane({ ...common, onReady: reportReady, onNotice: reportNotice, onLeaving });
  });
}

export async function runHostCommand(options: {
  dataDir: string;
  runtime: string;
  zones: string;
  servers?: string;
  privilegedTenants?: string;
  registries?: string;
}) {
  await runProcess('host', options.dataDir, async (data, stop) => {
    const { runHost } = await import('./host.ts');
    const runtime = parseRuntime(options.runtime);
    const servers = options.servers === undefined ? undefined : parseServers('--servers', options.servers);
    await runHost({
      data,
      runtime,
      zones: parseZones(options.zones),
      privilegedTenants: parseTenants(options.privilegedTenants),
      registries: parseRegistryList(options.registries),
      ...(servers !== undefined && { servers }),
      onReady: reportReady,
      stop,
    });
  });
}
