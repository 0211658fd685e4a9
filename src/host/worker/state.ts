import type { Container, PodSpec, ResourceRequirements } from '../../api/generated/core-v1.ts';
import type { PodAddress } from '../../api/pod-network.ts';
import type { ContainerInstance, ContainerInstanceStatus } from '../../api/pool.ts';
import type { ContainerResources, ContainerState, PodSandbox } from '../../runtime/sandbox-runtime.ts';
import type { BackOff } from './steps/back-off.ts';

/** What the runtime has of one pod, newest first. */
export interface PodObservation {
  sandboxes: PodSandbox[];
  /** By container name. */
  containers: Map<string, ContainerState[]>;
}

export type ProbeOutcome = 'success' | 'failure';

/** The thresholds' verdicts about one running container; absent until a probe reached its threshold. */
export interface ProbeResults {
  liveness?: ProbeOutcome;
  readiness?: ProbeOutcome;
  startup?: ProbeOutcome;
}

/** Why a container is not running though it should be (the kubelet's reason cache). */
export interface WaitingReason {
  reason: string;
  message?: string;
  /** Epoch ms before which nothing is tried again. */
  retryAt: number;
  /** The image that could not be pulled. */
  image?: string;
}

/** Why the pod as a whole has ended, when that does not follow from its containers. */
export interface Verdict {
  phase: 'Succeeded' | 'Failed';
  reason?: string;
  message?: string;
}

/**
 * What a worker knows besides the two sides it compares. All of it is either recomputed after a restart of the agent
 * (from the runtime and from the instance's last status) or harmless to lose.
 */
export interface WorkerMemory {
  /** Epoch ms: this host took the instance on. */
  startTime: number;
  address?: PodAddress;
  /** Volumes, cgroup and directories stand. */
  filesReady: boolean;
  /** Operations that failed: not again before this epoch ms. Keys as in `busy`. */
  notBefore: Map<string, number>;
  /** How often an operation failed in a row. */
  failures: Map<string, number>;
  /** By container name. */
  waiting: Map<string, WaitingReason>;
  /** By `restartKey`. */
  restartBackOff: BackOff;
  /** The highest attempt seen by container name: records may be removed while the count goes on. */
  attempts: Map<string, number>;
  /** Ids of containers that the agent stopped to restart them: they do not count as crashes. */
  killedToRestart: Set<string>;
  /** Ids of containers whose start, postStart hook included, is under way: they are not reported running before. */
  starting: Set<string>;
  /** Ids of containers stopped only for a new one to take their place: until it does they count as running. */
  restarting: Set<string>;
  /** By container id: the resources it runs with. */
  actuated: Map<string, ResourceRequirements>;
  /** Names of the image volumes that are mounted. */
  imageVolumes: Set<string>;
  /** What the pod's cgroup was last set to; undefined: by an earlier agent. */
  podResources?: ContainerResources;
  /** Why the last resize did not go through. */
  resizeError?: string;
  /** By image. */
  imageBackOff: BackOff;
  /** By container id. */
  probes: Map<string, ProbeResults>;
  /** Operations under way: `files`, `sandbox`, `start`, `stop/<container id>`, `remove/<container id>`, `resize`, `finish`. */
  busy: Set<string>;
  verdict?: Verdict;
  /** The instance's object is gone from the API: stop at once, report to nobody. */
  gone: boolean;
  /** RFC 3339 with ms, see pool.ts. */
  meteredFrom?: string;
  meteredTo?: string;
  /** The terminal status is acknowledged by the API server. */
  finalStatusWritten: boolean;
  /** Nothing of the pod is left on this host. */
  cleanedUp: boolean;
  /** The last status computed; starts as what the API has. */
  status?: ContainerInstanceStatus;
}

export type Action =
  | { kind: 'prepareFiles' }
  /** Adoption: learn the address of a pod whose sandbox stands. */
  | { kind: 'attachNetwork' }
  | { kind: 'createSandbox'; attempt: number }
  | { kind: 'stopSandboxes' }
  | { kind: 'startContainer'; container: Container; role: ContainerRole; attempt: number }
  | {
      kind: 'stopContainer';
      container: ContainerState;
      /** Of the Killing event. */
      message: string;
      graceSeconds: number;
      /** Names of containers that must have ended first (sidecars outlive the main containers). */
      after: string[];
      /** Another container takes its place, however it ends. */
      restarts?: boolean;
    }
  | { kind: 'resizePod' }
  | {
      kind: 'removeContainer';
      containerId: string;
      /** The container starts anew as if it had never run; its logs stay. */
      startsOver?: boolean;
    }
  | { kind: 'writeFinalStatus' }
  | { kind: 'cleanUp' }
  | { kind: 'deleteInstance' };

export type ContainerRole = 'init' | 'main' | 'ephemeral';

export interface StepInput {
  instance: ContainerInstance;
  observed: PodObservation;
  memory: WorkerMemory;
  now: number;
}

export interface StepResult {
  actions: Action[];
  /** Reasons to write into memory.waiting, with the event each deserves. */
  waiting: { container: string; reason: WaitingReason; event?: PodEvent }[];
  /** Epoch ms: look again then at the latest. */
  wakeAt?: number;
  events: PodEvent[];
}

export interface PodEvent {
  type: 'Normal' | 'Warning';
  reason: string;
  message: string;
  /** Container name; absent for events about the pod. */
  container?: string;
}

export const isRestartableInit = (container: Container): boolean => container.restartPolicy === 'Always';

export const latest = (observed: PodObservation, name: string): ContainerState | undefined =>
  observed.containers.get(name)?.[0];

/** `name_namespace(uid)`, as the kubelet names pods in messages. */
export function podDescription(instance: ContainerInstance): string {
  const { name, namespace, uid } = instance.spec.podRef;
  return `${name}_${namespace}(${uid})`;
}

export const containersOf = (pod: PodSpec): Container[] => [
  ...(pod.initContainers ?? []),
  ...pod.containers,
  ...((pod.ephemeralContainers ?? []) as Container[]),
];
