import type { Duplex } from 'node:stream';

/**
 * The sandbox runtime port. The verbs and words are CRI's (https://github.com/kubernetes/cri-api), in camelCase and
 * trimmed to what the host agent uses. `contract/` is the suite every runtime passes. All ids are opaque strings.
 * Every verb is idempotent where CRI's is: stopping or removing what is gone succeeds.
 */
export interface SandboxRuntime {
  version(): Promise<{ runtimeName: string; runtimeVersion: string }>;
  /** False with a reason while the runtime (or its containerd) is not answering. */
  ready(): Promise<{ ready: boolean; message?: string }>;

  runPodSandbox(config: PodSandboxConfig): Promise<string>;
  stopPodSandbox(sandboxId: string): Promise<void>;
  removePodSandbox(sandboxId: string): Promise<void>;
  listPodSandboxes(): Promise<PodSandbox[]>;

  createContainer(sandboxId: string, config: ContainerConfig, sandbox: PodSandboxConfig): Promise<string>;
  startContainer(containerId: string): Promise<void>;
  /** SIGTERM (or the image's stop signal), then SIGKILL after `timeoutSeconds`. Resolves when it no longer runs. */
  stopContainer(containerId: string, timeoutSeconds: number): Promise<void>;
  removeContainer(containerId: string): Promise<void>;
  /** All containers with their full status, in one call that the agent can afford at every relist. */
  listContainers(): Promise<ContainerState[]>;
  containerStatus(containerId: string): Promise<ContainerState | undefined>;
  /** Called whenever a container or sandbox may have changed; `podUid` is of the sandbox's metadata. */
  onEvent(listener: (event: { podUid: string }) => void): () => void;
  /** Of the pod's cgroup; what is left out is unlimited from then on. */
  updatePodSandboxResources(sandboxId: string, resources: ContainerResources): Promise<void>;
  updateContainerResources(containerId: string, resources: ContainerResources): Promise<void>;
  reopenContainerLog(containerId: string): Promise<void>;

  /** Runs to the end. Rejects with ExecTimeoutError after `timeoutSeconds`. Output is cut at 16 KiB. */
  execSync(
    containerId: string,
    command: string[],
    timeoutSeconds: number,
  ): Promise<{ exitCode: number; stdout: Buffer; stderr: Buffer }>;
  exec(containerId: string, options: ExecOptions): Promise<ExecSession>;
  attach(containerId: string, options: Omit<ExecOptions, 'command'>): Promise<ExecSession>;
  /** A TCP connection to `port` on the sandbox's loopback. */
  portForward(sandboxId: string, port: number): Promise<Duplex>;

  /** CPU and memory as of now, one row a running container. */
  stats(): Promise<ContainerStats[]>;

  pullImage(image: string, auth?: RegistryAuth): Promise<ImageStatus>;
  imageStatus(image: string): Promise<ImageStatus | undefined>;
  listImages(): Promise<ImageStatus[]>;
  removeImage(image: string): Promise<void>;
  /** Mounts an image that is here (by its id), read-only, at an existing directory of the host; anew when it is mounted. */
  mountImage(imageId: string, target: string): Promise<void>;
  unmountImage(target: string): Promise<void>;

  close(): Promise<void>;
}

export interface PodSandboxConfig {
  /** `uid` is the ContainerInstance's name; `tenant` its namespace. */
  metadata: { tenant: string; namespace: string; name: string; uid: string; attempt: number };
  hostname: string;
  logDirectory: string;
  /** Written to /etc/resolv.conf. */
  dns: { servers: string[]; searches: string[]; options: string[] };
  labels: Record<string, string>;
  annotations: Record<string, string>;
  cgroupParent: string;
  /** Path of the pod's network namespace (made by the pod network). Absent only in runtimes without one. */
  networkNamespacePath?: string;
  shareProcessNamespace?: boolean;
  hostIPC?: boolean;
  hostPID?: boolean;
  /** Some of its containers may be privileged. */
  privileged?: boolean;
  sysctls?: Record<string, string>;
  /** Pod-level securityContext: what the sandbox itself runs as. */
  runAsUser?: number;
  runAsGroup?: number;
  supplementalGroups?: number[];
  seccompProfile?: SeccompProfile;
  /** RuntimeClass handler; '' is the default. */
  runtimeHandler: string;
  /** Of the whole pod, for its cgroup. */
  resources: ContainerResources;
}

export interface PodSandbox {
  id: string;
  metadata: PodSandboxConfig['metadata'];
  state: 'ready' | 'notReady';
  /** Epoch ms. */
  createdAt: number;
  labels: Record<string, string>;
  annotations: Record<string, string>;
}

export interface SeccompProfile {
  type: 'RuntimeDefault' | 'Unconfined' | 'Localhost';
  localhostRef?: string;
}

export interface ContainerResources {
  cpuShares?: number;
  cpuQuota?: number;
  cpuPeriod?: number;
  memoryLimitBytes?: number;
  oomScoreAdj?: number;
}

export interface Mount {
  containerPath: string;
  hostPath: string;
  readonly: boolean;
  propagation: 'private' | 'hostToContainer' | 'bidirectional';
}

export interface ContainerConfig {
  metadata: { name: string; attempt: number };
  /** The reference that imageStatus answered to, or its id. */
  image: string;
  /** Undefined keeps the image's. */
  command?: string[];
  args?: string[];
  workingDir?: string;
  envs: { key: string; value: string }[];
  mounts: Mount[];
  labels: Record<string, string>;
  annotations: Record<string, string>;
  /** Relative to the sandbox's logDirectory. */
  logPath: string;
  stdin: boolean;
  stdinOnce: boolean;
  tty: boolean;
  resources: ContainerResources;
  security: {
    runAsUser?: number;
    runAsGroup?: number;
    runAsUsername?: string;
    supplementalGroups: number[];
    privileged: boolean;
    readonlyRootfs: boolean;
    noNewPrivileges: boolean;
    addCapabilities: string[];
    dropCapabilities: string[];
    seccompProfile: SeccompProfile;
    maskedPaths?: string[];
    readonlyPaths?: string[];
    pidNamespace: 'container' | 'pod' | 'host';
  };
}

export interface ContainerState {
  id: string;
  sandboxId: string;
  podUid: string;
  name: string;
  attempt: number;
  state: 'created' | 'running' | 'exited' | 'unknown';
  /** Epoch ms; absent until then. */
  createdAt: number;
  startedAt?: number;
  finishedAt?: number;
  exitCode?: number;
  /** `Completed`, `Error`, `OOMKilled`, `StartError`, `ContainerStatusUnknown`. */
  reason?: string;
  message?: string;
  /** As asked for, and as resolved (`registry/repo@sha256:…`). */
  image: string;
  imageRef: string;
  labels: Record<string, string>;
  annotations: Record<string, string>;
  /** Absolute. */
  logPath: string;
}

export interface ExecOptions {
  command: string[];
  stdin: boolean;
  stdout: boolean;
  stderr: boolean;
  tty: boolean;
}

/** Streams of a running exec or attach. `stderr` is absent with a tty. */
export interface ExecSession {
  stdin?: import('node:stream').Writable;
  stdout?: import('node:stream').Readable;
  stderr?: import('node:stream').Readable;
  resize(width: number, height: number): void;
  /** Resolves when the process ended (exec) or the session did (attach). Rejects when the command could not start. */
  done: Promise<{ exitCode: number }>;
  close(): void;
}

export interface ContainerStats {
  containerId: string;
  podUid: string;
  name: string;
  /** Epoch ms. */
  timestamp: number;
  cpuUsageCoreNanoSeconds: bigint;
  memoryWorkingSetBytes: number;
  writableLayerBytes?: number;
  /** Where it can be told: read when it is asked for, undefined when the container is gone. */
  readMemory?(): Promise<ContainerMemory | undefined>;
}

export interface ContainerMemory {
  /** With caches. */
  usageBytes: number;
  /** What no file backs. */
  rssBytes: number;
}

export interface RegistryAuth {
  username: string;
  password: string;
}

export interface ImageStatus {
  /** Config digest. */
  id: string;
  repoTags: string[];
  repoDigests: string[];
  sizeBytes: number;
  /** What the image's config says to run as. */
  uid?: number;
  username?: string;
}

export class ExecTimeoutError extends Error {
  constructor(seconds: number) {
    super(`command timed out after ${seconds}s`);
    this.name = 'ExecTimeoutError';
  }
}

/** Pulling failed; `kind` chooses between ErrImagePull's wordings. */
export class ImagePullError extends Error {
  readonly kind: 'notFound' | 'unauthorized' | 'invalidName' | 'registryUnavailable' | 'other';
  constructor(kind: ImagePullError['kind'], message: string) {
    super(message);
    this.name = 'ImagePullError';
    this.kind = kind;
  }
}
