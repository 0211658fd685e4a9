import type { KubeObject } from '../../api/object.ts';
import { formatTime } from '../../api/object.ts';
import { HOST_LEASE_NAMESPACE, type Host } from '../../api/pool.ts';
import { HOSTS, LEASES, PODS } from '../../api/resources.ts';
import { isConflict, isNotFound } from '../../api/status.ts';
import { type Clock, spanClock } from '../../base/clock.ts';
import type { Client } from '../../client/client.ts';
import { SYSTEM_TENANT } from '../../client/client.ts';
import type { Controller, ReconcileTools } from '../../client/controller.ts';
import type { EventRecorder } from '../../client/event-recorder.ts';
import { type Informer, type InformerFactory, keyOf } from '../../client/informer.ts';
import { isFinishedPhase } from '../status/pod-status.ts';
import { BY_HOST, podKeyOf, type World } from '../sync/world.ts';
import { toleratedMs } from './eviction.ts';

/** A Lease not renewed for so long makes its Host not ready, as pool.ts says. */
const LEASE_GRACE_MS = 40_000;
const LOST_REASON = 'LeaseExpired';

interface Lease extends KubeObject {
  spec?: { renewTime?: string; leaseDurationSeconds?: number };
}

/**
 * Marks hosts whose Lease ran out as not ready (status Unknown); the host says itself when it is back. Renewals are
 * judged by when they were seen here, so hosts' clocks may be wrong; and this machine's may be set.
 */
export function hostMonitor(
  informers: InformerFactory,
  client: Client,
  world: World,
  events: EventRecorder,
  clock: Clock,
): Controller {
  const spanMs = spanClock(clock);
  const leases: Informer<Lease> = informers.informer<Lease>(LEASES, {
    tenant: SYSTEM_TENANT,
    namespace: HOST_LEASE_NAMESPACE,
  });
  const setReady = async (name: string, condition: Condition): Promise<void> => {
    await client
      .resource(SYSTEM_TENANT, HOSTS)
      .patch(name, 'merge', { status: { conditions: [condition] } }, 'status')
      .catch((error: unknown) => {
        if (!isNotFound(error)) throw error;
      });
  };
  /** Deletes the pods that have tolerated the silence long enough, so that controllers replace them elsewhere. */
  async function evictFrom(name: string, lostMs: number, key: string, tools: ReconcileTools): Promise<void> {
    let nextMs = Infinity;
    for (const instance of world.instances.byIndex(BY_HOST, name)) {
      const pod = world.pods.get(podKeyOf(instance));
      if (pod === undefined || pod.metadata.uid !== instance.metadata.name) continue;
      if (pod.metadata.deletionTimestamp !== undefined || isFinishedPhase(pod.status?.phase)) continue;
      const remainingMs = lostMs + toleratedMs(pod) - spanMs();
      if (remainingMs > 0) {
        nextMs = Math.min(nextMs, remainingMs);
        continue;
      }
      const { name: podName, namespace, uid } = pod.metadata;
      const message = `Marking for deletion Pod ${namespace}/${podName}`;
      events.event(
        { apiVersion: 'v1', kind: 'Pod', metadata: pod.metadata },
        'Normal',
        'TaintManagerEviction',
        message,
      );
      await client
        .for(PODS, pod)
        .delete(podName, { preconditions: { uid } })
        .catch((error: unknown) => {
          if (!isNotFound(error) && !isConflict(error)) throw error;
        });
    }
    if (nextMs < Infinity) tools.queue.addAfter(key, nextMs);
  }

  /** When hosts were lost, by the span clock. Who comes after a leader that was lost too takes that one's word, once. */
  const lostSince = new Map<string, { transition: string; atMs: number }>();
  const lostMsOf = (name: string, { lastTransitionTime: transition = '' }: Condition): number => {
    let since = lostSince.get(name);
    if (since?.transition !== transition) {
      const agoMs = Date.parse(transition) < clock.now() ? clock.now() - Date.parse(transition) : 0;
      since = { transition, atMs: spanMs() - agoMs };
      lostSince.set(name, since);
    }
    return since.atMs;
  };

  const seen = new Map<string, { renewTime: string | undefined; atMs: number }>();
  return {
    name: 'host-monitor',
    workers: 2,
    watches: [
      {
        informer: leases,
        handlers: (queue) => {
          const renewed = (lease: Lease) => queue.add(`${SYSTEM_TENANT}//${lease.metadata.name}`);
          return { added: renewed, updated: (_before: Lease, after: Lease) => renewed(after), deleted: renewed };
        },
      },
      {
        informer: world.hosts,
        handlers: (queue) => ({
          added: (host: Host) => queue.add(keyOf(host)),
          updated: (before: Host, after: Host) => {
            if (readyCondition(before)?.status !== readyCondition(after)?.status) queue.add(keyOf(after));
          },
          deleted: ({ metadata: { name } }: Host) => {
            seen.delete(name);
            lostSince.delete(name);
          },
        }),
      },
    ],
    async reconcile(key, tools) {
      const host = world.hosts.get(key);
      if (host === undefined) return;
      const { name } = host.metadata;
      const nowMs = spanMs();
      const renewTime = leases.get(`${SYSTEM_TENANT}/${HOST_LEASE_NAMESPACE}/${name}`)?.spec?.renewTime;
      const before = seen.get(name);
      const last = before === undefined || before.renewTime !== renewTime ? { renewTime, atMs: nowMs } : before;
      seen.set(name, last);
      const remainingMs = last.atMs + LEASE_GRACE_MS - nowMs;
      if (remainingMs > 0) {
        tools.queue.addAfter(key, remainingMs);
        // The agent writes its status when that changes, and it does not know what was said of it here.
        const isRenewed = before !== undefined && before.renewTime !== renewTime;
        if (isRenewed && readyCondition(host)?.reason === LOST_REASON) await setReady(name, back(clock.now()));
        return;
      }
      const condition = readyCondition(host);
      if (condition?.status === 'True') {
        tools.logger.warn({ host: name }, 'a host stopped reporting');
        const condition = lost(clock.now());
        lostSince.set(name, { transition: condition.lastTransitionTime!, atMs: nowMs });
        await setReady(name, condition);
      } else if (condition?.reason === LOST_REASON) {
        await evictFrom(name, lostMsOf(name, condition), key, tools);
      }
    },
  };
}

type Condition = NonNullable<NonNullable<Host['status']>['conditions']>[number];

const readyCondition = (host: Host): Condition | undefined =>
  host.status?.conditions?.find(({ type }) => type === 'Ready');

const lost = (nowMs: number): Condition => ({
  type: 'Ready',
  status: 'Unknown',
  reason: LOST_REASON,
  message: 'the host agent stopped renewing its lease',
  lastTransitionTime: formatTime(nowMs),
});

const back = (nowMs: number): Condition => ({
  type: 'Ready',
  status: 'True',
  reason: 'AgentReady',
  message: 'the host agent renews its lease again',
  lastTransitionTime: formatTime(nowMs),
});
