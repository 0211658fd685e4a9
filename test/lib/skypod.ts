import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from '../../src/base/testing/local-server.ts';
import { eventually } from './eventually.ts';
import { type Kubectl, kubectlWith, newestKubectl } from './kubectl.ts';
import { type CommandResult, runCommand } from './run-command.ts';

export const checkout = join(import.meta.dirname, '..', '..');
export const launcher = join(checkout, 'skypod');
export const isRoot = process.getuid?.() === 0;

export interface SkypodOptions {
  runtime: 'containerd' | 'simulated';
  zones?: string[];
  /** An earlier one's, to start again on its data. */
  dataDir?: string;
  port?: number;
  /** More for `skypod up`. */
  args?: string[];
}

/** A `./skypod up` of its own, on a data directory and a port of its own. */
export interface Skypod {
  readonly dataDir: string;
  readonly port: number;
  readonly url: string;
  readonly process: ChildProcess;
  /** Everything it printed. */
  output(): string;
  /** As the admin of tenant `default`. */
  readonly kubectl: Kubectl;
  /** As the operator. */
  readonly systemKubectl: Kubectl;
  kubectlOf(tenant: string): Kubectl;
  /** `./skypod ARGUMENTS --data-dir …` */
  run(...args: string[]): Promise<CommandResult>;
  /** The living pid of a child by its pid file. */
  pidOf(name: 'control-plane' | 'host'): number;
  /** SIGTERM, and waits for the end. */
  stop(): Promise<void>;
  /** Ends it together with its containers and removes its data. */
  destroy(): Promise<void>;
}

export async function startSkypod(options: SkypodOptions): Promise<Skypod> {
  const dataDir = options.dataDir ?? mkdtempSync(join(tmpdir(), `skypod-test-${process.pid}-`));
  const port = options.port ?? (await freePort());
  const args = ['up', '--data-dir', dataDir, '--listen', `127.0.0.1:${port}`, '--runtime', options.runtime];
  if (options.zones !== undefined) args.push('--zones', options.zones.join(','));
  args.push(...(options.args ?? []));
  const child = spawn(launcher, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  child.stdout.on('data', (chunk) => (output += chunk));
  child.stderr.on('data', (chunk) => (output += chunk));
  const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  const kubectlOf = (kubeconfig: string) => kubectlWith(newestKubectl(), kubeconfig);

  const skypod: Skypod = {
    dataDir,
    port,
    url: `https://127.0.0.1:${port}`,
    process: child,
    output: () => output,
    kubectl: kubectlOf(join(dataDir, 'kubeconfig')),
    systemKubectl: kubectlOf(join(dataDir, 'system.kubeconfig')),
    kubectlOf: (tenant) => kubectlOf(join(dataDir, 'tenants', `${tenant}.kubeconfig`)),
    run: (...words) => runCommand(launcher, [...words, '--data-dir', dataDir]),
    pidOf: (name) => Number(readFileSync(join(dataDir, 'run', `${name}.pid`), 'utf8').split(' ')[0]),
    async stop() {
      if (child.exitCode === null && child.signalCode === null) child.kill('SIGTERM');
      await exited;
    },
    async destroy() {
      await skypod.stop();
      const cleaned = await runCommand(launcher, ['down', '--data-dir', dataDir]);
      if (cleaned.code !== 0) throw new Error(`skypod down failed: ${cleaned.stderr}`);
      rmSync(dataDir, { recursive: true, force: true });
    },
  };
  try {
    await eventually('skypod is ready', () => {
      if (child.exitCode !== null) throw new Error(`skypod up ended with ${child.exitCode}`);
      return output.includes('skypod is ready');
    });
  } catch (error) {
    child.kill('SIGTERM');
    await exited;
    throw new Error(`${(error as Error).message}; it said: ${output}`);
  }
  return skypod;
}
