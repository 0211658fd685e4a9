import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { CertificateAuthority } from '../../src/apiserver/identity/certificate-authority.ts';
import { freePort, freePorts } from '../../src/base/testing/local-server.ts';
import { buildPrograms } from '../conformance/build.ts';
import { eventually } from '../lib/eventually.ts';
import { launcher } from '../lib/skypod.ts';
import { type Endpoint, Http2Client, type Request } from './http2-client.ts';

/** A server under load: started for this run alone, and ended by it. */
export interface PeerServer {
  readonly name: string;
  /** Of a user whom a ClusterRoleBinding makes cluster-admin: its requests are authorized by roles. */
  readonly endpoint: Endpoint;
  /** Everything that does the server's work. */
  readonly pids: number[];
  destroy(): Promise<void>;
}

/** `skypod control-plane` with its defaults: the store is lmdb, and a write is answered when it is on disk. */
export async function startSkypodPeer(directory: string): Promise<PeerServer> {
  const dataDir = join(directory, 'skypod');
  const port = await freePort();
  const log = join(directory, 'skypod.log');
  const args = ['control-plane', '--data-dir', dataDir, '--listen', `127.0.0.1:${port}`];
  const child = start('skypod', launcher, args, log);
  const pidFile = join(dataDir, 'run', 'control-plane.pid');
  const kubeconfig = join(dataDir, 'kubeconfig');
  await alive(child, log, 'skypod control-plane writes its kubeconfig', () => existsSync(kubeconfig));
  const authority = await loadAuthority(dataDir);
  const admin = await authority.issueTenantUser('default', 'admin', ['system:masters']);
  const user = await authority.issueTenantUser('default', 'peers', []);
  const at = { host: '127.0.0.1', port, caPem: authority.certificatePem };
  await alive(child, log, 'skypod is ready', () => ready({ ...at, ...admin }));
  await makeClusterAdmin({ ...at, ...admin });
  return {
    name: 'Skypod',
    endpoint: { ...at, ...user },
    pids: [Number(readFileSync(pidFile, 'utf8').split(' ')[0])],
    destroy: () => end(child),
  };
}

async function loadAuthority(dataDir: string): Promise<CertificateAuthority> {
  const read = (name: string) => readFileSync(join(dataDir, 'pki', name), 'utf8');
  return CertificateAuthority.load({ certificatePem: read('ca.crt'), keyPem: read('ca.key') });
}

/** kube-apiserver with its defaults (RBAC, client certificates, no audit) over one etcd with its defaults (fsync). */
export async function startKubernetesPeer(directory: string): Promise<PeerServer> {
  const { 'kube-apiserver': program } = buildPrograms(['kube-apiserver']);
  const pki = join(directory, 'pki');
  mkdirSync(pki, { recursive: true });
  const write = (name: string, content: string) => {
    writeFileSync(join(pki, name), content, { mode: 0o600 });
    return join(pki, name);
  };
  const authority = await CertificateAuthority.create('peers-ca');
  const serving = await authority.issueServing(['127.0.0.1']);
  const admin = await authority.issueClient({ user: 'admin', groups: ['system:masters'] });
  const user = await authority.issueClient({ user: 'peers' });
  const tokenKey = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey;
  const tokenKeyFile = write('token.key', tokenKey.export({ type: 'sec1', format: 'pem' }) as string);

  const [etcdPort, etcdPeerPort, port] = await freePorts(3);
  const etcdLog = join(directory, 'etcd.log');
  const etcdUrl = `http://127.0.0.1:${etcdPort}`;
  const etcd = start(
    'etcd',
    'etcd',
    [
      `--data-dir=${join(directory, 'etcd')}`,
      `--listen-client-urls=${etcdUrl}`,
      `--advertise-client-urls=${etcdUrl}`,
      `--listen-peer-urls=http://127.0.0.1:${etcdPeerPort}`,
      `--initial-advertise-peer-urls=http://127.0.0.1:${etcdPeerPort}`,
      `--initial-cluster=default=http://127.0.0.1:${etcdPeerPort}`,
    ],
    etcdLog,
  );
  const log = join(directory, 'kube-apiserver.log');
  let server: ChildProcess | undefined;
  const destroy = async () => {
    if (server !== undefined) await end(server);
    await end(etcd);
  };
  try {
    await alive(etcd, etcdLog, 'etcd is healthy', async () => (await fetch(`${etcdUrl}/health`)).ok);
    server = start(
      'kube-apiserver',
      program,
      [
        `--etcd-servers=${etcdUrl}`,
        '--bind-address=127.0.0.1',
        '--advertise-address=127.0.0.1',
        `--secure-port=${port}`,
        `--tls-cert-file=${write('serving.crt', serving.certificatePem)}`,
        `--tls-private-key-file=${write('serving.key', serving.keyPem)}`,
        `--client-ca-file=${write('ca.crt', authority.certificatePem)}`,
        '--authorization-mode=Node,RBAC',
        '--enable-admission-plugins=NodeRestriction',
        '--allow-privileged=true',
        '--service-cluster-ip-range=10.96.0.0/16',
        '--service-account-issuer=https://kubernetes.default.svc',
        `--service-account-key-file=${tokenKeyFile}`,
        `--service-account-signing-key-file=${tokenKeyFile}`,
        '--endpoint-reconciler-type=none',
      ],
      log,
    );
    const at = { host: '127.0.0.1', port, caPem: authority.certificatePem };
    await alive(server, log, 'kube-apiserver is ready', () => ready({ ...at, ...admin }));
    await makeClusterAdmin({ ...at, ...admin });
    return { name: 'kube-apiserver + etcd', endpoint: { ...at, ...user }, pids: [server.pid!, etcd.pid!], destroy };
  } catch (error) {
    await destroy();
    throw error;
  }
}

/** Why the peer cannot be started here; undefined when it can. */
export function missingForKubernetes(): string | undefined {
  if (spawnSync('etcd', ['--version']).status !== 0) return "there is no etcd on PATH (Debian's package etcd-server)";
  try {
    buildPrograms(['kube-apiserver']);
    return undefined;
  } catch (error) {
    return (error as Error).message;
  }
}

function start(name: string, file: string, args: string[], log: string): ChildProcess {
  writeFileSync(log, '');
  const child = spawn('sh', ['-c', 'exec "$0" "$@" >>"$LOG" 2>&1', file, ...args], {
    env: { ...process.env, LOG: log },
    stdio: 'ignore',
  });
  child.on('error', (error) => console.error(`${name}: ${error.message}`));
  return child;
}

async function alive(child: ChildProcess, log: string, what: string, condition: () => Promise<boolean> | boolean) {
  const tail = () => readFileSync(log, 'utf8').slice(-3000);
  await eventually(what, async () => {
    if (child.exitCode !== null) throw new Error(`${what}: the process ended with ${child.exitCode}\n${tail()}`);
    return await Promise.resolve(condition()).catch(() => false);
  });
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  child.kill('SIGTERM');
  const kill = setTimeout(() => child.kill('SIGKILL'), 20_000);
  await ended;
  clearTimeout(kill);
}

export async function once(endpoint: Endpoint, request: Request): Promise<{ status: number; body: string }> {
  const client = await Http2Client.connect(endpoint);
  try {
    const { status, chunks } = await client.request(request, true);
    return { status, body: Buffer.concat(chunks).toString() };
  } finally {
    client.destroy();
  }
}

const ready = async (endpoint: Endpoint) => (await once(endpoint, { method: 'GET', path: '/readyz' })).status === 200;

/** Made, or there already. */
export async function ensure(endpoint: Endpoint, path: string, object: object): Promise<void> {
  const body = Buffer.from(JSON.stringify(object));
  await eventually(`${path} takes an object`, async () => {
    const answer = await once(endpoint, { method: 'POST', path, body, contentType: 'application/json' });
    return answer.status === 201 || answer.status === 409;
  });
}

async function makeClusterAdmin(endpoint: Endpoint): Promise<void> {
  await ensure(endpoint, '/apis/rbac.authorization.k8s.io/v1/clusterrolebindings', {
    metadata: { name: 'peers' },
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'cluster-admin' },
    subjects: [{ apiGroup: 'rbac.authorization.k8s.io', kind: 'User', name: 'peers' }],
  });
}

/** A namespace that takes pods. Without a controller manager nobody else makes the service account they need. */
export async function makeNamespace(endpoint: Endpoint, name: string): Promise<void> {
  await ensure(endpoint, '/api/v1/namespaces', { metadata: { name } });
  await ensure(endpoint, `/api/v1/namespaces/${name}/serviceaccounts`, { metadata: { name: 'default' } });
}

export function removeDirectory(directory: string): void {
  rmSync(directory, { recursive: true, force: true });
}
