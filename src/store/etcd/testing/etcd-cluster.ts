import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePorts } from '../../../base/testing/local-server.ts';
import { until } from '../../../base/testing/until.ts';

/** Why tests with a real etcd can't run here; false when they can. */
export const etcdMissing: string | false =
  spawnSync('etcd', ['--version']).status === 0 ? false : 'etcd is not installed (Debian package etcd-server)';

export interface EtcdCluster {
  /** `127.0.0.1:PORT` of each member. */
  endpoints: string[];
  /** Where the members keep their data. */
  directory: string;
  /** SIGKILL, and waits for the end. */
  kill(member: number): Promise<void>;
  /** SIGSTOP and SIGCONT: a member that hangs, with its connections open. It answers nothing once `pause` has resolved. */
  pause(member: number): Promise<void>;
  resume(member: number): void;
  /** Starts a member that was killed, on its data. */
  start(member: number): void;
  /** Everything ended and removed. */
  destroy(): Promise<void>;
}

export interface EtcdClusterOptions {
  members?: number;
  /** TLS with a certificate that each member makes for itself. */
  secure?: boolean;
  /** TLS with these files (PEM), and for clients with a certificate of the authority alone. */
  tls?: { certFile: string; keyFile: string; caFile: string };
  /** Processes are started by `start` alone. */
  stopped?: boolean;
}

/** Fresh etcd processes, one or a cluster. They answer some hundred milliseconds later. */
export async function startEtcd(options: EtcdClusterOptions = {}): Promise<EtcdCluster> {
  const { members = 1, secure = false, tls, stopped = false } = options;
  const root = mkdtempSync(join(tmpdir(), `skypod-etcd-${process.pid}-`));
  const ports = await freePorts(members * 2);
  const client = (member: number) => `http${secure || tls !== undefined ? 's' : ''}://127.0.0.1:${ports[member]}`;
  const peer = (member: number) => `http://127.0.0.1:${ports[members + member]}`;
  const initial = Array.from({ length: members }, (_, member) => `m${member}=${peer(member)}`).join(',');
  const processes: (ChildProcess | undefined)[] = [];
  const start = (member: number) => {
    const child = spawn(
      // It ends with this process, however that ends.
      'setpriv',
      [
        ...['--pdeathsig', 'KILL', 'etcd'],
        ...['--name', `m${member}`, '--data-dir', join(root, `m${member}`), '--log-level', 'error'],
        ...['--listen-client-urls', client(member), '--advertise-client-urls', client(member)],
        ...['--listen-peer-urls', peer(member), '--initial-advertise-peer-urls', peer(member)],
        ...['--initial-cluster', initial, '--initial-cluster-token', root],
        // Quicker than etcd's own: the members are on one machine.
        ...(members === 1 ? ['--heartbeat-interval', '10', '--election-timeout', '100'] : []),
        ...(secure ? ['--auto-tls'] : []),
        ...(tls === undefined ? [] : ['--cert-file', tls.certFile, '--key-file', tls.keyFile]),
        ...(tls === undefined ? [] : ['--client-cert-auth', '--trusted-ca-file', tls.caFile]),
      ],
      { stdio: 'ignore' },
    );
    processes[member] = child;
  };
  const kill = async (member: number) => {
    const child = processes[member];
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const ended = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGKILL');
    await ended;
  };
  for (let member = 0; member < members && !stopped; member++) start(member);
  return {
    endpoints: Array.from({ length: members }, (_, member) => `127.0.0.1:${ports[member]}`),
    directory: root,
    kill,
    async pause(member) {
      const child = processes[member]!;
      child.kill('SIGSTOP');
      // One thread takes the signal and stops the others; on a busy machine they may go on answering meanwhile.
      await until(() => isStopped(child.pid!));
    },
    resume: (member) => void processes[member]?.kill('SIGCONT'),
    start,
    async destroy() {
      for (let member = 0; member < members; member++) await kill(member);
      rmSync(root, { recursive: true, force: true });
    },
  };
}

function isStopped(pid: number): boolean {
  const directory = `/proc/${pid}/task`;
  return readdirSync(directory).every((thread) => {
    const status = readFileSync(join(directory, thread, 'stat'), 'utf8');
    return status.slice(status.lastIndexOf(')') + 2).startsWith('T');
  });
}
