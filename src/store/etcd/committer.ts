import { randomUUID } from 'node:crypto';
import { sleep } from '../../base/abort.ts';
import {
  type CommitResult,
  type KeyValue,
  type Transaction,
  UnavailableError,
  UnknownOutcomeError,
  type WriteOperation,
} from '../store.ts';
import type { Connection } from './connection.ts';
import { asStoreError, awayMessage, EtcdError, failureOf, saidOf } from './errors.ts';
import type { Feed } from './feed.ts';
import type { Keyspace } from './keys.ts';
import type {
  EtcdCompare,
  EtcdEvent,
  EtcdKeyValue,
  EtcdOperation,
  EtcdTransaction,
  EtcdTransactionResponse,
} from './messages.ts';

export interface CommitterOptions {
  connection: Connection;
  keyspace: Keyspace;
  feed(): Feed;
  toKeyValue(kv: EtcdKeyValue): KeyValue;
}

/**
 * So long a commit is tried again, and its outcome looked for, before its caller is told that it is not known. What was
 * never sent is given up as soon as nobody answers.
 */
const commitTimeoutMs = 10_000;
const attemptTimeoutMs = 3_000;
const retryPauseMs = 50;
/** How long an acknowledgement waits for this process' own watch to tell of the write. */
const toldWithinMs = 3_000;
const epochKeptMs = 24 * 3_600_000;
const removalsRemembered = 4_096;

/**
 * Commits, with one answer even when the connection breaks in the middle of one. Example: a create is sent, the member
 * dies before it answers. The request may have been lost, may have happened, or may still happen, long after; to read
 * the key tells nothing, and to send it again could bring back what somebody has deleted in between. So:
 *
 *     every transaction    compares, besides its own keys, that this process' epoch key is at revision E
 *     outcome unknown      the epoch key is written, at revision F: what was under way with E can't happen any more
 *     watch reaches F      all that happened up to F is known: either the write is among it, or it never happened
 *
 * A deletion leaves no value to recognize it by, so one writes a name of its own (`removed`) along with it.
 */
export class Committer {
  readonly #options: CommitterOptions;
  readonly #epochKey: Buffer;
  readonly #removedKey: Buffer;
  #epoch = 0;
  #fencing: Promise<number> | undefined;
  /** Values on their way, by key, so that the watch hands on the very buffer its writer knows. */
  readonly #pending = new Map<string, Uint8Array>();
  /** Revisions of deletions, by their names. */
  readonly #removals = new Map<string, number>();

  constructor(options: CommitterOptions) {
    this.#options = options;
    this.#epochKey = options.keyspace.own(`epoch/${randomUUID()}`);
    this.#removedKey = options.keyspace.own('removed');
  }

  async commit(transaction: Transaction): Promise<CommitResult> {
    const deadlineMs = performance.now() + commitTimeoutMs;
    const since = this.#options.feed().revision;
    const removal = this.#needsName(transaction) ? randomUUID() : undefined;
    for (const operation of transaction.operations) {
      if (operation.type === 'put') this.#pending.set(operation.key, operation.value);
    }
    try {
      for (;;) {
        const epoch = this.#epoch;
        let response: EtcdTransactionResponse;
        try {
          response = await this.#send(transaction, epoch, removal);
        } catch (error) {
          const failure = error instanceof EtcdError ? failureOf(error) : 'refused';
          if (failure === 'refused') throw asStoreError(error);
          const isLate = performance.now() > deadlineMs;
          if (failure === 'unsent' && (isLate || this.#options.connection.isAway)) throw asStoreError(error);
          if (failure === 'unknown') {
            if (isLate) throw new UnknownOutcomeError(saidOf(error as EtcdError));
            const revision = await this.#settle(transaction, epoch, since, removal, deadlineMs);
            if (revision !== undefined) return { committed: true, revision };
          }
          await sleep(retryPauseMs);
          continue;
        }
        const { revision } = response.header;
        if (response.succeeded) {
          await this.#options.feed().told(revision, toldWithinMs);
          return { committed: true, revision };
        }
        const [epochRange, ...ranges] = response.responses.map(({ responseRange }) => responseRange?.kvs[0]);
        const epochNow = epochRange?.modRevision ?? 0;
        if (epochNow !== epoch) {
          // Fenced off, by this process on behalf of another transaction: this one has not happened.
          if (epochNow > this.#epoch) this.#epoch = epochNow;
          if (performance.now() > deadlineMs) throw new UnavailableError('etcd: too many interruptions');
          if (epochNow === 0) await this.#renew(deadlineMs);
          continue;
        }
        // Its caller wants to see what was in the way.
        this.#options.feed().expect(revision);
        return { committed: false, revision, current: ranges.map((kv) => kv && this.#options.toKeyValue(kv)) };
      }
    } finally {
      for (const operation of transaction.operations) {
        if (operation.type === 'put' && this.#pending.get(operation.key) === operation.value) {
          this.#pending.delete(operation.key);
        }
      }
    }
  }

  /** Each event of the feed, before anyone else sees it. */
  onEvent({ type, kv }: EtcdEvent): void {
    if (type !== 'PUT') return;
    if (this.#options.keyspace.isOwn(kv.key)) {
      if (kv.key.equals(this.#removedKey)) this.#noteRemoval(kv.value.toString(), kv.modRevision);
      return;
    }
    if (this.#pending.size === 0) return;
    const pending = this.#pending.get(this.#options.keyspace.decode(kv.key));
    if (pending !== undefined && kv.value.equals(pending)) kv.value = pending as Buffer;
  }

  /** Leaves nothing behind: the epoch key of a process that is no more means nothing. */
  async close(): Promise<void> {
    if (this.#epoch > 0) await this.#options.connection.attempt('DeleteRange', { key: this.#epochKey }).catch(() => {});
  }

  /** Removes what processes left behind that were killed. So late as then nothing of theirs is under way any more. */
  async sweep(nowMs = Date.now()): Promise<void> {
    const { connection, keyspace } = this.#options;
    const { kvs } = await connection.call('Range', { key: keyspace.own('epoch/'), rangeEnd: keyspace.own('epoch0') });
    for (const { key, value, modRevision } of kvs) {
      if (!(Date.parse(value.toString()) < nowMs - epochKeptMs)) continue;
      const success = [{ requestDeleteRange: { key } }];
      await connection.attempt('Txn', { compare: [equal(key, modRevision)], success, failure: [] });
    }
  }

  #send(transaction: Transaction, epoch: number, removal: string | undefined): Promise<EtcdTransactionResponse> {
    const { keyspace } = this.#options;
    const compares = transaction.compare.map(({ key, modRevision }) => equal(keyspace.encode(key), modRevision));
    const success: EtcdOperation[] = transaction.operations.map((operation) => {
      const key = keyspace.encode(operation.key);
      return operation.type === 'put'
        ? { requestPut: { key, value: operation.value } }
        : { requestDeleteRange: { key } };
    });
    if (removal !== undefined) success.push({ requestPut: { key: this.#removedKey, value: Buffer.from(removal) } });
    const request: EtcdTransaction = {
      compare: [equal(this.#epochKey, epoch), ...compares],
      success,
      failure: [{ requestRange: { key: this.#epochKey } }, ...compares.map(({ key }) => ({ requestRange: { key } }))],
    };
    return this.#options.connection.attempt('Txn', request, attemptTimeoutMs);
  }

  /**
   * Makes an end of what may still happen under `epoch`, and finds out whether the transaction did. Resolves with its
   * revision; undefined when it has not happened and never will.
   */
  async #settle(
    transaction: Transaction,
    epoch: number,
    since: number,
    removal: string | undefined,
    deadlineMs: number,
  ): Promise<number | undefined> {
    const feed = this.#options.feed();
    const fence = this.#epoch > epoch ? this.#epoch : await this.#fence(deadlineMs);
    while (!(await feed.told(fence, Math.max(deadlineMs - performance.now(), 0)))) {
      if (performance.now() >= deadlineMs) throw new UnknownOutcomeError('etcd: no member tells what has happened');
      await sleep(retryPauseMs);
    }
    if (feed.recent.completeAfter > since) throw new UnknownOutcomeError('etcd: it took too long');
    if (removal !== undefined) return this.#removals.get(removal);
    const puts = transaction.operations.filter((operation) => operation.type === 'put');
    if (puts.length === 0) throw new UnknownOutcomeError('etcd: an unconditional deletion leaves no trace');
    for (const { revision, events } of feed.recent.read(since, fence, Number.POSITIVE_INFINITY)) {
      if (puts.every((put) => events.some((event) => isPut(event, put)))) return revision;
    }
    return undefined;
  }

  /** The epoch key is gone: it was thought to be that of a process that is no more. */
  async #renew(deadlineMs: number): Promise<void> {
    try {
      await this.#fence(deadlineMs);
    } catch (error) {
      throw error instanceof UnknownOutcomeError ? new UnavailableError(awayMessage) : error;
    }
  }

  /** One for all whose outcome is open. A fence that may have been written is only followed by another. */
  #fence(deadlineMs: number): Promise<number> {
    this.#fencing ??= this.#writeFence(deadlineMs).finally(() => (this.#fencing = undefined));
    return this.#fencing;
  }

  async #writeFence(deadlineMs: number): Promise<number> {
    for (;;) {
      try {
        const { header } = await this.#options.connection.attempt('Put', {
          key: this.#epochKey,
          value: Buffer.from(new Date().toISOString()),
        });
        this.#epoch = Math.max(this.#epoch, header.revision);
        return header.revision;
      } catch (error) {
        if (!(error instanceof EtcdError)) throw error;
        if (performance.now() > deadlineMs || failureOf(error) === 'refused')
          throw new UnknownOutcomeError(saidOf(error));
        await sleep(retryPauseMs);
      }
    }
  }

  /** A deletion that surely deletes: what changes nothing must take no revision. */
  #needsName({ compare, operations }: Transaction): boolean {
    if (operations.some(({ type }) => type === 'put')) return false;
    return operations.some(({ key }) => compare.some((each) => each.key === key && each.modRevision > 0));
  }

  #noteRemoval(name: string, revision: number): void {
    this.#removals.set(name, revision);
    if (this.#removals.size <= removalsRemembered) return;
    for (const oldest of this.#removals.keys()) {
      this.#removals.delete(oldest);
      return;
    }
  }
}

const equal = (key: Buffer, modRevision: number): EtcdCompare => ({
  result: 'EQUAL',
  target: 'MOD',
  key,
  modRevision,
});

function isPut(
  event: { type: string; key: string; value?: Uint8Array },
  put: WriteOperation & { type: 'put' },
): boolean {
  return event.type === 'put' && event.key === put.key && Buffer.compare(event.value!, put.value) === 0;
}
