import {
  ClosedError,
  type CommitResult,
  CompactedError,
  FutureRevisionError,
  type KeyValue,
  type RangeRequest,
  type RangeResult,
  type Store,
  type Transaction,
  type Watch,
  type WatchRequest,
} from '../store.ts';
import { checkTransaction, decide } from '../transaction.ts';
import { type Revision, WatchHub } from '../watch-hub.ts';

interface Version {
  modRevision: number;
  /** undefined: the key was deleted at modRevision. */
  live: KeyValue | undefined;
}

/** A store that lasts as long as the process: for tests and the simulated runtime. */
export function openMemoryStore(): Store {
  return new MemoryStore();
}

class MemoryStore implements Store {
  /** Versions of each key, oldest first. */
  readonly #versions = new Map<string, Version[]>();
  /** Every key of #versions in order; undefined when a key came or went. */
  #sortedKeys: string[] | undefined = [];
  #log: Revision[] = [];
  #revision = 1;
  #compacted = 0;
  #closed = false;
  readonly #hub = new WatchHub({
    current: () => this.#revision,
    compacted: () => this.#compacted,
    read: (after, limit) => {
      const from = this.#logIndexAfter(after);
      return this.#log.slice(from, from + limit);
    },
  });

  async get(key: string): Promise<KeyValue | undefined> {
    this.#checkOpen();
    return this.#live(key);
  }

  async range(request: RangeRequest): Promise<RangeResult> {
    this.#checkOpen();
    const revision = request.revision ?? this.#revision;
    if (revision > this.#revision) throw new FutureRevisionError(revision, this.#revision);
    if (revision < this.#compacted) throw new CompactedError(this.#compacted);
    const keys = this.#keys();
    const items: KeyValue[] = [];
    let count = 0;
    for (let index = lowerBound(keys, request.start); index < keys.length && keys[index]! < request.end; index++) {
      const live = this.#versions.get(keys[index]!)!.findLast((version) => version.modRevision <= revision)?.live;
      if (live === undefined) continue;
      count++;
      if (request.limit === undefined || items.length < request.limit) items.push(live);
    }
    return { items, count, revision };
  }

  async commit(transaction: Transaction): Promise<CommitResult> {
    this.#checkOpen();
    checkTransaction(transaction);
    const { result, changes } = decide(transaction, this.#revision, (key) => this.#live(key));
    if (changes.length === 0) return result;
    const { revision } = result;
    this.#revision = revision;
    for (const { event } of changes) {
      const { key } = event;
      const live =
        event.type === 'put'
          ? { key, value: event.value, createRevision: event.createRevision, modRevision: revision }
          : undefined;
      this.#push(key, { modRevision: revision, live });
    }
    const events = changes.map(({ event }) => event);
    this.#log.push({ revision, events });
    this.#hub.publish([{ revision, events }]);
    return result;
  }

  watch(request: WatchRequest): Watch {
    return this.#hub.watch(request);
  }

  async currentRevision(): Promise<number> {
    this.#checkOpen();
    return this.#revision;
  }

  async compact(revision: number): Promise<void> {
    this.#checkOpen();
    if (revision > this.#revision) throw new FutureRevisionError(revision, this.#revision);
    if (revision <= this.#compacted) return;
    this.#compacted = revision;
    const touched = this.#log.slice(0, this.#logIndexAfter(revision)).flatMap((entry) => entry.events);
    this.#log = this.#log.slice(this.#logIndexAfter(revision));
    for (const key of new Set(touched.map((event) => event.key))) {
      const versions = this.#versions.get(key);
      if (versions === undefined) continue;
      const kept = versions.findLastIndex((version) => version.modRevision <= revision);
      versions.splice(0, Math.max(kept, 0));
      if (versions.length === 1 && versions[0]!.live === undefined) {
        this.#versions.delete(key);
        this.#sortedKeys = undefined;
      }
    }
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#hub.close();
  }

  #push(key: string, version: Version): void {
    const versions = this.#versions.get(key);
    if (versions !== undefined) {
      versions.push(version);
      return;
    }
    this.#versions.set(key, [version]);
    this.#sortedKeys = undefined;
  }

  #live(key: string): KeyValue | undefined {
    return this.#versions.get(key)?.at(-1)?.live;
  }

  #keys(): string[] {
    return (this.#sortedKeys ??= [...this.#versions.keys()].sort());
  }

  #logIndexAfter(revision: number): number {
    let low = 0;
    let high = this.#log.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#log[middle]!.revision <= revision) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #checkOpen(): void {
    if (this.#closed) throw new ClosedError();
  }
}

function lowerBound(keys: string[], start: string): number {
  let low = 0;
  let high = keys.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (keys[middle]! < start) low = middle + 1;
    else high = middle;
  }
  return low;
}
