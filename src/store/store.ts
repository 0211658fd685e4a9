/**
 * The store port: revisioned bytes with etcd's semantics. One global revision; every committed transaction takes the
 * next one. Keys are strings ordered by their UTF-8 bytes: `/<group or "core">/<resource>/<tenant>[/<namespace>]/<name>`.
 * Values are opaque here. `contract/` is the suite every engine passes.
 */
export interface KeyValue {
  key: string;
  /** Shared, never written to after it was handed out. */
  value: Uint8Array;
  createRevision: number;
  modRevision: number;
  /** Would be stored in another form if it were written today (an encryption key was rotated). */
  stale?: boolean;
}

export interface RangeRequest {
  /** Inclusive. */
  start: string;
  /** Exclusive; `prefixEnd(start)` makes a prefix of it. */
  end: string;
  /** Read as of this revision; the newest when absent. A compacted one rejects with CompactedError. */
  revision?: number;
  /** At most so many; all when absent. */
  limit?: number;
}

export interface RangeResult {
  items: KeyValue[];
  /** How many keys the whole range holds at that revision, `limit` aside. */
  count: number;
  /** The revision the range was read at. */
  revision: number;
}

/** Holds when the key's modRevision equals `modRevision`; 0 means the key does not exist. */
export interface Compare {
  key: string;
  modRevision: number;
}

export type WriteOperation = { type: 'put'; key: string; value: Uint8Array } | { type: 'delete'; key: string };

export interface Transaction {
  compare: Compare[];
  /** All applied at one revision, or none. A key may appear once. */
  operations: WriteOperation[];
}

export type CommitResult =
  | { committed: true; revision: number }
  /** `current` holds what each compared key is now, in the order of `compare`; undefined where there is none. */
  | { committed: false; revision: number; current: (KeyValue | undefined)[] };

export type StoreEvent =
  | { type: 'put'; key: string; value: Uint8Array; createRevision: number; revision: number; stale?: boolean }
  | { type: 'delete'; key: string; revision: number };

export interface WatchRequest {
  start: string;
  end: string;
  /** Deliver every event with a revision greater than this, without gap or duplicate, then go on. */
  afterRevision: number;
  /** Events in revision order; all of one revision in one call. `revision` may move on without events (progress). */
  onEvents(events: StoreEvent[], revision: number): void;
  /** Called at most once, after which nothing more comes: CompactedError, ClosedError, or an engine's failure. */
  onError(error: Error): void;
}

export interface Watch {
  close(): void;
}

export interface Store {
  get(key: string): Promise<KeyValue | undefined>;
  range(request: RangeRequest): Promise<RangeResult>;
  /**
   * Resolves when the change is durable (and so survives kill -9). Rejects with StoreFullError, ValueTooLargeError or
   * UnavailableError when nothing was written, and with UnknownOutcomeError when that cannot be told.
   */
  commit(transaction: Transaction): Promise<CommitResult>;
  watch(request: WatchRequest): Watch;
  /** The newest revision that is durable. An empty store is at revision 1. */
  currentRevision(): Promise<number>;
  /** Forgets history up to and including `revision`; older reads and watches then fail with CompactedError. */
  compact(revision: number): Promise<void>;
  /** Whether what is under the key is `stale` by now; false where nothing ever is. */
  isStale?(key: string): Promise<boolean> | false;
  /** Of its files (the member's in use, where it is a cluster); undefined where nothing is on disk. */
  sizeBytes?(): Promise<number | undefined>;
  close(): Promise<void>;
}

export class CompactedError extends Error {
  readonly compactRevision: number;
  constructor(compactRevision: number) {
    super(`required revision has been compacted (oldest kept: ${compactRevision + 1})`);
    this.name = 'CompactedError';
    this.compactRevision = compactRevision;
  }
}

export class ClosedError extends Error {
  constructor() {
    super('the store is closed');
    this.name = 'ClosedError';
  }
}

/** Nothing was written; what was acknowledged before is safe. */
export class StoreFullError extends Error {
  constructor(detail: string) {
    super(`the store has no room left: ${detail}`);
    this.name = 'StoreFullError';
  }
}

/** One value, or one transaction, is more than the store takes. Nothing was written. */
export class ValueTooLargeError extends Error {
  constructor(detail: string) {
    super(`the store cannot take so much at once: ${detail}`);
    this.name = 'ValueTooLargeError';
  }
}

/** The store cannot be reached, or has no quorum. Nothing was written, nothing was read. */
export class UnavailableError extends Error {
  constructor(detail: string) {
    super(`the store is not available: ${detail}`);
    this.name = 'UnavailableError';
  }
}

/** The store was lost in the middle of a commit: it may have happened, or may yet happen. */
export class UnknownOutcomeError extends Error {
  constructor(detail: string) {
    super(`it is not known whether the write was done: ${detail}`);
    this.name = 'UnknownOutcomeError';
  }
}

/** A revision that lies in the future of this store. */
export class FutureRevisionError extends Error {
  constructor(asked: number, current: number) {
    super(`required revision ${asked} is a future revision (current: ${current})`);
    this.name = 'FutureRevisionError';
  }
}

/** The end of the range of all keys that start with `prefix` (ASCII prefixes, as all of ours are). */
export function prefixEnd(prefix: string): string {
  return prefix.slice(0, -1) + String.fromCharCode(prefix.charCodeAt(prefix.length - 1) + 1);
}
