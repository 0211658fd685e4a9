import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Container } from '../../api/generated/core-v1.ts';
import type { PodAddress } from '../../api/pod-network.ts';
import type { ContainerInstance } from '../../api/pool.ts';
import type { Mount } from '../../runtime/sandbox-runtime.ts';

/** What a pod has on the host's file systems: volumes, managed files, logs and its cgroup. Every verb is idempotent. */
export interface PodFiles {
  /** Absolute; the sandbox's log directory. */
  logDirectory(podUid: string): string;
  /** As CRI wants it; '' leaves the choice to the runtime. */
  cgroupParent(podUid: string): string;
  /** Directories, cgroup and volumes. Rejects with VolumeError. */
  prepare(instance: ContainerInstance): Promise<void>;
  /** New content of configMap, secret, projected and downwardAPI volumes. */
  refresh(instance: ContainerInstance): Promise<void>;
  /** The mounts of one container, its termination log and /etc/hosts among them. Rejects with ContainerStartError. */
  containerMounts(
    instance: ContainerInstance,
    container: Container,
    attempt: number,
    address: PodAddress,
  ): Promise<Mount[]>;
  /** The text of a file in a volume of the pod's; nothing that containers make of the volume leads out of it. */
  readVolumeFile(instance: ContainerInstance, volume: string, path: string): Promise<string>;
  /** What the container left in its termination log, at most 4096 bytes. */
  terminationLog(podUid: string, container: string, attempt: number): Promise<string>;
  /** Attempts that left a log, for a count that survives the runtime's records. -1 when none did. */
  lastAttempt(podUid: string, container: string): Promise<number>;
  /** No container runs any more: volumes and cgroup go, logs stay. */
  release(podUid: string): Promise<void>;
  /** Removes everything. */
  remove(podUid: string): Promise<void>;
  removeLog(podUid: string, container: string, attempt: number): Promise<void>;
  /** The directory of what the pod's hostPaths show, which it shares with its tenant's pods of the node; undefined without any. */
  nodeTree(instance: ContainerInstance): string | undefined;
  /** Removes those that no pod of `instances` has used for long, or that are to be `discard`ed and are not in use. */
  collectNodeTrees(instances: Iterable<ContainerInstance>, discard: ReadonlySet<string>): Promise<void>;
  /** Where an emptyDir on disk lies. */
  emptyDirectory(podUid: string, volume: string): string;
  /** Where an image volume is to be mounted; `prepare` makes the directory. */
  imageDirectory(podUid: string, volume: string): string;
  /** Those that there are: the runtime lets go of them before `release` or `remove`. */
  imageDirectories(podUid: string): Promise<string[]>;
  /** Pods that have anything here, so that what a crash left behind is found. */
  list(): Promise<string[]>;
}

/** A volume that could not be set up; `message` goes into the FailedMount event. */
export class VolumeError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'VolumeError';
  }
}

/** For a runtime without processes: nothing but the logs that it may write itself. */
export function simulatedPodFiles(logsDirectory: string): PodFiles {
  const logDirectory = (podUid: string) => join(logsDirectory, podUid);
  return {
    logDirectory,
    cgroupParent: () => '',
    async prepare() {},
    async refresh() {},
    containerMounts: async () => [],
    readVolumeFile: () => Promise.reject(new Error('there are no files')),
    terminationLog: async () => '',
    lastAttempt: async () => -1,
    async release() {},
    remove: (podUid) => rm(logDirectory(podUid), { recursive: true, force: true }),
    removeLog: (podUid, container, attempt) =>
      rm(join(logDirectory(podUid), container, `${attempt}.log`), { force: true }),
    nodeTree: () => undefined,
    async collectNodeTrees() {},
    imageDirectory: (podUid, volume) => join(logDirectory(podUid), volume),
    imageDirectories: async () => [],
    emptyDirectory: (podUid, volume) => join(logDirectory(podUid), volume),
    list: async () => [],
  };
}
