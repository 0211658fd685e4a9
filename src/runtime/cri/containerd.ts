import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  closeSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { connect } from 'node:net';
import { type Logger, silentLogger } from '../../base/log.ts';
import { installedHandlers, type RuntimeHandler, writeConfiguration } from './configuration.ts';
import { findProgram } from './find-program.ts';
import { ensureMountNamespace, removeMountNamespace, shareMountsBelow, unmountBelow } from './mount-namespace.ts';
import { type ContainerdPaths, containerdPaths } from './paths.ts';
import { importPauseImage } from './pause-image.ts';

export interface ContainerdOptions {
  /** The product's data directory; containerd keeps its images in `containerd/` below it. */
  dataDirectory: string;
  /** Where the host agent mounts volumes: mounts made below it later reach the containers. */
  sharedDirectory?: string;
  logger?: Logger;
}

interface ProcessRecord {
  pid: number;
  /** Start time in clock ticks since boot: tells the process from a later one of the same number. */
  startTicks: string;
  configurationHash: string;
}

/** Shims write a few lines a pod into it. */
const MAX_LOG_BYTES = 16 * 1024 * 1024;
const STARTUP_TIMEOUT_MS = 30_000;

/**
 * Keeps one containerd running, ours alone. It outlives this process, and its containers outlive it: after a crash of
 * either, the next start finds what runs by pid file and socket, or starts containerd again over the running shims.
 */
export class Containerd {
  readonly paths: ContainerdPaths;
  readonly handlers: RuntimeHandler[];
  readonly #sharedDirectory?: string;
  readonly #logger: Logger;
  #closed = false;
  #watch?: NodeJS.Timeout;
  #lastFailure = 'containerd is starting';
  #running?: ProcessRecord;
  #starting?: Promise<void>;

  constructor(options: ContainerdOptions) {
    this.paths = containerdPaths(options.dataDirectory);
    this.handlers = installedHandlers();
    this.#sharedDirectory = options.sharedDirectory;
    this.#logger = options.logger ?? silentLogger;
  }

  /** Why containerd cannot run on this machine; undefined when it can. */
  static missing(): string | undefined {
    if (process.platform !== 'linux') return 'containerd runs on Linux only';
    if (process.getuid?.() !== 0) return 'containerd needs root';
    for (const program of ['containerd', 'ctr', 'containerd-shim-runc-v2', 'nsenter', 'unshare', 'mount']) {
      if (findProgram(program) === undefined) return `${program} is not installed`;
    }
    if (installedHandlers().length === 0) return 'neither crun nor runc is installed';
    return undefined;
  }

  /** Resolves when it answers. @throws when it cannot be started. */
  async start(): Promise<void> {
    const missing = Containerd.missing();
    if (missing !== undefined) throw new Error(missing);
    if (this.#sharedDirectory !== undefined) await shareMountsBelow(this.#sharedDirectory);
    await ensureMountNamespace(this.paths);
    await this.#ensureRunning();
    await importPauseImage(this.paths);
    this.#watch = setInterval(() => void this.#supervise(), 500);
    this.#watch.unref();
  }

  /** The process that runs now. */
  get pid(): number | undefined {
    return this.#running?.pid;
  }

  failure(): string | undefined {
    return this.#running !== undefined && isAlive(this.#running) ? undefined : this.#lastFailure;
  }

  /** Stops watching; containerd and its containers go on. */
  close(): void {
    this.#closed = true;
    clearInterval(this.#watch);
  }

  /**
   * Ends containerd and removes its mount namespace and sockets. Containers must be removed before: they would go on
   * without anyone who knows of them. Images stay in the data directory.
   */
  async shutdown(): Promise<void> {
    this.close();
    await this.#starting?.catch(() => {});
    const record = this.#running ?? readRecord(this.paths.pidFile);
    if (record !== undefined) await end(record);
    this.#running = undefined;
    if (this.#sharedDirectory !== undefined) await unmountBelow(this.#sharedDirectory);
    await removeMountNamespace(this.paths);
  }

  async #supervise(): Promise<void> {
    // The writers append, so that the file may be cut under them.
    if ((statSync(this.paths.log, { throwIfNoEntry: false })?.size ?? 0) > MAX_LOG_BYTES) truncateSync(this.paths.log);
    if (this.#closed || this.#starting !== undefined || (this.#running !== undefined && isAlive(this.#running))) return;
    this.#logger.warn({ pid: this.#running?.pid }, 'containerd is gone; starting it again');
    this.#starting = this.#ensureRunning();
    try {
      await this.#starting;
    } catch (error) {
      // Asked again at the next tick; ready() says why meanwhile.
      this.#lastFailure = (error as Error).message;
    } finally {
      this.#starting = undefined;
    }
  }

  async #ensureRunning(): Promise<void> {
    const configuration = writeConfiguration(this.paths, this.handlers);
    const configurationHash = createHash('sha256').update(configuration).digest('hex');
    const known = readRecord(this.paths.pidFile);
    if (known !== undefined && isAlive(known)) {
      if (known.configurationHash === configurationHash) {
        await this.#waitForSocket(known);
        this.#running = known;
        this.#logger.info({ pid: known.pid }, 'adopted the running containerd');
        return;
      }
      await end(known);
    }
    const pid = this.#spawn();
    const record: ProcessRecord = { pid, startTicks: startTicksOf(pid) ?? '', configurationHash };
    // Written whole or not at all: a torn pid file would let a second containerd start beside the first.
    writeFileSync(`${this.paths.pidFile}.next`, JSON.stringify(record));
    renameSync(`${this.paths.pidFile}.next`, this.paths.pidFile);
    await this.#waitForSocket(record);
    this.#running = record;
    this.#logger.info({ pid }, 'started containerd');
  }

  /** nsenter turns into containerd by exec, so the pid is containerd's. */
  #spawn(): number {
    mkdirSync(this.paths.state, { recursive: true });
    rmSync(this.paths.socket, { force: true });
    const log = openSync(this.paths.log, 'a');
    const parameters = [`--mount=${this.paths.mountNamespace}`, 'containerd', '--config', this.paths.configuration];
    const child = spawn('nsenter', parameters, {
      detached: true,
      cwd: '/',
      stdio: ['ignore', log, log],
      // Go hands memory back late by default; a quieter collector is a smaller containerd.
      env: { PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', GOGC: '50' },
    });
    closeSync(log);
    child.on('error', (error) => (this.#lastFailure = error.message));
    child.unref();
    if (child.pid === undefined) throw new Error('nsenter could not be started');
    return child.pid;
  }

  async #waitForSocket(record: ProcessRecord): Promise<void> {
    const deadline = Date.now() + STARTUP_TIMEOUT_MS;
    while (!(await answers(this.paths.socket))) {
      if (!isAlive(record)) throw new Error(`containerd ended while starting; see ${this.paths.log}`);
      if (Date.now() > deadline) throw new Error(`containerd did not answer at ${this.paths.socket}`);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
}

function readRecord(pidFile: string): ProcessRecord | undefined {
  try {
    return JSON.parse(readFileSync(pidFile, 'utf8'));
  } catch {
    return undefined;
  }
}

function isAlive(record: ProcessRecord): boolean {
  return startTicksOf(record.pid) === record.startTicks;
}

/** Undefined when there is no such process, or only its unreaped rest. */
function startTicksOf(pid: number): string | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
    return fields[0] === 'Z' ? undefined : fields[19];
  } catch {
    return undefined;
  }
}

async function end(record: ProcessRecord): Promise<void> {
  for (const [signal, tries] of [
    ['SIGTERM', 400],
    ['SIGKILL', 100],
  ] as const) {
    for (let attempt = 0; attempt < tries; attempt++) {
      if (!isAlive(record)) return;
      if (attempt === 0) process.kill(record.pid, signal);
      await new Promise((resolve) => setTimeout(resolve, 25));
    }
  }
}

function answers(socketPath: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(socketPath);
    socket.on('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.on('error', () => resolve(false));
  });
}
