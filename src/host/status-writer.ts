import { deepEqual } from '../api/equality.ts';
import type { ContainerInstance, ContainerInstanceStatus } from '../api/pool.ts';
import { CONTAINER_INSTANCES } from '../api/resources.ts';
import { isNotFound, StatusError } from '../api/status.ts';
import type { Clock } from '../base/clock.ts';
import type { Logger } from '../base/log.ts';
import { type Client, SYSTEM_TENANT } from '../client/client.ts';

/** How long a status of a pod on its way up may wait for a better one: a quick start costs one write, not three. */
const GATHERING_MS = 20;

interface Entry {
  namespace: string;
  uid: string | undefined;
  wanted: ContainerInstanceStatus;
  /** What the API server has, as far as known. */
  acknowledged: ContainerInstanceStatus | undefined;
  queued: boolean;
  writing: boolean;
  failures: number;
  /** Cancels the wait for a better status. */
  gathering?: () => void;
  waiters: { status: ContainerInstanceStatus; resolve: () => void }[];
}

export interface StatusWriterOptions {
  client: Client;
  clock: Clock;
  logger: Logger;
  signal: AbortSignal;
  /** How many writes run at once. */
  concurrency?: number;
}

/**
 * Sends statuses to the API server: only the newest of an instance, only when it differs from what the server has, many
 * instances in parallel, and again until it succeeds. While the API server is away the newest statuses simply wait.
 */
export class StatusWriter {
  readonly #options: Required<StatusWriterOptions>;
  readonly #entries = new Map<string, Entry>();
  readonly #queue: string[] = [];
  #active = 0;

  constructor(options: StatusWriterOptions) {
    this.#options = { concurrency: 48, ...options, client: options.client.forWriting() };
  }

  /** What the server has: from the watch, or read before. */
  observe(instance: ContainerInstance): void {
    const entry = this.#entries.get(instance.metadata.name);
    if (entry !== undefined && !entry.writing && !entry.queued) entry.acknowledged = instance.status;
  }

  write(instance: ContainerInstance, status: ContainerInstanceStatus): void {
    const { name, namespace = '', uid } = instance.metadata;
    let entry = this.#entries.get(name);
    if (entry === undefined) {
      entry = {
        namespace,
        uid,
        wanted: status,
        acknowledged: instance.status,
        queued: false,
        writing: false,
        failures: 0,
        waiters: [],
      };
      this.#entries.set(name, entry);
    }
    entry.wanted = status;
    if (entry.writing || deepEqual(entry.wanted, entry.acknowledged)) return;
    const isPending = status.phase === 'Pending';
    if (entry.gathering !== undefined && !isPending) {
      entry.gathering();
      delete entry.gathering;
      entry.queued = false;
    }
    if (entry.queued) return;
    if (!isPending) {
      this.#enqueue(name, entry);
      return;
    }
    entry.queued = true;
    entry.gathering = this.#options.clock.schedule(GATHERING_MS, () => {
      delete entry.gathering;
      if (this.#entries.get(name) === entry) this.#enqueue(name, entry);
    });
  }

  /** Resolves when the server has acknowledged this status, a newer one, or no longer knows the instance. */
  written(instance: ContainerInstance, status: ContainerInstanceStatus): Promise<void> {
    this.write(instance, status);
    const entry = this.#entries.get(instance.metadata.name)!;
    if (deepEqual(entry.acknowledged, entry.wanted)) return Promise.resolve();
    return new Promise((resolve) => entry.waiters.push({ status, resolve }));
  }

  forget(name: string): void {
    const entry = this.#entries.get(name);
    entry?.gathering?.();
    this.#entries.delete(name);
    for (const { resolve } of entry?.waiters ?? []) resolve();
  }

  #enqueue(name: string, entry: Entry): void {
    entry.queued = true;
    this.#queue.push(name);
    this.#pump();
  }

  #pump(): void {
    while (this.#active < this.#options.concurrency) {
      const name = this.#queue.shift();
      if (name === undefined) return;
      const entry = this.#entries.get(name);
      if (entry === undefined) continue;
      entry.queued = false;
      entry.writing = true;
      this.#active++;
      void this.#send(name, entry).finally(() => {
        this.#active--;
        entry.writing = false;
        this.#settle(name, entry);
        this.#pump();
      });
    }
  }

  #settle(name: string, entry: Entry): void {
    if (this.#entries.get(name) !== entry) return;
    if (deepEqual(entry.wanted, entry.acknowledged)) {
      for (const { resolve } of entry.waiters.splice(0)) resolve();
      return;
    }
    if (entry.failures === 0) {
      this.#enqueue(name, entry);
      return;
    }
    const delayMs = Math.min(100 * 2 ** (entry.failures - 1), 5000);
    entry.queued = true;
    this.#options.clock.schedule(delayMs, () => {
      if (this.#options.signal.aborted || this.#entries.get(name) !== entry) return;
      this.#queue.push(name);
      this.#pump();
    });
  }

  async #send(name: string, entry: Entry): Promise<void> {
    const { client, logger } = this.#options;
    const status = entry.wanted;
    try {
      await client
        .resource(SYSTEM_TENANT, CONTAINER_INSTANCES, entry.namespace)
        .patch(name, 'merge', statusPatch(entry.acknowledged, status, entry.uid), 'status');
      entry.acknowledged = status;
      entry.failures = 0;
    } catch (error) {
      // The instance is gone, or another of its name stands: nobody is left to tell.
      if (isNotFound(error) || (error instanceof StatusError && error.code === 409)) {
        entry.acknowledged = entry.wanted;
        return;
      }
      entry.failures++;
      if (entry.failures === 1) logger.warn({ error, instance: name }, 'a status was not written; trying again');
    }
  }
}

/** A merge patch: whole values for what is there, null for what no longer is. The uid guards against a namesake. */
export function statusPatch(
  before: ContainerInstanceStatus | undefined,
  after: ContainerInstanceStatus,
  uid: string | undefined,
) {
  const status: Record<string, unknown> = { ...after };
  for (const key of Object.keys(before ?? {})) if (!(key in after)) status[key] = null;
  return { ...(uid !== undefined && { metadata: { uid } }), status };
}
