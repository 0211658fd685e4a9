import { sleep } from '../../base/abort.ts';
import { ClosedError, CompactedError } from '../store.ts';
import { type History, type Revision, WatchHub } from '../watch-hub.ts';
import type { Connection } from './connection.ts';
import { asStoreError, EtcdError } from './errors.ts';
import type { Keyspace } from './keys.ts';
import type { EtcdEvent, EtcdWatchResponse } from './messages.ts';
import { RecentRevisions } from './recent-revisions.ts';

export interface FeedOptions {
  connection: Connection;
  keyspace: Keyspace;
  /** The cluster's newest revision. */
  currentRevision(): Promise<number>;
  /** Writes a key of the engine's own, so that there is an event. Resolves with its revision. */
  writeMark(): Promise<number>;
  /** Sees each event before watchers do; may put another buffer with the same bytes in the value's place. */
  onEvent(event: EtcdEvent): void;
}

interface Waiter {
  revision: number;
  resolve: (reached: boolean) => void;
  timer: NodeJS.Timeout;
}

/** Others' writes elsewhere in etcd move its revision without an event here: after so long, one is made. */
const nudgeAfterMs = 25;
/** A member whose watch has not told of a revision for so long is left. */
const lagLimitMs = 2_000;
const reconnectPauseMs = 50;
/** How long old history is asked for again when its connection breaks. */
const historyTimeoutMs = 15_000;

/**
 * The one watch of this process on etcd, over the whole key space: every change since `revision`, once and in order,
 * across reconnects and members, handed on to all watchers of the port.
 */
export class Feed {
  readonly #options: FeedOptions;
  #hub: WatchHub;
  #recent: RecentRevisions;
  #revision: number;
  #compacted = 0;
  #stream: { close(): void; leave(): void } | undefined;
  /** The start of a response that came in parts. */
  #fragments: EtcdEvent[] = [];
  #waiters: Waiter[] = [];
  /** The newest revision that the cluster is known to have. */
  #expected = 0;
  #nudge: NodeJS.Timeout | undefined;
  #reconnect: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(options: FeedOptions, revision: number) {
    this.#options = options;
    this.#revision = revision;
    this.#recent = new RecentRevisions(revision);
    this.#hub = this.#newHub();
    this.#connect();
  }

  /** Watchers were told everything up to here. */
  get revision(): number {
    return this.#revision;
  }

  get hub(): WatchHub {
    return this.#hub;
  }

  get recent(): RecentRevisions {
    return this.#recent;
  }

  get compacted(): number {
    return this.#compacted;
  }

  noteCompaction(revision: number): void {
    this.#compacted = Math.max(this.#compacted, revision);
  }

  /** Resolves with whether `revision` has been told within `timeoutMs`. */
  reached(revision: number, timeoutMs: number): Promise<boolean> {
    if (revision <= this.#revision) return Promise.resolve(true);
    if (this.#closed) return Promise.resolve(false);
    return new Promise((resolve) => {
      const waiter: Waiter = { revision, resolve, timer: setTimeout(() => this.#giveUp(waiter), timeoutMs) };
      this.#waiters.push(waiter);
    });
  }

  /** As `reached`, of a revision that changed something here: a member whose watch does not tell of it is left. */
  async told(revision: number, timeoutMs: number): Promise<boolean> {
    const stream = this.#stream;
    const firstMs = Math.min(timeoutMs, lagLimitMs);
    if (await this.reached(revision, firstMs)) return true;
    if (this.#stream === stream) stream?.leave();
    return this.reached(revision, timeoutMs - firstMs);
  }

  /** The cluster is at `revision`: sees to it that this process gets there. */
  expect(revision: number): void {
    this.#expected = Math.max(this.#expected, revision);
    if (this.#expected <= this.#revision || this.#nudge !== undefined || this.#closed) return;
    this.#nudge = setTimeout(() => void this.#check(), nudgeAfterMs);
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#nudge);
    clearTimeout(this.#reconnect);
    this.#stream?.close();
    this.#hub.close();
    for (const waiter of [...this.#waiters]) this.#giveUp(waiter);
  }

  async #check(): Promise<void> {
    let done = false;
    try {
      if (this.#expected > this.#revision) {
        const mark = await this.#options.writeMark();
        if (!(await this.reached(mark, lagLimitMs))) this.#stream?.leave();
      }
      done = true;
    } catch {
      // No quorum. Whoever waits for the revision is told so by a call of its own.
    }
    this.#nudge = undefined;
    if (done) this.expect(this.#expected);
  }

  #giveUp(waiter: Waiter): void {
    clearTimeout(waiter.timer);
    this.#waiters = this.#waiters.filter((other) => other !== waiter);
    waiter.resolve(waiter.revision <= this.#revision);
  }

  #newHub(): WatchHub {
    return new WatchHub({
      current: () => this.#revision,
      compacted: () => this.#compacted,
      read: (after, limit, upTo) =>
        after >= this.#recent.completeAfter
          ? this.#recent.read(after, upTo, limit)
          : this.#readHistory(after, limit, upTo, performance.now() + historyTimeoutMs),
    } satisfies History);
  }

  #connect(): void {
    if (this.#closed) return;
    const { connection, keyspace } = this.#options;
    this.#fragments = [];
    this.#stream = connection.watch(
      { ...keyspace.everything, startRevision: this.#revision + 1, fragment: true },
      (response) => this.#take(response),
      () => {
        // Nothing will be told for a while.
        if (connection.isAway) for (const waiter of [...this.#waiters]) this.#giveUp(waiter);
        this.#reconnect = setTimeout(() => this.#connect(), reconnectPauseMs);
      },
    );
  }

  #take(response: EtcdWatchResponse): void {
    if (response.canceled) {
      if (response.compactRevision > 0) void this.#startOver(response.compactRevision);
      else this.#stream?.leave();
      return;
    }
    if (response.created) return;
    if (response.fragment) {
      this.#fragments.push(...response.events);
      return;
    }
    const events = this.#fragments.length === 0 ? response.events : [...this.#fragments, ...response.events];
    this.#fragments = [];
    for (const event of events) this.#options.onEvent(event);
    const revisions = this.#options.keyspace.revisionsOf(events);
    this.#publish(revisions.filter(({ revision }) => revision > this.#revision));
  }

  #publish(revisions: Revision[]): void {
    if (revisions.length === 0) return;
    for (const revision of revisions) if (revision.events.length > 0) this.#recent.push(revision);
    this.#revision = revisions.at(-1)!.revision;
    this.#hub.publish(revisions);
    this.#wake();
  }

  #wake(): void {
    if (this.#waiters.length === 0) return;
    for (const waiter of this.#waiters.filter((each) => each.revision <= this.#revision)) this.#giveUp(waiter);
  }

  /** What came in between is gone for good: every watcher has to read anew. */
  async #startOver(compacted: number): Promise<void> {
    this.#stream?.close();
    this.noteCompaction(compacted);
    let revision: number | undefined;
    while (revision === undefined && !this.#closed) {
      revision = await this.#options.currentRevision().catch(() => sleep(reconnectPauseMs).then(() => undefined));
    }
    if (revision === undefined || this.#closed) return;
    const hub = this.#hub;
    this.#revision = revision;
    this.#recent = new RecentRevisions(revision);
    this.#hub = this.#newHub();
    this.#connect();
    hub.close(new CompactedError(compacted));
    this.#wake();
  }

  /**
   * What was before this process' own memory, from etcd by a watch of its own. etcd says where such a watch has caught
   * up only by going on, so a mark is written behind what is wanted.
   */
  async #readHistory(after: number, limit: number, upTo: number, deadlineMs: number): Promise<Revision[]> {
    for (;;) {
      try {
        return await this.#tryReadHistory(after, limit, upTo);
      } catch (error) {
        if (!(error instanceof EtcdError)) throw error;
        if (this.#options.connection.isAway || performance.now() > deadlineMs) throw asStoreError(error);
      }
      await sleep(reconnectPauseMs);
    }
  }

  #tryReadHistory(after: number, limit: number, upTo: number): Promise<Revision[]> {
    const { connection, keyspace } = this.#options;
    return new Promise((resolve, reject) => {
      let found: Revision[] = [];
      let fragments: EtcdEvent[] = [];
      const stream = connection.watch(
        { ...keyspace.everything, startRevision: after + 1, fragment: true },
        (response) => {
          if (response.canceled) {
            stream.close();
            if (response.compactRevision === 0)
              return reject(new Error(`etcd ended a watch: ${response.cancelReason}`));
            this.noteCompaction(response.compactRevision);
            return reject(new CompactedError(response.compactRevision));
          }
          fragments.push(...response.events);
          if (response.fragment || fragments.length === 0) return;
          const revisions = keyspace.revisionsOf(fragments);
          fragments = [];
          found = [...found, ...revisions.filter(({ revision }) => revision <= upTo)];
          if (revisions.at(-1)!.revision < upTo && found.length < limit) return;
          stream.close();
          resolve(found.slice(0, limit));
        },
        (error) => reject(this.#closed ? new ClosedError() : error),
      );
      this.#options.writeMark().catch((error) => {
        stream.close();
        reject(error);
      });
    });
  }
}
