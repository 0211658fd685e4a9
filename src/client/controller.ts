import type { KubeObject } from '../api/object.ts';
import { isConflict, isNotFound } from '../api/status.ts';
import { aborted } from '../base/abort.ts';
import type { Clock } from '../base/clock.ts';
import type { Logger } from '../base/log.ts';
import { type Informer, type InformerHandlers, keyOf, type ObjectKey } from './informer.ts';
import type { ControllerMetrics } from './queue-metrics.ts';
import { WorkQueue } from './work-queue.ts';

export type { ControllerMetrics } from './queue-metrics.ts';

/** What event handlers may do with a controller's queue. */
export interface ControllerQueue {
  add(key: ObjectKey): void;
  addAfter(key: ObjectKey, delayMs: number): void;
}

export interface Watch {
  informer: Informer<any>;
  handlers(queue: ControllerQueue): InformerHandlers<any>;
}

export interface ReconcileTools {
  now(): number;
  queue: ControllerQueue;
  logger: Logger;
  signal: AbortSignal;
}

/**
 * One control loop: changes of the watched objects become keys, keys become calls of `reconcile`. A rejected call is
 * made again after a back-off of the key's own; a key is never reconciled twice at the same time.
 */
export interface Controller {
  /** As upstream names it: `replicaset-controller`. */
  name: string;
  /**
   * How many keys are worked on at once. No tenant gets more than half of them, and each gets one when it needs one (see
   * FairQueue): only keys of one tenant are sure never to be worked on at once where there is a single worker.
   */
  workers: number;
  /** No key is reconciled before all of their informers have synced. */
  watches: Watch[];
  /** Informers that are only read; waited for as well. */
  reads?: Informer<any>[];
  reconcile(key: ObjectKey, tools: ReconcileTools): Promise<void>;
}

export interface ControllerRunOptions {
  clock: Clock;
  logger: Logger;
  metrics?: ControllerMetrics;
}

/** Adds an object's own key when it comes or changes; `deleted` says what its end means, where it means anything. */
export function watchOwn<T extends KubeObject>(
  informer: Informer<T>,
  deleted?: (object: T, queue: ControllerQueue) => void,
): Watch {
  return {
    informer,
    handlers: (queue) => ({
      added: (object: T) => queue.add(keyOf(object)),
      updated: (_before: T, after: T) => queue.add(keyOf(after)),
      ...(deleted !== undefined && { deleted: (object: T) => deleted(object, queue) }),
    }),
  };
}

/** Adds the keys that `keys` gives for an object, for its state before and after a change. */
export function watchKeys<T extends KubeObject>(informer: Informer<T>, keys: (object: T) => ObjectKey[]): Watch {
  return {
    informer,
    handlers: (queue) => {
      const addAll = (object: T) => {
        for (const key of keys(object)) queue.add(key);
      };
      return {
        added: addAll,
        updated: (before: T, after: T) => {
          addAll(before);
          addAll(after);
        },
        deleted: addAll,
      };
    },
  };
}

/** Runs until the signal aborts, then resolves when the last reconcile has ended. Subscribes before it first awaits. */
export async function runController(
  controller: Controller,
  options: ControllerRunOptions,
  signal: AbortSignal,
): Promise<void> {
  const { clock, metrics } = options;
  const logger = options.logger.child({ controller: controller.name });
  const observer = metrics?.queue(controller.name, () => queue.state());
  const queue: WorkQueue = new WorkQueue({
    clock,
    workers: controller.workers,
    ...(observer !== undefined && { observer }),
  });
  const tools: ReconcileTools = { now: () => clock.now(), queue, logger, signal };
  for (const watch of controller.watches) watch.informer.addHandlers(watch.handlers(queue));

  const work = async () => {
    for (let key = await queue.next(); key !== undefined; key = await queue.next()) {
      try {
        await controller.reconcile(key, tools);
        queue.forget(key);
      } catch (error) {
        if (!signal.aborted) {
          // Somebody else wrote or deleted first: the watch brings the news, this is everyday life.
          if (isConflict(error) || isNotFound(error)) logger.debug({ key, error }, 'reconcile came late; trying again');
          else logger.warn({ key, error, failures: queue.failuresOf(key) }, 'reconcile failed; trying again');
          queue.addRateLimited(key);
        }
      }
      queue.done(key);
    }
  };

  const stopped = aborted(signal).then(() => queue.shutDown());
  const informers = [...controller.watches.map((watch) => watch.informer), ...(controller.reads ?? [])];
  await Promise.race([Promise.all(informers.map((informer) => informer.synced())), stopped]);
  await Promise.all(Array.from({ length: queue.mostWorkers }, work));
  await stopped;
}
