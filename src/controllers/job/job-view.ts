import type { Job, JobCondition, JobStatus } from '../../api/generated/batch-v1.ts';
import type { Pod } from '../../api/generated/core-v1.ts';
import type { BackoffRecord } from './backoff.ts';
import type { IndexSet } from './indexes.ts';

/** One look at one Job; its fields move as requests succeed. */
export interface JobView {
  job: Job;
  status: JobStatus;
  pods: Pod[];
  /** Pods whose tracking finalizer this controller removed already, whatever the cache says. */
  untracked: ReadonlySet<string>;
  active: Pod[];
  activeCount: number;
  readyCount: number;
  terminatingCount: number;
  succeeded: number;
  failed: number;
  completedBefore: IndexSet;
  succeededIndexes: IndexSet | undefined;
  failedIndexes: IndexSet | undefined;
  /** Failed pods kept until their index has a successor, which carries on their failure count. */
  waitingForSuccessor: Map<number, Pod>;
  backoff: BackoffRecord;
  finished: JobCondition | undefined;
}

export interface JobTools {
  writer: JobWriter;
  work: PodWork;
  backoffOf(key: string): BackoffRecord;
  setBackoff(key: string, record: BackoffRecord): void;
  untracked(jobUid: string): ReadonlySet<string>;
  /** The cache shows all pods that were created and deleted. */
  isSettled(jobUid: string): boolean;
  event(job: Job, type: 'Normal' | 'Warning', reason: string, message: string): void;
}

/** Requests about a Job's pods; each tells how many succeeded and the first failure. */
export interface PodWork {
  create(view: JobView, indexes: (number | undefined)[]): Promise<{ created: number; error?: unknown }>;
  /** Counts the view's active, ready and terminating pods down or up. Leaves the finalizers: the pods are counted later. */
  deleteActive(view: JobView, pods: Pod[]): Promise<{ deleted: number; error?: unknown }>;
  /** Takes the finalizers off first: these pods are not to be counted. */
  deleteUncounted(view: JobView, pods: Pod[]): Promise<{ deleted: number; error?: unknown }>;
}

export interface JobWriter {
  updateStatus(job: Job, status: JobStatus): Promise<Job>;
  /** The uids of the pods that are free now. */
  removeFinalizers(job: Job, pods: Pod[]): Promise<{ freed: Set<string>; error?: unknown }>;
}
