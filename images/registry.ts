import { spawn } from 'node:child_process';
import { closeSync, existsSync, mkdirSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { get } from 'node:http';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

export interface Registry {
  /** `127.0.0.1:PORT`, the first part of its images' references. */
  address: string;
  port: number;
  directory: string;
}

/** Where the address of the examples' images comes from. */
export const DEFAULT_REGISTRY_PORT = 5055;

/**
 * Starts Debian's docker-registry on loopback, in the background, or finds the one already running there.
 * Registries on several ports may share a directory, and so their images.
 * @throws when the port is in use by something else.
 */
export async function startRegistry(directory: string, port = DEFAULT_REGISTRY_PORT): Promise<Registry> {
  const address = `127.0.0.1:${port}`;
  mkdirSync(join(directory, 'data'), { recursive: true });
  if (runningProcess(directory, port) !== undefined && (await answers(port))) return { address, port, directory };
  await stopRegistry(directory, port);
  if (await answers(port)) throw new Error(`port ${port} is in use; choose another registry port`);
  const configuration = {
    version: 0.1,
    log: { level: 'warn' },
    storage: { filesystem: { rootdirectory: join(directory, 'data') }, delete: { enabled: true } },
    http: { addr: address },
  };
  const configurationPath = configurationFile(directory, port);
  writeFileSync(configurationPath, JSON.stringify(configuration));
  const log = openSync(join(directory, 'registry.log'), 'a');
  const child = spawn('docker-registry', ['serve', configurationPath], { detached: true, stdio: ['ignore', log, log] });
  closeSync(log);
  let failure: string | undefined;
  child.on('error', (error) => (failure = error.message));
  child.on('exit', (code) => (failure ??= `it ended with code ${code}`));
  child.unref();
  if (child.pid !== undefined) writeFileSync(pidFile(directory, port), String(child.pid));
  for (let attempt = 0; attempt < 200 && failure === undefined; attempt++) {
    if (await answers(port)) return { address, port, directory };
    await sleep(50);
  }
  throw new Error(`docker-registry did not start (${failure ?? 'no answer'}); see ${join(directory, 'registry.log')}`);
}

/** Stops the registry that keeps its images in `directory`; succeeds when none runs. The images stay. */
export async function stopRegistry(directory: string, port = DEFAULT_REGISTRY_PORT): Promise<void> {
  const pid = runningProcess(directory, port);
  if (pid !== undefined) {
    process.kill(pid, 'SIGTERM');
    for (let attempt = 0; attempt < 100 && runningProcess(directory, port) !== undefined; attempt++) await sleep(50);
    if (runningProcess(directory, port) !== undefined) process.kill(pid, 'SIGKILL');
  }
  rmSync(pidFile(directory, port), { force: true });
}

/** The pid in the file, if that process is (still) our registry and not some other that got its number. */
function runningProcess(directory: string, port: number): number | undefined {
  const path = pidFile(directory, port);
  if (!existsSync(path)) return undefined;
  const pid = Number(readFileSync(path, 'utf8'));
  try {
    const words = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
    return words.includes(configurationFile(directory, port)) ? pid : undefined;
  } catch {
    return undefined;
  }
}

function pidFile(directory: string, port: number): string {
  return join(directory, `registry-${port}.pid`);
}

function configurationFile(directory: string, port: number): string {
  return join(directory, `config-${port}.yml`);
}

function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const request = get({ host: '127.0.0.1', port, path: '/v2/', timeout: 2000 }, (response) => {
      response.resume();
      resolve(true);
    });
    request.on('timeout', () => request.destroy());
    request.on('error', () => resolve(false));
  });
}
