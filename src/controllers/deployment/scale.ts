import {
  activeOrLatest,
  activeSets,
  desiredAnnotation,
  desiredOf,
  isRollingUpdate,
  isSaturated,
  proportionalSizes,
} from './replica-math.ts';
import type { Rollout } from './rollout.ts';
import { countedStatus } from './status.ts';

/** The Deployment's size was changed since its sets were last scaled. */
export function isScalingEvent(rollout: Rollout): boolean {
  const desired = desiredOf(rollout.deployment);
  return activeSets(rollout.allSets).some((set) => {
    const annotated = desiredAnnotation(set);
    return annotated !== undefined && annotated !== desired;
  });
}

/** Brings all sets to the new size without going on with the rollout: also what a paused Deployment does. */
export async function scaleOnly(rollout: Rollout): Promise<void> {
  await rollout.syncRevision(false);
  await scaleSets(rollout);
  if (rollout.deployment.spec.paused === true) await rollout.cleanUp();
  await rollout.writeStatus(countedStatus(rollout.deployment, rollout.newSet, rollout.oldSets, rollout.nowMs));
}

async function scaleSets(rollout: Rollout): Promise<void> {
  const { deployment, newSet, oldSets } = rollout;
  const single = activeOrLatest(newSet, oldSets);
  if (single !== undefined) {
    await rollout.scaleSet(single, desiredOf(deployment));
  } else if (isSaturated(deployment, newSet)) {
    for (const set of rollout.activeOldSets) await rollout.scaleSet(set, 0);
  } else if (isRollingUpdate(deployment)) {
    const active = activeSets(rollout.allSets);
    const sizes = proportionalSizes(deployment, active);
    for (const set of active) await rollout.scaleSet(set, sizes.get(set.metadata.name)!, true);
  }
}
