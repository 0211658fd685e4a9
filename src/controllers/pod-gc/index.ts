import type { Node, Pod } from '../../api/generated/core-v1.ts';
import { formatTime } from '../../api/object.ts';
import { NODES, PODS } from '../../api/resources.ts';
import { isNotFound } from '../../api/status.ts';
import { ALL_TENANTS } from '../../client/client.ts';
import type { Controller } from '../../client/controller.ts';
import { keyOf, type ObjectKey } from '../../client/informer.ts';
import type { ControllerDependencies } from '../common/dependencies.ts';
import { splitKey } from '../common/owner.ts';
import { isPodTerminal } from '../common/pod-state.ts';
import { byNode, nodeKeyOf } from '../common/pods-by-node.ts';

/** How long a node must be missing before its pods are given up. */
const quarantineMs = 40_000;
/** Upstream's default for --terminated-pod-gc-threshold, here per tenant. */
const defaultTerminatedThreshold = 12_500;

/** Removes pods that nobody else will: of a node that is gone, deleted before they had a node, or ended long ago. */
export function createPodGarbageCollector(
  dependencies: ControllerDependencies,
  terminatedThreshold: number = defaultTerminatedThreshold,
): Controller {
  const { informers, client } = dependencies;
  const pods = informers.informer<Pod>(PODS, {
    tenant: ALL_TENANTS,
    indexes: byNode,
  });
  const nodes = informers.informer<Node>(NODES, { tenant: ALL_TENANTS });
  /** Pods that have ended, by tenant. */
  const terminated = new Map<string, Set<ObjectKey>>();

  function count(pod: Pod, isThere: boolean): void {
    const tenant = pod.metadata.clusterName!;
    let ended = terminated.get(tenant);
    if (isThere) {
      if (ended === undefined) terminated.set(tenant, (ended = new Set()));
      ended.add(keyOf(pod));
    } else {
      ended?.delete(keyOf(pod));
      if (ended?.size === 0) terminated.delete(tenant);
    }
  }

  async function remove(pod: Pod, orphanedAtMs?: number): Promise<void> {
    const podClient = client.for(PODS, pod);
    try {
      if (!isPodTerminal(pod)) {
        // Nobody else will say how it ended.
        const { generation } = pod.metadata;
        const condition = {
          type: 'DisruptionTarget',
          ...(generation !== undefined && { observedGeneration: generation }),
          status: 'True',
          reason: 'DeletionByPodGC',
          message: 'PodGC: node no longer exists',
        };
        const others = (pod.status?.conditions ?? []).filter(({ type }) => type !== condition.type);
        const conditions =
          orphanedAtMs === undefined
            ? undefined
            : [...others, { ...condition, lastTransitionTime: formatTime(orphanedAtMs) }];
        const status = { phase: 'Failed', ...(conditions !== undefined && { conditions }) };
        await podClient.patch(pod.metadata.name, 'merge', { metadata: { uid: pod.metadata.uid }, status }, 'status');
      }
      await podClient.delete(pod.metadata.name, { gracePeriodSeconds: 0, preconditions: { uid: pod.metadata.uid } });
    } catch (error) {
      if (!isNotFound(error)) throw error;
    }
  }

  async function isNodeGone(pod: Pod): Promise<boolean> {
    if (nodes.get(nodeKeyOf(pod)) !== undefined) return false;
    try {
      await client.resource(pod.metadata.clusterName!, NODES).get(pod.spec!.nodeName!);
      return false;
    } catch (error) {
      if (isNotFound(error)) return true;
      throw error;
    }
  }

  const isUnscheduledTerminating = (pod: Pod): boolean =>
    pod.metadata.deletionTimestamp !== undefined && (pod.spec?.nodeName ?? '') === '';

  async function trimTerminated(tenant: string): Promise<void> {
    const ended = [...(terminated.get(tenant) ?? [])].map((key) => pods.get(key)).filter((pod) => pod !== undefined);
    const excess = ended.length - terminatedThreshold;
    if (excess <= 0) return;
    // Evicted ones first, then the oldest.
    const rank = (pod: Pod) => (pod.status?.reason === 'Evicted' ? 0 : 1);
    ended.sort(
      (a, b) =>
        rank(a) - rank(b) || Date.parse(a.metadata.creationTimestamp) - Date.parse(b.metadata.creationTimestamp),
    );
    await Promise.all(ended.slice(0, excess).map((pod) => remove(pod)));
  }

  return {
    name: 'pod-garbage-collector-controller',
    workers: 8,
    watches: [
      {
        informer: pods,
        handlers: (queue) => {
          const look = (pod: Pod) => {
            count(pod, isPodTerminal(pod));
            const tenant = pod.metadata.clusterName!;
            if ((terminated.get(tenant)?.size ?? 0) > terminatedThreshold) queue.addAfter(`${tenant}//`, 1000);
            if (isUnscheduledTerminating(pod)) queue.add(keyOf(pod));
          };
          return {
            added: (pod: Pod) => {
              look(pod);
              if ((pod.spec?.nodeName ?? '') !== '' && nodes.get(nodeKeyOf(pod)) === undefined) {
                queue.addAfter(keyOf(pod), quarantineMs);
              }
            },
            updated: (_: Pod, pod: Pod) => look(pod),
            deleted: (pod: Pod) => count(pod, false),
          };
        },
      },
      {
        informer: nodes,
        handlers: (queue) => ({
          deleted: (node: Node) => {
            for (const pod of pods.byIndex('node', keyOf(node))) queue.addAfter(keyOf(pod), quarantineMs);
          },
        }),
      },
    ],
    async reconcile(key, tools) {
      const { tenant, name } = splitKey(key);
      if (name === '') return trimTerminated(tenant);
      const pod = pods.get(key);
      if (pod === undefined) return;
      if (isUnscheduledTerminating(pod)) await remove(pod);
      else if ((pod.spec?.nodeName ?? '') !== '' && (await isNodeGone(pod))) await remove(pod, tools.now());
    },
  };
}
