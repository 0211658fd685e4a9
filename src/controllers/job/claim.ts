import type { Job } from '../../api/generated/batch-v1.ts';
import type { Pod } from '../../api/generated/core-v1.ts';
import { JOBS, PODS } from '../../api/resources.ts';
import { isConflict, isNotFound } from '../../api/status.ts';
import type { Client } from '../../client/client.ts';
import { compileSelector } from '../common/label-selector.ts';
import { controllerReference } from '../common/owner.ts';
import { TRACKING_FINALIZER } from './pods.ts';

/**
 * Lets go of pods the selector no longer matches and takes in orphans that it does, with the finalizer by which they are
 * counted.
 * @returns the pods that are the Job's; undefined while some are on their way to it, which the watch will tell.
 */
export async function claimPods(client: Client, job: Job, owned: Pod[], orphans: Pod[]): Promise<Pod[] | undefined> {
  if (job.metadata.deletionTimestamp !== undefined || job.spec?.selector === undefined) return owned;
  const matches = compileSelector(job.spec.selector);
  const kept: Pod[] = [];
  for (const pod of owned) {
    if (matches(pod.metadata.labels)) kept.push(pod);
    else if (pod.metadata.deletionTimestamp === undefined) await release(client, job, pod);
  }
  const wanted = orphans.filter(({ metadata }) => metadata.deletionTimestamp === undefined && matches(metadata.labels));
  if (wanted.length === 0) return kept;
  const fresh = await client.for(JOBS, job).get(job.metadata.name);
  // One that was deleted meanwhile must not gain children.
  if (fresh.metadata.uid !== job.metadata.uid || fresh.metadata.deletionTimestamp !== undefined) return kept;
  const reference = controllerReference(job, 'batch/v1', 'Job');
  for (const pod of wanted) {
    const { ownerReferences = [], finalizers = [] } = pod.metadata;
    await write(client, pod, [...ownerReferences, reference], [...new Set([...finalizers, TRACKING_FINALIZER])]);
  }
  return undefined;
}

function release(client: Client, job: Job, pod: Pod): Promise<void> {
  const { ownerReferences = [], finalizers = [] } = pod.metadata;
  return write(
    client,
    pod,
    ownerReferences.filter(({ uid }) => uid !== job.metadata.uid),
    finalizers.filter((finalizer) => finalizer !== TRACKING_FINALIZER),
  );
}

async function write(client: Client, pod: Pod, ownerReferences: object[], finalizers: string[]): Promise<void> {
  const { name, uid, resourceVersion } = pod.metadata;
  try {
    await client.for(PODS, pod).patch(name, 'merge', {
      metadata: {
        uid,
        resourceVersion,
        ownerReferences: ownerReferences.length === 0 ? null : ownerReferences,
        finalizers: finalizers.length === 0 ? null : finalizers,
      },
    });
  } catch (error) {
    // Somebody was quicker, or it is gone: the watch brings the pod as it is now.
    if (!isConflict(error) && !isNotFound(error)) throw error;
  }
}
