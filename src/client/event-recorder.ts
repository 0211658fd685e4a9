import { formatTime, type KubeObject } from '../api/object.ts';
import { EVENTS } from '../api/resources.ts';
import { isNotFound, StatusError } from '../api/status.ts';
import type { Clock } from '../base/clock.ts';
import type { Logger } from '../base/log.ts';
import { type Client, SYSTEM_TENANT } from './client.ts';
import { type CorrelatedEvent, EventCorrelator } from './event-correlator.ts';
import { eventSuffix } from './event-name.ts';
import { EventPace } from './event-pace.ts';
import { FairQueue } from './fair-queue.ts';

/** What an event is about: an object with its kind (lists leave the kind out of their items, so it is said here). */
export interface EventTarget {
  apiVersion: string;
  kind: string;
  metadata: { name: string; namespace?: string; uid?: string; resourceVersion?: string; clusterName?: string };
  /** `spec.containers{nginx}` */
  fieldPath?: string;
}

export interface EventRecorder {
  /** Never blocks and never throws; events that flood are counted together, delayed or dropped, as upstream's are. */
  event(
    target: EventTarget,
    type: 'Normal' | 'Warning',
    reason: string,
    message: string,
    annotations?: Record<string, string>,
    /** What was tried: `ClusterIPAllocation`; of the components that say so. */
    action?: string,
  ): void;
  /** Sends what is delayed; resolves when everything recorded so far was sent or given up. */
  flush(): Promise<void>;
}

export interface EventRecorderOptions {
  client: Client;
  clock: Clock;
  logger: Logger;
  /** `deployment-controller`, `default-scheduler`, `kubelet`: kubectl describe shows it under From. */
  component: string;
  host?: string;
}

// client-go's queue length per recorder, here of each tenant's part in it: what one floods is not another's loss.
const longestQueue = 1000;
const concurrentWrites = 8;

export function createEventRecorder(options: EventRecorderOptions): EventRecorder {
  const { clock, logger, component, host } = options;
  const client = options.client.forWriting();
  const correlator = new EventCorrelator(clock);
  const pending = new FairQueue<CorrelatedEvent>(concurrentWrites);
  const pace = new EventPace<CorrelatedEvent>(clock, (lane, correlated) => {
    pending.push(lane, correlated);
    pump();
  });
  /** Events of one name go out in order, different ones side by side: name -> those that wait for the one on its way. */
  const underway = new Map<string, CorrelatedEvent[]>();
  let active = 0;
  let flushed: PromiseWithResolvers<void> | undefined;

  async function send(correlated: CorrelatedEvent): Promise<void> {
    const { tenant, event, isRepeat } = correlated;
    const events = client.resource(tenant, EVENTS, event.metadata.namespace);
    try {
      if (isRepeat) {
        try {
          await events.patch(event.metadata.name, 'merge', {
            count: event['count'],
            lastTimestamp: event['lastTimestamp'],
            message: event['message'],
          });
          return;
        } catch (error) {
          // The first one aged away: this one starts anew.
          if (!isNotFound(error)) throw error;
        }
      }
      await events.create(event);
    } catch (error) {
      // Events are best effort: a namespace on its way out refuses them.
      const isRefused = error instanceof StatusError;
      logger[isRefused ? 'debug' : 'warn']({ error, reason: event['reason'] }, 'an event was not written');
    }
  }

  function pump(): void {
    for (let next = pending.take(); next !== undefined; next = pending.take()) {
      const { tenant: lane, item } = next;
      const id = `${item.tenant}/${item.event.metadata.namespace}/${item.event.metadata.name}`;
      const before = underway.get(id);
      if (before !== undefined) {
        before.push(item);
        pending.release(lane);
        continue;
      }
      const after: CorrelatedEvent[] = [];
      underway.set(id, after);
      active++;
      const sendAll = async () => {
        for (let each: CorrelatedEvent | undefined = item; each !== undefined; each = after.shift()) await send(each);
      };
      void sendAll().finally(() => {
        underway.delete(id);
        active--;
        pending.release(lane);
        pump();
      });
    }
    if (active === 0 && pending.size === 0) {
      flushed?.resolve();
      flushed = undefined;
    }
  }

  return {
    event(target, type, reason, message, annotations, action) {
      const { clusterName: tenant, name, namespace, uid, resourceVersion } = target.metadata;
      if (tenant === undefined) return;
      // What hosts tell is about the tenant that the namespace is named for.
      const lane = tenant === SYSTEM_TENANT ? `${tenant}/${namespace}` : tenant;
      if (pending.sizeOf(lane) + pace.sizeOf(lane) >= longestQueue) return;
      const timestamp = formatTime(clock.now());
      const event: KubeObject = {
        apiVersion: 'v1',
        kind: 'Event',
        metadata: {
          name: `${name}.${eventSuffix(clock.now())}`,
          namespace: namespace ?? 'default',
          ...(annotations !== undefined && { annotations }),
        } as KubeObject['metadata'],
        involvedObject: {
          kind: target.kind,
          ...(namespace !== undefined && { namespace }),
          name,
          ...(uid !== undefined && { uid }),
          apiVersion: target.apiVersion,
          ...(resourceVersion !== undefined && { resourceVersion }),
          ...(target.fieldPath !== undefined && { fieldPath: target.fieldPath }),
        },
        reason,
        message,
        source: { component, ...(host !== undefined && { host }) },
        firstTimestamp: timestamp,
        lastTimestamp: timestamp,
        count: 1,
        type,
        eventTime: null,
        ...(action !== undefined && { action }),
        reportingComponent: component,
        reportingInstance: host ?? '',
      };
      const correlated = correlator.correlate(tenant, event);
      if (correlated !== undefined) pace.push(lane, correlated);
    },
    flush() {
      pace.release();
      if (active === 0 && pending.size === 0) return Promise.resolve();
      flushed ??= Promise.withResolvers<void>();
      return flushed.promise;
    },
  };
}
