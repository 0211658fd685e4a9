import { ClosedError, CompactedError, type StoreEvent, type Watch, type WatchRequest } from './store.ts';

export interface Revision {
  revision: number;
  events: StoreEvent[];
}

/** What an engine lends the hub: its history, so that watches can start in the past. */
export interface History {
  /** The newest revision handed to `publish`. */
  current(): number;
  /** Watches may start after this revision or later. */
  compacted(): number;
  /**
   * Revisions in (after, upTo], ascending, at most `limit`; each with all its events. `upTo` is what `current` says at
   * the call.
   */
  read(after: number, limit: number, upTo: number): Revision[] | Promise<Revision[]>;
}

interface Watcher {
  request: WatchRequest;
  /** Everything up to here was delivered. */
  cursor: number;
  closed: boolean;
}

const backlogChunkRevisions = 512;

/**
 * Hands committed events to watchers, without gap or duplicate: a watcher first reads history in chunks and becomes live
 * in the very turn in which its cursor has caught up, so nothing can be published in between. All engines use it.
 *
 * Live watchers are kept by the first two segments of their range (`/core/pods/`), so that a commit costs a look-up
 * however many resources are watched; those with wider ranges are asked each time.
 */
export class WatchHub {
  readonly #history: History;
  readonly #byResource = new Map<string, Set<Watcher>>();
  readonly #wide = new Set<Watcher>();
  readonly #watchers = new Set<Watcher>();
  #queue: Revision[] = [];
  #publishing = false;
  #closed = false;

  constructor(history: History) {
    this.#history = history;
  }

  watch(request: WatchRequest): Watch {
    const watcher: Watcher = { request, cursor: request.afterRevision, closed: false };
    this.#watchers.add(watcher);
    queueMicrotask(() => void this.#catchUp(watcher));
    return { close: () => this.#remove(watcher) };
  }

  /** Revisions in ascending order. Watchers that commit from within onEvents are safe: what they cause comes after. */
  publish(revisions: Revision[]): void {
    this.#queue.push(...revisions);
    if (this.#publishing) return;
    this.#publishing = true;
    try {
      while (this.#queue.length > 0) {
        const batch = this.#queue;
        this.#queue = [];
        for (const revision of batch) this.#publishOne(revision);
        this.#progress(batch.at(-1)!.revision);
      }
    } finally {
      this.#publishing = false;
    }
  }

  /** Ends every watch. */
  close(error: Error = new ClosedError()): void {
    this.#closed = true;
    for (const watcher of [...this.#watchers]) this.#fail(watcher, error);
  }

  async #catchUp(watcher: Watcher): Promise<void> {
    let position = watcher.cursor;
    while (!watcher.closed) {
      if (this.#closed) return this.#fail(watcher, new ClosedError());
      if (position < this.#history.compacted()) {
        return this.#fail(watcher, new CompactedError(this.#history.compacted()));
      }
      // While publish is running, `current` may be ahead of what live watchers were told; history has it all the same,
      // and the cursor keeps the queue from telling it twice.
      if (position >= this.#history.current()) {
        this.#deliver(watcher, [], position);
        if (position >= this.#history.current()) return this.#goLive(watcher);
        continue;
      }
      const upTo = this.#history.current();
      let revisions: Revision[];
      try {
        const reading = this.#history.read(position, backlogChunkRevisions, upTo);
        revisions = Array.isArray(reading) ? reading : await reading;
      } catch (error) {
        return this.#fail(watcher, error as Error);
      }
      for (const { revision, events } of revisions) {
        const inside = events.filter((event) => inRange(watcher, event.key));
        if (inside.length > 0) this.#deliver(watcher, inside, revision);
      }
      const more = revisions.length === backlogChunkRevisions;
      position = more ? revisions.at(-1)!.revision : upTo;
      if (more) await new Promise<void>((resolve) => setImmediate(resolve));
    }
  }

  #goLive(watcher: Watcher): void {
    if (watcher.closed) return;
    const resource = resourceOfRange(watcher.request);
    if (resource === undefined) {
      this.#wide.add(watcher);
      return;
    }
    let set = this.#byResource.get(resource);
    if (set === undefined) this.#byResource.set(resource, (set = new Set()));
    set.add(watcher);
  }

  #publishOne({ revision, events }: Revision): void {
    const one = events.length === 1 ? events[0]! : undefined;
    if (one !== undefined) {
      for (const watcher of this.#byResource.get(resourceOfKey(one.key)) ?? []) {
        if (inRange(watcher, one.key)) this.#deliver(watcher, events, revision);
      }
      for (const watcher of this.#wide) if (inRange(watcher, one.key)) this.#deliver(watcher, events, revision);
      return;
    }
    const inside = new Map<Watcher, StoreEvent[]>();
    const collect = (watcher: Watcher, event: StoreEvent) => {
      if (!inRange(watcher, event.key)) return;
      const list = inside.get(watcher);
      if (list === undefined) inside.set(watcher, [event]);
      else list.push(event);
    };
    for (const event of events) {
      for (const watcher of this.#byResource.get(resourceOfKey(event.key)) ?? []) collect(watcher, event);
      for (const watcher of this.#wide) collect(watcher, event);
    }
    for (const [watcher, list] of inside) this.#deliver(watcher, list, revision);
  }

  #progress(revision: number): void {
    for (const set of this.#byResource.values()) for (const watcher of set) this.#deliver(watcher, [], revision);
    for (const watcher of this.#wide) this.#deliver(watcher, [], revision);
  }

  #deliver(watcher: Watcher, events: StoreEvent[], revision: number): void {
    if (watcher.closed || revision <= watcher.cursor) return;
    watcher.cursor = revision;
    try {
      watcher.request.onEvents(events, revision);
    } catch (error) {
      this.#fail(watcher, error as Error);
    }
  }

  #fail(watcher: Watcher, error: Error): void {
    if (watcher.closed) return;
    this.#remove(watcher);
    watcher.request.onError(error);
  }

  #remove(watcher: Watcher): void {
    watcher.closed = true;
    this.#watchers.delete(watcher);
    this.#wide.delete(watcher);
    const resource = resourceOfRange(watcher.request);
    if (resource === undefined) return;
    const set = this.#byResource.get(resource);
    set?.delete(watcher);
    if (set?.size === 0) this.#byResource.delete(resource);
  }
}

const inRange = (watcher: Watcher, key: string) => key >= watcher.request.start && key < watcher.request.end;

/** `/core/pods/` of `/core/pods/tenant/...`; '' of keys that have another form. */
function resourceOfKey(key: string): string {
  const second = key.indexOf('/', 1);
  const third = second < 0 ? -1 : key.indexOf('/', second + 1);
  return third < 0 ? '' : key.slice(0, third + 1);
}

/** The resource a whole range lies in, if it lies in one. */
function resourceOfRange({ start, end }: WatchRequest): string | undefined {
  const resource = resourceOfKey(start);
  return resource !== '' && end <= `${resource.slice(0, -1)}0` ? resource : undefined;
}
