import type { PodNetwork } from '../../api/pod-network.ts';
import type { ContainerInstance, ContainerInstanceStatus } from '../../api/pool.ts';
import type { Clock } from '../../base/clock.ts';
import type { Logger } from '../../base/log.ts';
import type { Semaphore } from '../../base/semaphore.ts';
import type { SandboxRuntime } from '../../runtime/sandbox-runtime.ts';
import type { ImageManager } from '../images/image-manager.ts';
import type { RuntimeCache } from '../runtime-cache.ts';
import type { SecurityPolicy } from './containers/security.ts';
import type { PodFiles } from './pod-files.ts';
import type { PodEvent, PodObservation, WorkerMemory } from './state.ts';

/** What all workers of a host share. */
export interface WorkerDependencies {
  runtime: SandboxRuntime;
  cache: RuntimeCache;
  network: PodNetwork;
  files: PodFiles;
  images: ImageManager;
  /** Sandboxes and containers being made at once. */
  starts: Semaphore;
  clock: Clock;
  logger: Logger;
  /** What pods of a tenant may. */
  policyOf(tenant: string): SecurityPolicy;
  hostMemoryBytes: number;
  event(instance: ContainerInstance, event: PodEvent): void;
  writeStatus(instance: ContainerInstance, status: ContainerInstanceStatus): void;
  /** Resolves when the API server has this status, or no longer knows the instance. */
  statusWritten(instance: ContainerInstance, status: ContainerInstanceStatus): Promise<void>;
  /** Deletes the instance for good (grace period 0). */
  deleteInstance(instance: ContainerInstance): Promise<void>;
  random(): number;
}

/** What one operation of a worker sees. */
export interface WorkerContext {
  readonly dependencies: WorkerDependencies;
  readonly instance: ContainerInstance;
  readonly memory: WorkerMemory;
  readonly logger: Logger;
  observed(): PodObservation;
  event(event: PodEvent): void;
  /** Aborts when the pod is to end: whatever only serves its start gives up. */
  readonly ending: AbortSignal;
  /** Resolves when the container (by name) runs no more. */
  stopped(name: string): Promise<void>;
  /** Stops under way, by container id, so that a shorter grace period can reach them. */
  readonly stops: Map<string, { shorten(graceSeconds: number): void }>;
}
