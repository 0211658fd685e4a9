import { type ContainerInstance, type Host, METERING_FINALIZER } from '../../api/pool.ts';
import { CONTAINER_INSTANCES, HOSTS } from '../../api/resources.ts';
import { isNotFound } from '../../api/status.ts';
import type { Clock } from '../../base/clock.ts';
import { type Client, SYSTEM_TENANT } from '../../client/client.ts';
import type { Controller, ControllerQueue, ReconcileTools } from '../../client/controller.ts';
import { type InformerFactory, keyOf } from '../../client/informer.ts';
import { type Ledger, unwritten } from '../ledger/ledger.ts';
import { endOf, HOUR_MS, rowsFor } from '../ledger/rows.ts';

/**
 * How long after a boundary its rows are written: an end shortly before the boundary may be reported shortly after it,
 * and a row once written stays.
 */
export const SETTLE_MS = 120_000;

interface MeteringOptions {
  informers: InformerFactory;
  client: Client;
  clock: Clock;
  ledger: Ledger;
  workers: number;
  intervalMs?: number;
}

/**
 * Hears instances start and stop, writes their ledger rows at each boundary and at the end, and lets an instance go only
 * when its last row is durable. All of it follows from the instance and the time, so it may crash between any two steps.
 */
export function meteringController(options: MeteringOptions): Controller & { close(): void } {
  const { informers, client, clock, ledger, intervalMs = HOUR_MS } = options;
  const instances = informers.informer<ContainerInstance>(CONTAINER_INSTANCES, { tenant: SYSTEM_TENANT });
  const hosts = informers.informer<Host>(HOSTS, { tenant: SYSTEM_TENANT });
  /** By instance uid: the end of its last row known to be durable. Only saves questions. */
  const writtenTo = new Map<string, number>();
  let cancelTick: (() => void) | undefined;

  function tickAtNextBoundary(queue: ControllerQueue): void {
    const now = clock.now();
    const nextMs = (Math.floor((now - SETTLE_MS) / intervalMs) + 1) * intervalMs + SETTLE_MS;
    cancelTick = clock.schedule(nextMs - now, () => {
      for (const instance of instances.values()) {
        if (instance.status?.meteredFrom !== undefined && endOf(instance) === undefined) queue.add(keyOf(instance));
      }
      tickAtNextBoundary(queue);
    });
  }

  /** The end of a running instance may be unknown to us while its host is silent; its rows can wait. */
  function mayCloseIntervals({ spec }: ContainerInstance): boolean {
    const ready = hosts
      .get(`${SYSTEM_TENANT}//${spec.hostName}`)
      ?.status?.conditions?.find(({ type }) => type === 'Ready');
    return ready?.status === 'True';
  }

  async function reconcile(key: string, tools: ReconcileTools): Promise<void> {
    const instance = instances.get(key);
    if (instance === undefined) return;
    const { uid } = instance.metadata;
    const endMs = endOf(instance);
    if (endMs !== undefined || mayCloseIntervals(instance)) {
      const rows = rowsFor(instance, clock.now() - SETTLE_MS, intervalMs);
      const known = writtenTo.get(uid);
      const due = known === undefined ? await unwritten(rows, ledger) : rows.filter((row) => row.startMs >= known);
      // In order, one after the other: that is what `unwritten` relies on.
      for (const row of due) {
        await ledger.write(row);
        writtenTo.set(uid, row.endMs);
      }
    }
    const billedMs = (writtenTo.get(uid) ?? 0) - (endMs ?? Infinity);
    if (billedMs > 0) tools.logger.warn({ key, billedMs }, 'an end was reported later than its interval was closed');
    if (isOver(instance)) await release(instance);
  }

  async function release(instance: ContainerInstance): Promise<void> {
    const { name, uid, resourceVersion, finalizers = [] } = instance.metadata;
    if (!finalizers.includes(METERING_FINALIZER)) return;
    const left = finalizers.filter((finalizer) => finalizer !== METERING_FINALIZER);
    await client
      .for(CONTAINER_INSTANCES, instance)
      .patch(name, 'merge', { metadata: { uid, resourceVersion, finalizers: left } })
      .catch((error: unknown) => {
        if (!isNotFound(error)) throw error;
      });
  }

  return {
    name: 'metering',
    workers: options.workers,
    watches: [
      {
        informer: instances,
        handlers: (queue) => {
          tickAtNextBoundary(queue);
          return {
            // After a restart rows of long-running instances may be missing. One that has just been made has none.
            added: (instance: ContainerInstance) => {
              if (instance.status?.meteredFrom !== undefined || isEnding(instance)) queue.add(keyOf(instance));
            },
            updated: (_before: ContainerInstance, after: ContainerInstance) => {
              if (isEnding(after)) queue.add(keyOf(after));
            },
            deleted: (instance: ContainerInstance) => writtenTo.delete(instance.metadata.uid),
          };
        },
      },
    ],
    reads: [hosts],
    reconcile,
    close: () => cancelTick?.(),
  };
}

/** Between its start and its end nothing is due but at boundaries, and those have their own tick. */
const isEnding = ({ metadata, status }: ContainerInstance): boolean =>
  metadata.deletionTimestamp !== undefined || status?.meteredTo !== undefined;

/** Deleted, and nothing can be added to its bill any more. */
export function isOver(instance: ContainerInstance): boolean {
  const { deletionTimestamp, deletionGracePeriodSeconds } = instance.metadata;
  if (deletionTimestamp === undefined) return false;
  if (instance.status?.meteredTo !== undefined) return true;
  // Without a host there is nothing to wait for; with one, it says when it is done by deleting with no grace.
  return !instance.spec.hostName || deletionGracePeriodSeconds === 0;
}
