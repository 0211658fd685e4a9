import type { Pod } from '../../api/generated/core-v1.ts';
import { isPodTerminal } from '../common/pod-state.ts';
import { desiredOf } from './replica-math.ts';
import type { Rollout } from './rollout.ts';
import { isComplete, rolloutStatus } from './status.ts';

/** Everything old ends before anything new starts. `podsOf` gives a set's pods by its uid. */
export async function recreate(rollout: Rollout, podsOf: (replicaSetUid: string) => Pod[]): Promise<void> {
  await rollout.syncRevision(false);
  let hasShrunk = false;
  for (const set of rollout.activeOldSets) hasShrunk = (await rollout.scaleSet(set, 0)) || hasShrunk;
  if (!hasShrunk && !runsOldPods(rollout, podsOf)) {
    if (rollout.newSet === undefined) await rollout.syncRevision(true);
    await rollout.scaleSet(rollout.newSet!, desiredOf(rollout.deployment));
    if (isComplete(rollout.deployment, rollout.deployment.status)) await rollout.cleanUp();
  }
  await rollout.writeStatus(rolloutStatus(rollout.deployment, rollout.newSet, rollout.oldSets, rollout.nowMs));
}

function runsOldPods(rollout: Rollout, podsOf: (replicaSetUid: string) => Pod[]): boolean {
  return rollout.oldSets.some(
    (set) => (set.status?.replicas ?? 0) > 0 || podsOf(set.metadata.uid).some((pod) => !isPodTerminal(pod)),
  );
}
