import type { Deployment, ReplicaSet } from '../../api/generated/apps-v1.ts';
import type { Pod } from '../../api/generated/core-v1.ts';
import type { Client } from '../../client/client.ts';
import type { ReconcileTools } from '../../client/controller.ts';
import type { EventRecorder } from '../../client/event-recorder.ts';
import { recreate } from './recreate.ts';
import { hasProgressDeadline } from './replica-math.ts';
import { rollingUpdate } from './rolling-update.ts';
import { Rollout } from './rollout.ts';
import { isScalingEvent, scaleOnly } from './scale.ts';
import { conditionOf, countedStatus } from './status.ts';

export interface DeploymentTools {
  client: Client;
  recorder: EventRecorder;
  podsOf(replicaSetUid: string): Pod[];
}

/** `sets` are the Deployment's own. */
export async function reconcileDeployment(
  with_: DeploymentTools,
  deployment: Deployment,
  sets: ReplicaSet[],
  tools: ReconcileTools,
): Promise<void> {
  const rollout = new Rollout(deployment, [...sets], with_, tools);
  if (deployment.metadata.deletionTimestamp !== undefined) {
    return rollout.writeStatus(countedStatus(deployment, rollout.newSet, rollout.oldSets, tools.now()));
  }
  await notePause(rollout);
  if (deployment.spec.paused === true) return scaleOnly(rollout);
  await rollout.syncRevision(false);
  if (isScalingEvent(rollout)) return scaleOnly(rollout);
  return deployment.spec.strategy?.type === 'Recreate' ? recreate(rollout, with_.podsOf) : rollingUpdate(rollout);
}

/** The time a Deployment was paused does not count towards its progress deadline. */
async function notePause(rollout: Rollout): Promise<void> {
  const { deployment } = rollout;
  if (!hasProgressDeadline(deployment)) return;
  const condition = conditionOf(deployment.status?.conditions, 'Progressing');
  if (condition?.reason === 'ProgressDeadlineExceeded') return;
  const isNoted = condition?.reason === 'DeploymentPaused';
  const isPaused = deployment.spec.paused === true;
  if (isPaused && !isNoted) await rollout.setCondition('Unknown', 'DeploymentPaused', 'Deployment is paused');
  if (!isPaused && isNoted) await rollout.setCondition('Unknown', 'DeploymentResumed', 'Deployment is resumed');
}
