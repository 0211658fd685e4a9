import { randomUUID } from 'node:crypto';
import { appendFileSync, mkdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { Duplex } from 'node:stream';
import { type Clock, systemClock } from '../../base/clock.ts';
import type {
  ContainerConfig,
  ContainerResources,
  ContainerState,
  ContainerStats,
  ExecOptions,
  ExecSession,
  ImageStatus,
  PodSandbox,
  PodSandboxConfig,
  SandboxRuntime,
} from '../sandbox-runtime.ts';
import { type Behaviour, behaviourWords, parseBehaviour } from './behaviour.ts';
import { attachSession, execSession, execToEnd } from './execution.ts';
import { SimulatedImages } from './images.ts';
import { Journal } from './journal.ts';
import { type Program, planProgram } from './program.ts';

export interface SimulatedRuntimeOptions {
  /** Where sandboxes, containers and images are kept, so that a restarted host adopts them. Absent: in memory only. */
  stateDirectory?: string;
  /** How long each verb takes, in ms; 0 where absent. */
  latencies?: { sandboxMs?: number; pullMs?: number; createMs?: number; startMs?: number; stopMs?: number };
  clock?: Clock;
}

interface SandboxRecord {
  kind: 'sandbox';
  sandbox: PodSandbox;
  hostname: string;
  logDirectory: string;
}

interface ContainerRecord {
  kind: 'container';
  status: ContainerState;
  command: string[];
  environment: Record<string, string>;
  hostname: string;
  words: string;
  /** How many of the program's outputs are in the log already. */
  outputsWritten: number;
}

type StoredRecord = SandboxRecord | ContainerRecord | { kind: 'image'; image: ImageStatus; name: string };

/** What is derived from a record and not kept over a restart. */
interface LiveContainer {
  record: ContainerRecord;
  behaviour: Behaviour;
  program: Program;
  cancelTimer?: () => void;
  /** Called when it has exited. */
  exitWaiters: Set<() => void>;
  /** Attached sessions. */
  outputListeners: Set<(stream: 'stdout' | 'stderr', text: string) => void>;
}

/**
 * The whole port without a process: sandboxes, containers and images are records, their ends are timers. Behaviour is
 * set by annotations, image names and simple commands (behaviour.ts, program.ts).
 */
export function createSimulatedRuntime(options: SimulatedRuntimeOptions = {}): SandboxRuntime {
  return new SimulatedRuntime(options);
}

class SimulatedRuntime implements SandboxRuntime {
  readonly #clock: Clock;
  readonly #latencies: NonNullable<SimulatedRuntimeOptions['latencies']>;
  readonly #journal?: Journal<StoredRecord>;
  readonly #sandboxes = new Map<string, SandboxRecord>();
  readonly #sandboxIdOfPod = new Map<string, string>();
  readonly #containers = new Map<string, LiveContainer>();
  readonly #containersOfSandbox = new Map<string, Set<string>>();
  readonly #images: SimulatedImages;
  readonly #listeners = new Set<(event: { podUid: string }) => void>();
  #closed = false;

  constructor(options: SimulatedRuntimeOptions) {
    this.#clock = options.clock ?? systemClock;
    this.#latencies = options.latencies ?? {};
    this.#images = new SimulatedImages((name, image) => {
      if (image === undefined) this.#journal?.delete(`image ${name}`);
      else this.#journal?.set(`image ${name}`, { kind: 'image', image, name });
    });
    if (options.stateDirectory !== undefined) {
      this.#journal = new Journal(options.stateDirectory);
      for (const [id, record] of this.#journal.entries()) {
        if (record.kind === 'sandbox') this.#addSandbox(id, record);
        else if (record.kind === 'image') this.#images.adopt(record.name, record.image);
        else this.#adopt(record);
      }
    }
  }

  async version() {
    return { runtimeName: 'simulated', runtimeVersion: '1' };
  }

  async ready() {
    return { ready: !this.#closed };
  }

  async runPodSandbox(config: PodSandboxConfig): Promise<string> {
    await this.#delay(this.#latencies.sandboxMs);
    const { uid, attempt } = config.metadata;
    if (this.#sandboxIdOfPod.has(`${uid}/${attempt}`))
      throw new Error(`sandbox of pod ${uid}, attempt ${attempt}, exists already`);
    const id = newId();
    const record: SandboxRecord = {
      kind: 'sandbox',
      sandbox: {
        id,
        metadata: config.metadata,
        state: 'ready',
        createdAt: this.#clock.now(),
        labels: config.labels,
        annotations: config.annotations,
      },
      hostname: config.hostname,
      logDirectory: config.logDirectory,
    };
    this.#addSandbox(id, record);
    this.#journal?.set(id, record);
    this.#emit(uid);
    return id;
  }

  async stopPodSandbox(sandboxId: string): Promise<void> {
    const record = this.#sandboxes.get(sandboxId);
    if (record === undefined || record.sandbox.state === 'notReady') return;
    for (const id of this.#containersOfSandbox.get(sandboxId) ?? []) {
      const container = this.#containers.get(id)!;
      if (container.record.status.state === 'running') this.#exit(container, 137, 'Error');
    }
    record.sandbox = { ...record.sandbox, state: 'notReady' };
    this.#journal?.set(sandboxId, record);
    this.#emit(record.sandbox.metadata.uid);
  }

  async removePodSandbox(sandboxId: string): Promise<void> {
    const record = this.#sandboxes.get(sandboxId);
    if (record === undefined) return;
    await this.stopPodSandbox(sandboxId);
    for (const id of this.#containersOfSandbox.get(sandboxId) ?? []) await this.removeContainer(id);
    this.#containersOfSandbox.delete(sandboxId);
    this.#sandboxes.delete(sandboxId);
    this.#sandboxIdOfPod.delete(podKeyOf(record));
    this.#journal?.delete(sandboxId);
    this.#emit(record.sandbox.metadata.uid);
  }

  async listPodSandboxes(): Promise<PodSandbox[]> {
    return [...this.#sandboxes.values()].map((record) => record.sandbox);
  }

  async createContainer(sandboxId: string, config: ContainerConfig): Promise<string> {
    await this.#delay(this.#latencies.createMs);
    const sandbox = this.#sandboxes.get(sandboxId);
    if (sandbox === undefined) throw new Error(`sandbox ${sandboxId} not found`);
    if (sandbox.sandbox.state !== 'ready') throw new Error(`sandbox ${sandboxId} is not running`);
    const image = this.#images.find(config.image);
    if (image === undefined) throw new Error(`image ${config.image} not found`);
    const annotations = { ...sandbox.sandbox.annotations, ...config.annotations };
    const words = behaviourWords(config.metadata.name, image.repoTags[0] ?? config.image, annotations);
    parseBehaviour(words);
    const record: ContainerRecord = {
      kind: 'container',
      status: {
        id: newId(),
        sandboxId,
        podUid: sandbox.sandbox.metadata.uid,
        name: config.metadata.name,
        attempt: config.metadata.attempt,
        state: 'created',
        createdAt: this.#clock.now(),
        image: config.image,
        imageRef: image.repoDigests[0],
        labels: config.labels,
        annotations: config.annotations,
        logPath: join(sandbox.logDirectory, config.logPath),
      },
      command: [...(config.command ?? []), ...(config.args ?? [])],
      environment: Object.fromEntries(config.envs.map(({ key, value }) => [key, value])),
      hostname: sandbox.hostname,
      words,
      outputsWritten: 0,
    };
    this.#adopt(record);
    this.#journal?.set(record.status.id, record);
    return record.status.id;
  }

  async startContainer(containerId: string): Promise<void> {
    await this.#delay(this.#latencies.startMs);
    const container = this.#containers.get(containerId);
    if (container === undefined) throw new Error(`container ${containerId} not found`);
    const { record, behaviour } = container;
    if (record.status.state !== 'created') throw new Error(`container is in ${record.status.state} state`);
    record.status = { ...record.status, state: 'running', startedAt: this.#clock.now() };
    if (behaviour.startError !== undefined) {
      this.#exit(container, 128, 'StartError', behaviour.startError);
      throw new Error(behaviour.startError);
    }
    // Most simulated containers never say a word: a missing log reads as an empty one.
    if (container.program.outputs.length > 0) openLog(record.status.logPath);
    this.#journal?.set(containerId, record);
    this.#emit(record.status.podUid);
    this.#advance(container);
  }

  async stopContainer(containerId: string, timeoutSeconds: number): Promise<void> {
    const container = this.#containers.get(containerId);
    if (container === undefined) return;
    await this.#delay(this.#latencies.stopMs);
    if (container.record.status.state !== 'running') return;
    const code = container.behaviour.terminateExitCode;
    if (code !== undefined && timeoutSeconds > 0) {
      this.#exit(container, code, code === 0 ? 'Completed' : 'Error');
      return;
    }
    await new Promise<void>((resolve) => {
      const cancelKill = this.#clock.schedule(timeoutSeconds * 1000, () => this.#exit(container, 137, 'Error'));
      container.exitWaiters.add(() => {
        cancelKill();
        resolve();
      });
    });
  }

  async removeContainer(containerId: string): Promise<void> {
    const container = this.#containers.get(containerId);
    if (container === undefined) return;
    if (container.record.status.state === 'running') this.#exit(container, 137, 'Error');
    container.cancelTimer?.();
    this.#containers.delete(containerId);
    this.#containersOfSandbox.get(container.record.status.sandboxId)?.delete(containerId);
    this.#journal?.delete(containerId);
    this.#emit(container.record.status.podUid);
  }

  async listContainers(): Promise<ContainerState[]> {
    return [...this.#containers.values()].map((container) => container.record.status);
  }

  async containerStatus(containerId: string): Promise<ContainerState | undefined> {
    return this.#containers.get(containerId)?.record.status;
  }

  onEvent(listener: (event: { podUid: string }) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  async mountImage(): Promise<void> {}

  async unmountImage(): Promise<void> {}

  async updatePodSandboxResources(sandboxId: string, _resources: ContainerResources): Promise<void> {
    if (!this.#sandboxes.has(sandboxId)) throw new Error(`sandbox ${sandboxId} not found`);
  }

  async updateContainerResources(containerId: string, _resources: ContainerResources): Promise<void> {
    if (!this.#containers.has(containerId)) throw new Error(`container ${containerId} not found`);
  }

  async reopenContainerLog(containerId: string): Promise<void> {
    openLog(this.#running(containerId).record.status.logPath);
  }

  async execSync(containerId: string, command: string[], timeoutSeconds: number) {
    return execToEnd(this.#executable(containerId), command, timeoutSeconds, this.#clock);
  }

  async exec(containerId: string, options: ExecOptions): Promise<ExecSession> {
    return execSession(this.#executable(containerId), options, this.#clock);
  }

  async attach(containerId: string, options: Omit<ExecOptions, 'command'>): Promise<ExecSession> {
    const container = this.#running(containerId);
    return attachSession(options, {
      onOutput(listener) {
        container.outputListeners.add(listener);
        return () => container.outputListeners.delete(listener);
      },
      onExit(listener) {
        container.exitWaiters.add(() => listener(container.record.status.exitCode ?? 0));
      },
    });
  }

  /** Whatever is sent comes back: there is no server to reach. */
  async portForward(sandboxId: string, _port: number): Promise<Duplex> {
    if (this.#sandboxes.get(sandboxId)?.sandbox.state !== 'ready')
      throw new Error(`sandbox ${sandboxId} is not running`);
    const stream = new Duplex({
      read() {},
      write(chunk, _encoding, done) {
        stream.push(chunk);
        done();
      },
      final(done) {
        stream.push(null);
        done();
      },
    });
    return stream;
  }

  async stats(): Promise<ContainerStats[]> {
    const now = this.#clock.now();
    const rows: ContainerStats[] = [];
    for (const { record, behaviour } of this.#containers.values()) {
      if (record.status.state !== 'running') continue;
      rows.push({
        containerId: record.status.id,
        podUid: record.status.podUid,
        name: record.status.name,
        timestamp: now,
        cpuUsageCoreNanoSeconds: BigInt(Math.round((now - record.status.startedAt!) * behaviour.milliCpu * 1000)),
        memoryWorkingSetBytes: behaviour.memoryBytes,
        writableLayerBytes: 0,
      });
    }
    return rows;
  }

  async pullImage(image: string): Promise<ImageStatus> {
    await this.#delay(this.#latencies.pullMs);
    return this.#images.pull(image);
  }

  async imageStatus(image: string): Promise<ImageStatus | undefined> {
    return this.#images.find(image);
  }

  async listImages(): Promise<ImageStatus[]> {
    return this.#images.list();
  }

  async removeImage(image: string): Promise<void> {
    this.#images.remove(image);
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    for (const container of this.#containers.values()) container.cancelTimer?.();
    this.#listeners.clear();
    this.#journal?.close();
  }

  #addSandbox(id: string, record: SandboxRecord): void {
    this.#sandboxes.set(id, record);
    this.#sandboxIdOfPod.set(podKeyOf(record), id);
  }

  /** Takes a record into memory; one that was running goes on from where the clock is now. */
  #adopt(record: ContainerRecord): void {
    const behaviour = parseBehaviour(record.words);
    const container: LiveContainer = {
      record,
      behaviour,
      program: programOf(record, behaviour),
      exitWaiters: new Set(),
      outputListeners: new Set(),
    };
    this.#containers.set(record.status.id, container);
    const siblings = this.#containersOfSandbox.get(record.status.sandboxId) ?? new Set();
    this.#containersOfSandbox.set(record.status.sandboxId, siblings.add(record.status.id));
    if (record.status.state === 'running') this.#advance(container);
  }

  /** Writes the output that is due, ends the container if that is due, and sets a timer for what comes next. */
  #advance(container: LiveContainer): void {
    if (this.#closed || container.record.status.state !== 'running') return;
    const { record, program, behaviour } = container;
    const elapsedMs = this.#clock.now() - record.status.startedAt!;
    const before = record.outputsWritten;
    let next: ReturnType<typeof outputAt>;
    while ((next = outputAt(program, behaviour, record.outputsWritten)) && next.atMs <= elapsedMs) {
      if (program.end && next.atMs > program.end.atMs) break;
      this.#write(container, next.stream, next.text, record.status.startedAt! + next.atMs);
      record.outputsWritten++;
    }
    if (program.end && program.end.atMs <= elapsedMs) {
      const reason = behaviour.end?.reason ?? (program.end.exitCode === 0 ? 'Completed' : 'Error');
      this.#exit(container, program.end.exitCode, reason, undefined, record.status.startedAt! + program.end.atMs);
      return;
    }
    if (record.outputsWritten !== before) this.#journal?.set(record.status.id, record);
    const dueMs = Math.min(next?.atMs ?? Infinity, program.end?.atMs ?? Infinity);
    if (dueMs !== Infinity) {
      container.cancelTimer = this.#clock.schedule(dueMs - elapsedMs, () => this.#advance(container));
    }
  }

  #write(container: LiveContainer, stream: 'stdout' | 'stderr', text: string, atMs: number): void {
    const time = new Date(atMs).toISOString().replace('Z', '000000Z');
    const complete = text.endsWith('\n');
    const lines = (complete ? text.slice(0, -1) : text).split('\n');
    const rows = lines.map((line, index) => {
      const tag = complete || index < lines.length - 1 ? 'F' : 'P';
      return `${time} ${stream} ${tag} ${line}\n`;
    });
    try {
      appendFileSync(container.record.status.logPath, rows.join(''));
    } catch (error) {
      // The agent may have removed the pod's log directory already; anything else is the caller's to see.
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    }
    for (const listener of container.outputListeners) listener(stream, text);
  }

  #exit(container: LiveContainer, exitCode: number, reason: string, message?: string, finishedAt?: number): void {
    const { record } = container;
    if (record.status.state !== 'running') return;
    container.cancelTimer?.();
    record.status = {
      ...record.status,
      state: 'exited',
      exitCode,
      reason,
      finishedAt: finishedAt ?? this.#clock.now(),
      ...(message === undefined ? {} : { message }),
    };
    this.#journal?.set(record.status.id, record);
    for (const waiter of container.exitWaiters) waiter();
    container.exitWaiters.clear();
    this.#emit(record.status.podUid);
  }

  #running(containerId: string): LiveContainer {
    const container = this.#containers.get(containerId);
    if (container === undefined) throw new Error(`container ${containerId} not found`);
    if (container.record.status.state !== 'running') {
      throw new Error(`container ${containerId} is in ${container.record.status.state} state`);
    }
    return container;
  }

  #executable(containerId: string) {
    const { record, behaviour } = this.#running(containerId);
    return {
      context: { environment: record.environment, hostname: record.hostname },
      exitCode: behaviour.execExitCode,
    };
  }

  #emit(podUid: string): void {
    for (const listener of this.#listeners) listener({ podUid });
  }

  #delay(delayMs = 0): Promise<void> | undefined {
    if (delayMs <= 0) return undefined;
    return new Promise((resolve) => this.#clock.schedule(delayMs, resolve));
  }
}

function programOf(record: ContainerRecord, behaviour: Behaviour): Program {
  if (behaviour.explicit || behaviour.logLines.length > 0) {
    return {
      outputs: behaviour.logLines.map((line) => ({ atMs: 0, stream: 'stdout' as const, text: `${line}\n` })),
      end: behaviour.end,
    };
  }
  return planProgram(record.command, record);
}

/** The n-th output of a container that may repeat its lines for ever. */
function outputAt(program: Program, behaviour: Behaviour, index: number): Program['outputs'][number] | undefined {
  const length = program.outputs.length;
  if (index < length || behaviour.logEveryMs === undefined || length === 0) return program.outputs[index];
  const output = program.outputs[index % length];
  return { ...output, atMs: output.atMs + Math.floor(index / length) * behaviour.logEveryMs };
}

function openLog(path: string): void {
  mkdirSync(dirname(path), { recursive: true });
  appendFileSync(path, '');
}

function podKeyOf({ sandbox }: SandboxRecord): string {
  return `${sandbox.metadata.uid}/${sandbox.metadata.attempt}`;
}

function newId(): string {
  return `${randomUUID()}${randomUUID()}`.replaceAll('-', '');
}
