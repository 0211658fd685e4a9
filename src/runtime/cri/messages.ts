/**
 * The parts of CRI's messages that are used here, as proto-loader gives and takes them: camelCase, 64-bit numbers as
 * strings in answers, enums by name.
 */
interface Metadata {
  name: string;
  uid: string;
  namespace: string;
  attempt: number;
}

export interface ContainerMetadata {
  name: string;
  attempt: number;
}

export interface CriSandbox {
  id: string;
  metadata: Metadata;
  state: 'SANDBOX_READY' | 'SANDBOX_NOTREADY';
  createdAt: string;
  labels: Record<string, string>;
  annotations: Record<string, string>;
}

export interface CriContainer {
  id: string;
  podSandboxId: string;
  metadata: ContainerMetadata;
  state: 'CONTAINER_CREATED' | 'CONTAINER_RUNNING' | 'CONTAINER_EXITED' | 'CONTAINER_UNKNOWN';
  annotations: Record<string, string>;
}

export interface CriContainerStatus {
  id: string;
  metadata: ContainerMetadata;
  state: CriContainer['state'];
  /** Nanoseconds since the epoch; '0' until then. */
  createdAt: string;
  startedAt: string;
  finishedAt: string;
  exitCode: number;
  image: { image: string };
  imageRef: string;
  reason: string;
  message: string;
  labels: Record<string, string>;
  annotations: Record<string, string>;
  logPath: string;
}

export interface CriImage {
  id: string;
  repoTags: string[];
  repoDigests: string[];
  size: string;
  uid: { value: string } | null;
  username: string;
}

export interface CriContainerStats {
  attributes: { id: string; metadata: ContainerMetadata; annotations: Record<string, string> };
  cpu: { timestamp: string; usageCoreNanoSeconds: { value: string } | null } | null;
  memory: { timestamp: string; workingSetBytes: { value: string } | null } | null;
  writableLayer: { usedBytes: { value: string } | null } | null;
}

interface ImageSpec {
  image: { image: string };
}

interface StreamRequest {
  containerId: string;
  stdin: boolean;
  stdout: boolean;
  stderr: boolean;
  tty: boolean;
}

type Empty = Record<string, never>;

/** Request and answer by verb. */
export interface RuntimeVerbs {
  Version: [{ version: string }, { runtimeName: string; runtimeVersion: string }];
  Status: [
    { verbose: boolean },
    { status: { conditions: { type: string; status: boolean; reason: string; message: string }[] } },
  ];
  RunPodSandbox: [{ config: object; runtimeHandler: string }, { podSandboxId: string }];
  StopPodSandbox: [{ podSandboxId: string }, Empty];
  RemovePodSandbox: [{ podSandboxId: string }, Empty];
  ListPodSandbox: [{ filter?: { id?: string } }, { items: CriSandbox[] }];
  CreateContainer: [{ podSandboxId: string; config: object; sandboxConfig: object }, { containerId: string }];
  StartContainer: [{ containerId: string }, Empty];
  StopContainer: [{ containerId: string; timeout: number }, Empty];
  RemoveContainer: [{ containerId: string }, Empty];
  ListContainers: [{ filter?: { id?: string } }, { containers: CriContainer[] }];
  ContainerStatus: [{ containerId: string; verbose?: boolean }, { status: CriContainerStatus }];
  UpdateContainerResources: [{ containerId: string; linux: object }, Empty];
  ReopenContainerLog: [{ containerId: string }, Empty];
  ExecSync: [
    { containerId: string; cmd: string[]; timeout: number },
    { stdout: Buffer; stderr: Buffer; exitCode: number },
  ];
  Exec: [StreamRequest & { cmd: string[] }, { url: string }];
  Attach: [StreamRequest, { url: string }];
  PortForward: [{ podSandboxId: string; port: number[] }, { url: string }];
  ListContainerStats: [Empty, { stats: CriContainerStats[] }];
}

export interface ImageVerbs {
  ListImages: [Empty, { images: CriImage[] }];
  ImageStatus: [ImageSpec, { image: CriImage | null }];
  PullImage: [ImageSpec & { auth?: { username: string; password: string } }, { imageRef: string }];
  RemoveImage: [ImageSpec, Empty];
}

export interface TaskEvent {
  type: 'start' | 'exit' | 'oom';
  containerId: string;
}
