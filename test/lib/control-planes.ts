import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, existsSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePorts } from '../../src/base/testing/local-server.ts';
import type { HttpTransport } from '../../src/client/http-transport.ts';
import { transportFromKubeconfig } from '../../src/client/kubeconfig.ts';
import { type EtcdCluster, startEtcd } from '../../src/store/etcd/testing/etcd-cluster.ts';
import { startProxy } from '../../src/store/etcd/testing/proxy.ts';
import { eventually } from './eventually.ts';
import { checkout } from './skypod.ts';

/**
 * The time others wait for a silent leader; short, so that a test sees several terms. A machine that has hardly time for
 * these processes needs more: there leaders would lose their leases for nothing but that.
 */
export const leaseDurationMs = Number(process.env['SKYPOD_FAULTS_LEASE_SECONDS'] ?? 4) * 1000;
/** How long anything may take that is to happen in the end: several of these runs may share a machine with much else. */
export const patienceMs = 300_000;

export interface ControlPlane {
  index: number;
  url: string;
  dataDir: string;
  /** As the admin of tenant `default`, to this control plane only. */
  transport: HttpTransport;
  start(): void;
  /** Resolves when it has loaded and serves. */
  ready(): Promise<void>;
  signal(signal: NodeJS.Signals): void;
  /** Nothing goes between it and etcd any more, in neither direction, and no connection ends. */
  partition(): void;
  /** Whether this is among what it sent in vain. */
  sends(text: string): boolean;
  /** Its connections with etcd break, and it makes new ones. */
  cut(): void;
  /** Its clock is set: an hour forward, an hour back, and right again. */
  setClock(): void;
  /** What it sent in vain arrives now; then they can speak again. */
  heal(): Promise<void>;
  /** SIGKILL, and waits for the end. */
  kill(): Promise<void>;
  /** Lines of its log, of all its lives. */
  log(): { time: string; msg: string; identity?: string; [field: string]: unknown }[];
  /** When its lives ended, by the clock, in milliseconds. */
  ends: number[];
}

export interface ControlPlanes {
  etcd: EtcdCluster;
  planes: ControlPlane[];
  /** The one that leads, as far as their logs say. */
  leader(): ControlPlane | undefined;
  /** The ends of all logs, for a test that failed. */
  lastWords(): string[];
  destroy(): Promise<void>;
}

/** Three etcd members, three control planes on them, and a simulated host that knows all three. */
export async function startControlPlanes({ args: more = [] }: { args?: string[] } = {}): Promise<ControlPlanes> {
  const root = mkdtempSync(join(tmpdir(), `skypod-ha-${process.pid}-`));
  const etcd = await startEtcd({ members: 3 });
  const ports = await freePorts(3);
  // Each control plane reaches each member by a way of its own.
  const ways = await Promise.all(ports.map(() => Promise.all(etcd.endpoints.map(startProxy))));
  const url = (index: number) => `https://127.0.0.1:${ports[index]}`;
  const main = join(checkout, 'src', 'main.ts');
  const settableClock = join(checkout, 'test', 'lib', 'settable-clock.ts');
  const children = new Set<ChildProcess>();
  const run = (name: string, args: string[], onEnd = () => {}) => {
    const log = openSync(join(root, `${name}.log`), 'a');
    // With a channel: it ends when this process is gone.
    const child = spawn(process.execPath, ['--import', settableClock, main, ...args], {
      stdio: ['ignore', log, log, 'ipc'],
    });
    closeSync(log);
    children.add(child);
    child.once('exit', () => {
      children.delete(child);
      onEnd();
    });
    return child;
  };
  const ended = (child: ChildProcess) =>
    child.exitCode !== null || child.signalCode !== null
      ? Promise.resolve()
      : new Promise<void>((resolve) => child.once('exit', () => resolve()));

  const words = (name: string) => {
    const path = join(root, `${name}.log`);
    const lines = existsSync(path) ? readFileSync(path, 'utf8').trim().split('\n') : [];
    return lines.slice(-25).map((line) => `${name}: ${line.slice(0, 500)}`);
  };

  let isDestroyed = false;
  const planes = ports.map((port, index): ControlPlane => {
    const dataDir = join(root, `plane-${index}`);
    const args = ['control-plane', '--data-dir', dataDir, '--listen', `127.0.0.1:${port}`];
    args.push(
      '--store',
      `etcd://${ways[index]!.map(({ endpoint }) => endpoint).join(',')}`,
      '--cluster-key-file',
      join(root, 'cluster.key'),
    );
    args.push(
      '--peers',
      [0, 1, 2]
        .filter((other) => other !== index)
        .map(url)
        .join(','),
    );
    args.push(
      '--leader-elect-lease-duration',
      `${leaseDurationMs}ms`,
      '--leader-elect-renew-deadline',
      `${leaseDurationMs * 0.625}ms`,
    );
    args.push('--leader-elect-retry-period', `${leaseDurationMs / 8}ms`, ...more);
    let child: ChildProcess | undefined;
    let transport: HttpTransport | undefined;
    const plane: ControlPlane = {
      index,
      url: url(index),
      dataDir,
      ends: [],
      get transport() {
        transport ??= transportFromKubeconfig(join(dataDir, 'kubeconfig'), { requestTimeoutMs: 8_000 });
        return transport;
      },
      start() {
        child = run(`plane-${index}`, args, () => {
          plane.ends.push(Date.now());
          // A leader that cannot stop its work in time ends itself, and its supervisor brings it back. No other end is expected.
          const isStuck = words(`plane-${index}`).at(-1)?.includes('work went on after the lease was lost') === true;
          if (isStuck && !isDestroyed) plane.start();
        });
      },
      async ready() {
        await eventually(
          `control plane ${index} is ready (its log: ${join(root, `plane-${index}.log`)})`,
          async () => {
            if (child?.exitCode)
              throw new Error(`control plane ${index} ended:\n${words(`plane-${index}`).join('\n')}`);
            if (!existsSync(join(dataDir, 'kubeconfig'))) return false;
            return plane.transport.request(readiness).catch(() => false as const);
          },
          { timeoutMs: patienceMs },
        );
      },
      signal: (signal) => void child?.kill(signal),
      partition() {
        for (const way of ways[index]!) {
          way.refuse(true);
          way.holdRequests();
          way.dropAnswers();
        }
      },
      sends: (text) => ways[index]!.some((way) => way.holds(text)),
      cut() {
        for (const way of ways[index]!) way.cutClients();
      },
      setClock: () => void child?.kill('SIGUSR2'),
      async heal() {
        for (const way of ways[index]!) {
          way.cutClients();
          await way.deliver();
          way.refuse(false);
        }
      },
      async kill() {
        child?.kill('SIGKILL');
        if (child !== undefined) await ended(child);
      },
      log: () =>
        rightTimes(
          readFileSync(join(root, `plane-${index}.log`), 'utf8')
            .split('\n')
            .filter((line) => line.startsWith('{') && line.endsWith('}'))
            .map((line) => JSON.parse(line)),
        ),
    };
    return plane;
  });

  const cluster: ControlPlanes = {
    etcd,
    planes,
    leader() {
      const terms = planes.flatMap((plane) => leaderTerms(plane).map((term) => ({ plane, ...term })));
      return terms.find((term) => term.endMs === Number.POSITIVE_INFINITY)?.plane;
    },
    lastWords: () => ['plane-0', 'plane-1', 'plane-2', 'host'].flatMap(words),
    async destroy() {
      isDestroyed = true;
      // The host first, and in good order: what it does not take down is left behind.
      host?.kill('SIGTERM');
      if (host !== undefined) await ended(host);
      for (const child of [...children]) child.kill('SIGKILL');
      await Promise.all([...children].map(ended));
      await Promise.all(ways.flat().map((way) => way.close()));
      await etcd.destroy();
      rmSync(root, { recursive: true, force: true });
    },
  };
  let host: ChildProcess | undefined;
  try {
    for (const plane of planes) plane.start();
    await Promise.all(planes.map((plane) => plane.ready()));
    host = run('host', ['host', '--data-dir', planes[0]!.dataDir, '--runtime', 'simulated']);
  } catch (error) {
    await cluster.destroy();
    throw error;
  }
  return cluster;
}

const readiness = { method: 'GET', path: '/api/v1/namespaces/default' } as const;

type LogLine = ReturnType<ControlPlane['log']>[number];

/** As if the clock had never been set. */
function rightTimes(lines: LogLine[]): LogLine[] {
  let offsetMs = 0;
  return lines.map((line) => {
    if (line.msg?.startsWith('the clock ')) offsetMs = Number(line['offsetMs']);
    return offsetMs === 0 ? line : { ...line, time: new Date(Date.parse(line.time) - offsetMs).toISOString() };
  });
}

/** From and until when a control plane led: it says so itself, or it was killed. */
export function leaderTerms(plane: ControlPlane): { startMs: number; endMs: number }[] {
  const terms: { startMs: number; endMs: number }[] = [];
  for (const { time, msg } of plane.log()) {
    const atMs = Date.parse(time);
    if (msg === 'became the leader') terms.push({ startMs: atMs, endMs: Number.POSITIVE_INFINITY });
    if (msg === 'leads no more') terms.at(-1)!.endMs = atMs;
  }
  for (const term of terms) {
    const end = plane.ends.find((each) => each >= term.startMs);
    term.endMs = Math.min(term.endMs, end ?? Number.POSITIVE_INFINITY);
  }
  return terms;
}

/** How long leaders that lost their lease went on, in milliseconds, and how many of them had to end themselves. */
export function stepDowns(plane: ControlPlane): { tookMs: number[]; forced: number } {
  const tookMs: number[] = [];
  let forced = 0;
  let lostMs: number | undefined;
  for (const { time, msg } of plane.log()) {
    if (msg === 'lost the lease') lostMs = Date.parse(time);
    const isForced = msg?.startsWith('work went on after the lease was lost') === true;
    if (isForced) forced++;
    if (lostMs === undefined || (msg !== 'leads no more' && !isForced)) continue;
    tookMs.push(Date.parse(time) - lostMs);
    lostMs = undefined;
  }
  return { tookMs, forced };
}
