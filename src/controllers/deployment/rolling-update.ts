import { activeSets, byAge, desiredOf, maxUnavailableOf, newSetSize, sizeOf, totalSize } from './replica-math.ts';
import type { Rollout } from './rollout.ts';
import { isComplete, rolloutStatus } from './status.ts';

/** One step towards the new template: grow the new set, or else shrink old ones, as far as the fenceposts allow. */
export async function rollingUpdate(rollout: Rollout): Promise<void> {
  await rollout.syncRevision(true);
  const hasMoved = (await growNewSet(rollout)) || (await shrinkOldSets(rollout));
  if (!hasMoved && isComplete(rollout.deployment, rollout.deployment.status)) await rollout.cleanUp();
  await rollout.writeStatus(rolloutStatus(rollout.deployment, rollout.newSet, rollout.oldSets, rollout.nowMs));
}

async function growNewSet(rollout: Rollout): Promise<boolean> {
  const newSet = rollout.newSet!;
  const desired = desiredOf(rollout.deployment);
  if (sizeOf(newSet) === desired) return false;
  if (sizeOf(newSet) > desired) return rollout.scaleSet(newSet, desired);
  return rollout.scaleSet(newSet, newSetSize(rollout.deployment, rollout.allSets, sizeOf(newSet)));
}

async function shrinkOldSets(rollout: Rollout): Promise<boolean> {
  if (totalSize(rollout.oldSets) === 0) return false;
  const minAvailable = desiredOf(rollout.deployment) - maxUnavailableOf(rollout.deployment);
  const newSet = rollout.newSet!;
  // Pods of the new set that are not available yet must not cost old ones their place.
  const newUnavailable = sizeOf(newSet) - (newSet.status?.availableReplicas ?? 0);
  const mayRemove = totalSize(rollout.allSets) - minAvailable - newUnavailable;
  if (mayRemove <= 0) return false;
  const unhealthy = await removeUnhealthy(rollout, mayRemove);
  return unhealthy + (await removeAvailable(rollout, minAvailable)) > 0;
}

/** Pods that are not available anyway go first: their removal costs nothing, and they could block for ever. */
async function removeUnhealthy(rollout: Rollout, mayRemove: number): Promise<number> {
  let removed = 0;
  for (const set of byAge(activeSets(rollout.oldSets))) {
    if (removed >= mayRemove) break;
    const unavailable = sizeOf(set) - (set.status?.availableReplicas ?? 0);
    if (unavailable <= 0) continue;
    const count = Math.min(mayRemove - removed, unavailable);
    await rollout.scaleSet(set, sizeOf(set) - count);
    removed += count;
  }
  return removed;
}

async function removeAvailable(rollout: Rollout, minAvailable: number): Promise<number> {
  const available = rollout.allSets.reduce((sum, set) => sum + (set.status?.availableReplicas ?? 0), 0);
  let remaining = available - minAvailable;
  let removed = 0;
  for (const set of byAge(activeSets(rollout.oldSets))) {
    if (remaining <= 0) break;
    const count = Math.min(sizeOf(set), remaining);
    await rollout.scaleSet(set, sizeOf(set) - count);
    remaining -= count;
    removed += count;
  }
  return removed;
}
