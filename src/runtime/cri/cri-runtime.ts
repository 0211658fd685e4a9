import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import type { Duplex } from 'node:stream';
import { type Logger, silentLogger } from '../../base/log.ts';
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
  RegistryAuth,
  SandboxRuntime,
} from '../sandbox-runtime.ts';
import { ExecTimeoutError } from '../sandbox-runtime.ts';
import { containerMemory } from './container-memory.ts';
import { ContainerStates } from './container-states.ts';
import { Containerd, type ContainerdOptions } from './containerd.ts';
import { CriClient, CriError, criStatus } from './cri-client.ts';
import { ImageMounts } from './image-mounts.ts';
import { CriImages } from './images.ts';
import type { CriContainerStats, CriSandbox } from './messages.ts';
import { makePodCgroup, removeEmptyCgroups, removePodCgroup, updatePodCgroup } from './pod-cgroup.ts';
import { RegistryGateway } from './registries/gateway.ts';
import { parseRegistries, type RegistryPolicy } from './registries/policy.ts';
import { criContainerConfig, criResources, criSandboxConfig, logPathOf, NOTES, withoutNotes } from './requests.ts';
import { openPortForward, openSession } from './streams.ts';

export interface CriRuntime extends SandboxRuntime {
  /** The supervised containerd's pid, for status pages and tests. */
  readonly containerdPid: number | undefined;
  /** Names of RuntimeClass handlers this machine can run, the default first. */
  readonly handlers: string[];
  /** Removes every sandbox and container, ends containerd and removes what it needed; images stay. */
  shutdown(): Promise<void>;
}

const EXEC_OUTPUT_BYTES = 16 * 1024;

/**
 * The port over containerd's CRI, with a containerd of our own (containerd.ts). `close()` leaves containerd and its
 * containers running for the next start to adopt.
 * @throws when containerd is missing or does not start.
 */
export async function createCriRuntime(
  options: ContainerdOptions & {
    /** Where images may come from; anywhere when absent. */
    registries?: RegistryPolicy;
  },
): Promise<CriRuntime> {
  const containerd = new Containerd(options);
  await containerd.start();
  const runtime = new ContainerdCriRuntime(
    containerd,
    options.logger ?? silentLogger,
    options.registries ?? parseRegistries('any'),
  );
  await runtime.waitUntilReady();
  return runtime;
}

class ContainerdCriRuntime implements CriRuntime {
  readonly #containerd: Containerd;
  readonly #client: CriClient;
  readonly #gateway: RegistryGateway;
  readonly #images: CriImages;
  readonly #imageMounts: ImageMounts;
  readonly #states: ContainerStates;
  readonly #sandboxCgroups = new Map<string, string>();
  /** Groups above pods' own, to be removed at shutdown: by their parents' paths. */
  readonly #podParents = new Set<string>();

  constructor(containerd: Containerd, logger: Logger, registries: RegistryPolicy) {
    this.#containerd = containerd;
    this.#client = new CriClient(containerd.paths.socket);
    this.#gateway = new RegistryGateway(registries, containerd.paths.certificates);
    this.#images = new CriImages(this.#client, this.#gateway);
    this.#imageMounts = new ImageMounts(containerd.paths);
    this.#states = new ContainerStates(this.#client, logger);
  }

  get containerdPid() {
    return this.#containerd.pid;
  }

  get handlers() {
    return this.#containerd.handlers.map((handler) => handler.name);
  }

  /** containerd answers before its CRI plug-in has read its CNI configuration. */
  async waitUntilReady(): Promise<void> {
    const deadline = Date.now() + 30_000;
    for (;;) {
      const { ready, message } = await this.ready();
      if (ready) return;
      if (Date.now() > deadline) throw new Error(`containerd is not ready: ${message}`);
      await new Promise((again) => setTimeout(again, 20));
    }
  }

  async version() {
    const { runtimeName, runtimeVersion } = await this.#client.runtime('Version', { version: 'v1' });
    return { runtimeName, runtimeVersion };
  }

  async ready(): Promise<{ ready: boolean; message?: string }> {
    const failure = this.#containerd.failure();
    if (failure !== undefined) return { ready: false, message: failure };
    try {
      const { status } = await this.#client.runtime('Status', { verbose: false }, 5_000);
      const unmet = status.conditions.find((condition) => !condition.status);
      return unmet ? { ready: false, message: `${unmet.reason}: ${unmet.message}` } : { ready: true };
    } catch (error) {
      return { ready: false, message: (error as Error).message };
    }
  }

  async runPodSandbox(config: PodSandboxConfig): Promise<string> {
    mkdirSync(config.logDirectory, { recursive: true });
    makePodCgroup(config.cgroupParent, config.resources);
    const prepared = join(this.#containerd.paths.preparedNetworks, config.metadata.uid);
    if (config.networkNamespacePath !== undefined) {
      // By way of our own root: the path need not be mounted in containerd's mount namespace.
      writeFileSync(prepared, `/proc/${process.pid}/root${resolve(config.networkNamespacePath)}\n`);
    }
    try {
      const { podSandboxId } = await this.#client.runtime('RunPodSandbox', {
        config: criSandboxConfig(config),
        runtimeHandler: config.runtimeHandler,
      });
      this.#sandboxCgroups.set(podSandboxId, config.cgroupParent);
      this.#states.addSandbox(podSandboxId, config.metadata.uid);
      return podSandboxId;
    } catch (error) {
      removePodCgroup(config.cgroupParent);
      throw error;
    } finally {
      rmSync(prepared, { force: true });
    }
  }

  async stopPodSandbox(sandboxId: string): Promise<void> {
    await ignoreNotFound(this.#client.runtime('StopPodSandbox', { podSandboxId: sandboxId }));
  }

  async removePodSandbox(sandboxId: string): Promise<void> {
    const cgroupParent = await this.#cgroupParentOf(sandboxId);
    await this.stopPodSandbox(sandboxId);
    await ignoreNotFound(this.#client.runtime('RemovePodSandbox', { podSandboxId: sandboxId }));
    if (cgroupParent !== undefined) {
      removePodCgroup(cgroupParent);
      this.#podParents.add(dirname(cgroupParent));
    }
    this.#sandboxCgroups.delete(sandboxId);
    this.#states.forgetSandbox(sandboxId);
  }

  async listPodSandboxes(): Promise<PodSandbox[]> {
    const { items } = await this.#client.runtime('ListPodSandbox', {});
    for (const item of items) this.#states.addSandbox(item.id, item.metadata.uid);
    return items.map(podSandbox);
  }

  async createContainer(sandboxId: string, config: ContainerConfig, sandbox: PodSandboxConfig): Promise<string> {
    mkdirSync(dirname(logPathOf(config, sandbox)), { recursive: true });
    const { containerId } = await this.#client.runtime('CreateContainer', {
      podSandboxId: sandboxId,
      config: criContainerConfig(config, sandbox),
      sandboxConfig: criSandboxConfig(sandbox),
    });
    this.#states.addContainer(containerId, sandbox.metadata.uid);
    return containerId;
  }

  async startContainer(containerId: string): Promise<void> {
    try {
      await this.#client.runtime('StartContainer', { containerId });
    } finally {
      this.#states.changed(containerId);
    }
  }

  async stopContainer(containerId: string, timeoutSeconds: number): Promise<void> {
    const deadlineMs = timeoutSeconds * 1000 + 120_000;
    await ignoreNotFound(
      this.#client.runtime(
        'StopContainer',
        { containerId, timeout: Math.max(0, Math.ceil(timeoutSeconds)) },
        deadlineMs,
      ),
    );
    this.#states.changed(containerId);
  }

  async removeContainer(containerId: string): Promise<void> {
    await ignoreNotFound(this.#client.runtime('RemoveContainer', { containerId }));
    this.#states.forgetContainer(containerId);
  }

  listContainers(): Promise<ContainerState[]> {
    return this.#states.list();
  }

  containerStatus(containerId: string): Promise<ContainerState | undefined> {
    return this.#states.read(containerId);
  }

  onEvent(listener: (event: { podUid: string }) => void): () => void {
    return this.#states.onEvent(listener);
  }

  async updatePodSandboxResources(sandboxId: string, resources: ContainerResources): Promise<void> {
    const cgroupParent = await this.#cgroupParentOf(sandboxId);
    if (cgroupParent === undefined) throw new Error(`sandbox ${sandboxId} not found`);
    updatePodCgroup(cgroupParent, resources);
  }

  async updateContainerResources(containerId: string, resources: ContainerResources): Promise<void> {
    await this.#client.runtime('UpdateContainerResources', { containerId, linux: criResources(resources) });
  }

  async reopenContainerLog(containerId: string): Promise<void> {
    await this.#client.runtime('ReopenContainerLog', { containerId });
  }

  async execSync(containerId: string, command: string[], timeoutSeconds: number) {
    try {
      const request = { containerId, cmd: command, timeout: Math.ceil(timeoutSeconds) };
      const deadlineMs = timeoutSeconds > 0 ? timeoutSeconds * 1000 + 30_000 : 24 * 3_600_000;
      const { exitCode, stdout, stderr } = await this.#client.runtime('ExecSync', request, deadlineMs);
      return {
        exitCode,
        stdout: stdout.subarray(0, EXEC_OUTPUT_BYTES),
        stderr: stderr.subarray(0, EXEC_OUTPUT_BYTES),
      };
    } catch (error) {
      if (error instanceof CriError && error.code === criStatus.DEADLINE_EXCEEDED) {
        throw new ExecTimeoutError(timeoutSeconds);
      }
      throw error;
    }
  }

  async exec(containerId: string, options: ExecOptions): Promise<ExecSession> {
    const { command, ...streams } = options;
    const { url } = await this.#client.runtime('Exec', { containerId, cmd: command, ...forCri(streams) });
    return openSession(url, streams);
  }

  async attach(containerId: string, options: Omit<ExecOptions, 'command'>): Promise<ExecSession> {
    const { url } = await this.#client.runtime('Attach', { containerId, ...forCri(options) });
    const session = await openSession(url, options);
    // The stream's end says only that the session is over; the exit code is the container's.
    const done = session.done.then(async (end) => {
      await this.#states.waitUntilSettled(containerId);
      const state = await this.#states.read(containerId);
      return { exitCode: state?.exitCode ?? end.exitCode };
    });
    done.catch(() => {});
    return { ...session, done };
  }

  async portForward(sandboxId: string, port: number): Promise<Duplex> {
    const { url } = await this.#client.runtime('PortForward', { podSandboxId: sandboxId, port: [port] });
    return openPortForward(url, port);
  }

  async stats(): Promise<ContainerStats[]> {
    const { stats } = await this.#client.runtime('ListContainerStats', {});
    return stats.filter((row) => row.cpu?.usageCoreNanoSeconds && row.memory?.workingSetBytes).map(containerStats);
  }

  pullImage(image: string, auth?: RegistryAuth): Promise<ImageStatus> {
    return this.#images.pull(image, auth);
  }

  imageStatus(image: string): Promise<ImageStatus | undefined> {
    return this.#images.status(image);
  }

  listImages(): Promise<ImageStatus[]> {
    return this.#images.list();
  }

  removeImage(image: string): Promise<void> {
    return this.#images.remove(image);
  }

  mountImage(imageId: string, target: string): Promise<void> {
    return this.#imageMounts.mount(imageId, target);
  }

  unmountImage(target: string): Promise<void> {
    return this.#imageMounts.unmount(target);
  }

  async close(): Promise<void> {
    this.#states.close();
    this.#client.close();
    this.#gateway.close();
    this.#containerd.close();
  }

  async shutdown(): Promise<void> {
    for (const sandbox of await this.listPodSandboxes()) {
      await this.removePodSandbox(sandbox.id);
    }
    for (const parent of this.#podParents) removeEmptyCgroups(parent);
    await this.close();
    await this.#containerd.shutdown();
  }

  async #cgroupParentOf(sandboxId: string): Promise<string | undefined> {
    const known = this.#sandboxCgroups.get(sandboxId);
    if (known !== undefined) return known;
    const { items } = await this.#client.runtime('ListPodSandbox', { filter: { id: sandboxId } });
    return items[0]?.annotations[NOTES.cgroupParent];
  }
}

async function ignoreNotFound(call: Promise<unknown>): Promise<void> {
  try {
    await call;
  } catch (error) {
    if (error instanceof CriError && error.code === criStatus.NOT_FOUND) return;
    throw error;
  }
}

/** CRI refuses stderr beside a tty: there is one stream then. */
function forCri<Streams extends { stderr: boolean; tty: boolean }>(streams: Streams): Streams {
  return { ...streams, stderr: streams.stderr && !streams.tty };
}

function podSandbox(item: CriSandbox): PodSandbox {
  return {
    id: item.id,
    metadata: {
      tenant: item.annotations[NOTES.tenant] ?? '',
      namespace: item.metadata.namespace,
      name: item.metadata.name,
      uid: item.metadata.uid,
      attempt: item.metadata.attempt,
    },
    state: item.state === 'SANDBOX_READY' ? 'ready' : 'notReady',
    createdAt: Number(BigInt(item.createdAt) / 1_000_000n),
    labels: item.labels,
    annotations: withoutNotes(item.annotations),
  };
}

function containerStats(row: CriContainerStats): ContainerStats {
  const { id, annotations } = row.attributes;
  const parent = annotations[NOTES.cgroupParent];
  return {
    containerId: id,
    podUid: annotations[NOTES.podUid] ?? '',
    name: row.attributes.metadata.name,
    timestamp: Number(BigInt(row.cpu!.timestamp) / 1_000_000n),
    cpuUsageCoreNanoSeconds: BigInt(row.cpu!.usageCoreNanoSeconds!.value),
    memoryWorkingSetBytes: Number(row.memory!.workingSetBytes!.value),
    ...(row.writableLayer?.usedBytes ? { writableLayerBytes: Number(row.writableLayer.usedBytes.value) } : {}),
    ...(parent !== undefined && { readMemory: () => containerMemory(`${parent}/${id}`) }),
  };
}
