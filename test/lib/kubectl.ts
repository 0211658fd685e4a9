import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { cacheDirectory } from './cache.ts';
import { eventually } from './eventually.ts';
import { type CommandResult, runCommand } from './run-command.ts';

/** kubectl with one kubeconfig. Rejects when it exits with anything but 0. */
export interface Kubectl {
  (...args: string[]): Promise<string>;
  /** The same with a standard input. */
  input(text: string, ...args: string[]): Promise<string>;
  /** Never rejects. */
  try(...args: string[]): Promise<CommandResult>;
  tryInput(text: string, ...args: string[]): Promise<CommandResult>;
  json(...args: string[]): Promise<any>;
  /** A running kubectl, for watches, port-forward and the like; the caller ends it. */
  start(...args: string[]): import('node:child_process').ChildProcessWithoutNullStreams;
  readonly path: string;
  readonly kubeconfig: string;
}

export function kubectlWith(path: string, kubeconfig: string): Kubectl {
  const env = { ...process.env, KUBECONFIG: kubeconfig };
  // The discovery cache of kubectl is keyed by host:port, which test servers use again.
  const cache = ['--cache-dir', join(kubeconfig, '..', 'kubectl-cache')];
  const attempt = (args: string[], input?: string) => runCommand(path, [...cache, ...args], { env, input });
  const succeed = async (args: string[], input?: string) => {
    const result = await attempt(args, input);
    if (result.code !== 0)
      throw new Error(`kubectl ${args.join(' ')} exited ${result.code}: ${result.stderr}${result.stdout}`);
    return result.stdout;
  };
  return Object.assign((...args: string[]) => succeed(args), {
    input: (text: string, ...args: string[]) => succeed(args, text),
    try: (...args: string[]) => attempt(args),
    tryInput: (text: string, ...args: string[]) => attempt(args, text),
    json: async (...args: string[]) => JSON.parse(await succeed([...args, '-o', 'json'])),
    start: (...args: string[]) => spawn(path, [...cache, ...args], { env }),
    path,
    kubeconfig,
  });
}

/**
 * `kubectl wait --for=delete`, once it watches: begun a moment too late it finds nothing to wait for, which is an error
 * to older ones. What is given tells what was printed when the object is gone.
 */
export async function waitForDeletion(kubectl: Kubectl, name: string): Promise<() => Promise<string>> {
  const child = kubectl.start('wait', '--for=delete', name, '--timeout=60s', '-v=6');
  let log = '';
  child.stderr.on('data', (chunk) => (log += chunk));
  const ended = Promise.all([text(child.stdout), once(child, 'close')]);
  await eventually('kubectl watches', () => log.includes('watch=true') || child.exitCode !== null);
  return async () => {
    const [printed, [code]] = await ended;
    if (code !== 0) throw new Error(`kubectl wait for ${name} exited ${code}: ${log}`);
    return printed;
  };
}

function kubectlOnPath(): string | undefined {
  const { status, stdout } = spawnSync('sh', ['-c', 'command -v kubectl'], { encoding: 'utf8' });
  return status === 0 ? stdout.trim() : undefined;
}

/** The kubectl on PATH. */
export function newestKubectl(): string {
  const path = kubectlOnPath();
  if (path === undefined) throw new Error('there is no kubectl on PATH');
  return path;
}

/**
 * Debian's kubectl 1.20, which speaks SPDY, unpacked beside whatever is on PATH; undefined when Debian's packages
 * cannot be had.
 */
function debianKubectl(): string | undefined {
  const directory = join(cacheDirectory, 'kubectl-debian');
  const path = join(directory, 'usr', 'bin', 'kubectl');
  if (existsSync(path)) return path;
  try {
    mkdirSync(cacheDirectory, { recursive: true });
    const work = mkdtempSync(join(cacheDirectory, 'unpack-'));
    execFileSync('sh', ['-c', 'apt-get download -q kubernetes-client && dpkg -x kubernetes-client_*.deb out'], {
      cwd: work,
      stdio: 'pipe',
    });
    rmSync(directory, { recursive: true, force: true });
    renameSync(join(work, 'out'), directory);
    rmSync(work, { recursive: true, force: true });
    return path;
  } catch {
    return undefined;
  }
}

/** Every kubectl that can be had here, by version; there may be none. */
export function everyKubectl(): { version: string; path: string }[] {
  const versions = new Map<string, string>();
  for (const path of [kubectlOnPath(), debianKubectl()]) {
    if (path === undefined) continue;
    const text = execFileSync(path, ['version', '--client', '-o', 'json'], { encoding: 'utf8' });
    versions.set(JSON.parse(text).clientVersion.gitVersion, path);
  }
  return [...versions].map(([version, path]) => ({ version, path }));
}

/** Why a test that needs a newer kubectl than 1.`minor` cannot run here; false when it can. */
export function needsKubectl(minor: number): string | false {
  const text = execFileSync(newestKubectl(), ['version', '--client', '-o', 'json'], { encoding: 'utf8' });
  const { minor: found } = JSON.parse(text).clientVersion;
  return Number.parseInt(found, 10) >= minor ? false : `needs kubectl 1.${minor}, here is 1.${found}`;
}
