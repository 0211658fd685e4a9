import type { Deployment, ReplicaSet } from '../../api/generated/apps-v1.ts';
import { scaledValue } from '../../api/int-or-string.ts';

export const REVISION = 'deployment.kubernetes.io/revision';
export const REVISION_HISTORY = 'deployment.kubernetes.io/revision-history';
export const DESIRED_REPLICAS = 'deployment.kubernetes.io/desired-replicas';
export const MAX_REPLICAS = 'deployment.kubernetes.io/max-replicas';

const unlimited = 2_147_483_647;

export const desiredOf = (deployment: Deployment): number => deployment.spec.replicas ?? 1;
export const sizeOf = (set: ReplicaSet): number => set.spec.replicas ?? 1;
export const totalSize = (sets: ReplicaSet[]): number => sets.reduce((sum, set) => sum + sizeOf(set), 0);
export const activeSets = (sets: ReplicaSet[]): ReplicaSet[] => sets.filter((set) => sizeOf(set) > 0);
export const isRollingUpdate = (deployment: Deployment): boolean =>
  (deployment.spec.strategy?.type ?? 'RollingUpdate') === 'RollingUpdate';

export const hasProgressDeadline = (deployment: Deployment): boolean =>
  deployment.spec.progressDeadlineSeconds !== undefined && deployment.spec.progressDeadlineSeconds !== unlimited;
export const hasHistoryLimit = (deployment: Deployment): boolean =>
  deployment.spec.revisionHistoryLimit !== undefined && deployment.spec.revisionHistoryLimit !== unlimited;

/** How many pods a rolling update may add, and how many it may miss. They are never both 0. */
export function fenceposts(deployment: Deployment): { maxSurge: number; maxUnavailable: number } {
  if (!isRollingUpdate(deployment)) return { maxSurge: 0, maxUnavailable: 0 };
  const desired = desiredOf(deployment);
  const { maxSurge, maxUnavailable } = deployment.spec.strategy?.rollingUpdate ?? {};
  const surge = scaledValue(maxSurge ?? 0, desired, true);
  const unavailable = scaledValue(maxUnavailable ?? 0, desired, false);
  return { maxSurge: surge, maxUnavailable: surge === 0 && unavailable === 0 ? 1 : unavailable };
}

export const maxSurgeOf = (deployment: Deployment): number => fenceposts(deployment).maxSurge;

export function maxUnavailableOf(deployment: Deployment): number {
  const desired = desiredOf(deployment);
  return desired === 0 ? 0 : Math.min(fenceposts(deployment).maxUnavailable, desired);
}

/** The size the newest set may grow to now, given what all sets hold. */
export function newSetSize(deployment: Deployment, allSets: ReplicaSet[], current: number): number {
  const desired = desiredOf(deployment);
  if (!isRollingUpdate(deployment)) return desired;
  const most = desired + scaledValue(deployment.spec.strategy?.rollingUpdate?.maxSurge ?? 0, desired, true);
  const total = totalSize(allSets);
  if (total >= most) return current;
  return current + Math.min(most - total, desired - current);
}

function annotatedNumber(set: ReplicaSet, name: string): number | undefined {
  const text = set.metadata.annotations?.[name];
  return text !== undefined && /^\d+$/.test(text) ? Number(text) : undefined;
}

export const desiredAnnotation = (set: ReplicaSet): number | undefined => annotatedNumber(set, DESIRED_REPLICAS);

/** The newest set holds all replicas, all of them available, and was told the present size. */
export function isSaturated(deployment: Deployment, set: ReplicaSet | undefined): boolean {
  const desired = desiredOf(deployment);
  return (
    set !== undefined &&
    sizeOf(set) === desired &&
    desiredAnnotation(set) === desired &&
    (set.status?.availableReplicas ?? 0) === desired
  );
}

const olderFirst = (a: ReplicaSet, b: ReplicaSet): number =>
  Date.parse(a.metadata.creationTimestamp) - Date.parse(b.metadata.creationTimestamp) ||
  (a.metadata.name < b.metadata.name ? -1 : a.metadata.name > b.metadata.name ? 1 : 0);

export const byAge = (sets: ReplicaSet[]): ReplicaSet[] => [...sets].sort(olderFirst);

/** The only active set, or the newest when none is active; undefined when several are. */
export function activeOrLatest(newSet: ReplicaSet | undefined, oldSets: ReplicaSet[]): ReplicaSet | undefined {
  const active = activeSets(newSet === undefined ? oldSets : [...oldSets, newSet]);
  if (active.length > 1) return undefined;
  return active[0] ?? newSet ?? byAge(oldSets).at(-1);
}

/** New sizes by name when a Deployment is scaled amid a rollout: each set takes its share of what is added or removed. */
export function proportionalSizes(deployment: Deployment, sets: ReplicaSet[]): Map<string, number> {
  const desired = desiredOf(deployment);
  const allowed = desired > 0 ? desired + maxSurgeOf(deployment) : 0;
  const toAdd = allowed - totalSize(sets);
  const newerFirst = (a: ReplicaSet, b: ReplicaSet) => olderFirst(b, a);
  const bySize = [...sets].sort((a, b) => sizeOf(b) - sizeOf(a) || (toAdd > 0 ? newerFirst(a, b) : olderFirst(a, b)));
  const sizes = new Map<string, number>();
  let added = 0;
  for (const set of bySize) {
    const share = toAdd === 0 ? 0 : proportionOf(set, deployment, toAdd, added);
    sizes.set(set.metadata.name, sizeOf(set) + share);
    added += share;
  }
  const largest = bySize[0];
  if (largest !== undefined && toAdd !== 0) {
    sizes.set(largest.metadata.name, Math.max(0, sizes.get(largest.metadata.name)! + toAdd - added));
  }
  return sizes;
}

function proportionOf(set: ReplicaSet, deployment: Deployment, toAdd: number, added: number): number {
  if (sizeOf(set) === 0 || toAdd === added) return 0;
  const fraction = fractionOf(set, deployment);
  return toAdd > 0 ? Math.min(fraction, toAdd - added) : Math.max(fraction, toAdd - added);
}

function fractionOf(set: ReplicaSet, deployment: Deployment): number {
  const desired = desiredOf(deployment);
  if (desired === 0) return -sizeOf(set);
  // What the whole could hold before the scaling; written on each set when it was last scaled.
  const before = annotatedNumber(set, MAX_REPLICAS) || deployment.status?.replicas || 0;
  if (before === 0) return 0;
  return Math.round((sizeOf(set) * (desired + maxSurgeOf(deployment))) / before) - sizeOf(set);
}
