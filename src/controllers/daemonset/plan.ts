import type { DaemonSet, DaemonSetStatus } from '../../api/generated/apps-v1.ts';
import type { Node, Pod } from '../../api/generated/core-v1.ts';
import { scaledValue } from '../../api/int-or-string.ts';
import { omitEmpty } from '../common/canonical.ts';
import { isPodAvailable, isPodReady } from '../common/pod-state.ts';
import { fitsNode, nodeOf } from './nodes.ts';

export const HASH_LABEL = 'controller-revision-hash';

export interface DaemonPlan {
  /** Names of nodes. */
  create: string[];
  delete: { pod: Pod; note?: { type: 'Normal' | 'Warning'; reason: string; message: string } }[];
}

const isTerminating = (pod: Pod): boolean => pod.metadata.deletionTimestamp !== undefined;
const isUpdated = (pod: Pod, hash: string): boolean => pod.metadata.labels?.[HASH_LABEL] === hash;
const allowsSurge = (set: DaemonSet): boolean => surgeOf(set, 1) > 0;

const surgeOf = (set: DaemonSet, desired: number): number =>
  set.spec.updateStrategy?.type === 'OnDelete'
    ? 0
    : scaledValue(set.spec.updateStrategy?.rollingUpdate?.maxSurge ?? 0, desired, true);

function podsByNode(pods: Pod[]): Map<string, Pod[]> {
  const byNode = new Map<string, Pod[]>();
  for (const pod of pods) {
    const node = nodeOf(pod);
    if (node === undefined) continue;
    byNode.set(node, [...(byNode.get(node) ?? []), pod]);
  }
  const age = (pod: Pod) => Date.parse(pod.metadata.creationTimestamp);
  // Those with a place first, then the oldest.
  const isPlaced = (pod: Pod) => ((pod.spec?.nodeName ?? '') === '' ? 1 : 0);
  for (const each of byNode.values()) each.sort((a, b) => isPlaced(a) - isPlaced(b) || age(a) - age(b));
  return byNode;
}

/** One pod on each node that fits: what is missing is created, what failed, is too many or misplaced is deleted. */
export function planNodes(set: DaemonSet, nodes: Node[], pods: Pod[], hash: string, nowMs: number): DaemonPlan {
  const result: DaemonPlan = { create: [], delete: [] };
  const byNode = podsByNode(pods);
  for (const node of nodes) {
    const { name } = node.metadata;
    const { shouldRun, mayStay } = fitsNode(set, node);
    const here = byNode.get(name) ?? [];
    const present = here.filter((pod) => !isTerminating(pod));
    if (!mayStay) {
      result.delete.push(...present.map((pod) => ({ pod })));
    } else if (here.length === 0) {
      if (shouldRun) result.create.push(name);
    } else {
      const running: Pod[] = [];
      for (const pod of present) {
        const phase = pod.status?.phase;
        const subject = `daemon pod ${pod.metadata.namespace}/${pod.metadata.name} on node ${name}`;
        if (phase === 'Failed') {
          const message = `Found failed ${subject}, will try to kill it`;
          result.delete.push({ pod, note: { type: 'Warning', reason: 'FailedDaemonPod', message } });
        } else if (phase === 'Succeeded') {
          const message = `Found succeeded ${subject}, will try to delete it`;
          result.delete.push({ pod, note: { type: 'Normal', reason: 'SucceededDaemonPod', message } });
        } else running.push(pod);
      }
      if (!allowsSurge(set)) result.delete.push(...running.slice(1).map((pod) => ({ pod })));
      else pruneSurge(set, result, running, hash, shouldRun ? name : undefined, nowMs);
    }
  }
  // Pods pinned to a node that is gone are never scheduled.
  const known = new Set(nodes.map((node) => node.metadata.name));
  for (const [name, here] of byNode) {
    if (known.has(name)) continue;
    for (const pod of here) {
      if ((pod.spec?.nodeName ?? '') === '' && !isTerminating(pod)) result.delete.push({ pod });
    }
  }
  return result;
}

/** While surging, an old ready pod may stand beside a new one that is not yet available. */
function pruneSurge(
  set: DaemonSet,
  result: DaemonPlan,
  running: Pod[],
  hash: string,
  nodeName: string | undefined,
  nowMs: number,
): void {
  if (running.length === 0 && nodeName !== undefined) result.create.push(nodeName);
  if (running.length <= 1) return;
  const newest = running.find((pod) => isUpdated(pod, hash));
  const oldest = running.find((pod) => !isUpdated(pod, hash));
  result.delete.push(...running.filter((pod) => pod !== newest && pod !== oldest).map((pod) => ({ pod })));
  if (newest === undefined || oldest === undefined) return;
  if (!isPodReady(oldest) || isPodAvailable(newest, set.spec.minReadySeconds ?? 0, nowMs)) {
    result.delete.push({ pod: oldest });
  }
}

/** The next step of a rolling update, once every node has its pod. */
export function planUpdate(set: DaemonSet, nodes: Node[], pods: Pod[], hash: string, nowMs: number): DaemonPlan {
  const result: DaemonPlan = { create: [], delete: [] };
  if (set.spec.updateStrategy?.type === 'OnDelete') return result;
  const minReadySeconds = set.spec.minReadySeconds ?? 0;
  const isAvailable = (pod: Pod | undefined) => pod !== undefined && isPodAvailable(pod, minReadySeconds, nowMs);
  const fitting = nodes.filter((node) => fitsNode(set, node).shouldRun);
  const maxSurge = surgeOf(set, fitting.length);
  const byNode = podsByNode(pods);
  let unavailable = 0;
  let surging = 0;
  const candidates: { pod: Pod; node: string }[] = [];
  for (const { metadata } of fitting) {
    const present = (byNode.get(metadata.name) ?? []).filter((pod) => !isTerminating(pod));
    const fresh = present.find((pod) => isUpdated(pod, hash));
    const old = present.find((pod) => !isUpdated(pod, hash));
    if (old === undefined) {
      if (!isAvailable(fresh)) unavailable++;
    } else if (fresh !== undefined) {
      surging++;
    } else if (!isAvailable(old)) {
      // It serves nobody, so its replacement costs nothing.
      unavailable++;
      if (maxSurge > 0) result.create.push(metadata.name);
      else result.delete.push({ pod: old });
    } else {
      candidates.push({ pod: old, node: metadata.name });
    }
  }
  if (maxSurge > 0) {
    const room = Math.max(0, maxSurge - surging);
    result.create.push(...candidates.slice(0, room).map(({ node }) => node));
    return result;
  }
  const allowed = scaledValue(set.spec.updateStrategy?.rollingUpdate?.maxUnavailable ?? 1, fitting.length, true);
  const room = Math.max(0, Math.max(1, allowed) - unavailable);
  result.delete.push(...candidates.slice(0, room).map(({ pod }) => ({ pod })));
  return result;
}

export function daemonSetStatus(
  set: DaemonSet,
  nodes: Node[],
  pods: Pod[],
  hash: string,
  collisionCount: number | undefined,
  nowMs: number,
): DaemonSetStatus {
  const byNode = podsByNode(pods);
  const counts = { desired: 0, current: 0, misplaced: 0, ready: 0, updated: 0, available: 0 };
  for (const node of nodes) {
    const here = byNode.get(node.metadata.name) ?? [];
    if (!fitsNode(set, node).shouldRun) {
      if (here.length > 0) counts.misplaced++;
      continue;
    }
    counts.desired++;
    const pod = here[0];
    if (pod === undefined) continue;
    counts.current++;
    if (isPodReady(pod)) counts.ready++;
    if (isPodAvailable(pod, set.spec.minReadySeconds ?? 0, nowMs)) counts.available++;
    if (isUpdated(pod, hash)) counts.updated++;
  }
  return {
    currentNumberScheduled: counts.current,
    numberMisscheduled: counts.misplaced,
    desiredNumberScheduled: counts.desired,
    numberReady: counts.ready,
    ...omitEmpty({
      observedGeneration: set.metadata.generation,
      updatedNumberScheduled: counts.updated,
      numberAvailable: counts.available,
      numberUnavailable: counts.desired - counts.available,
      collisionCount,
    }),
    ...(set.status?.conditions !== undefined && { conditions: set.status.conditions }),
  };
}
