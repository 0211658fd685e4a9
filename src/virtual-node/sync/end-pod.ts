import type { Pod } from '../../api/generated/core-v1.ts';
import type { ContainerInstance } from '../../api/pool.ts';
import { CONTAINER_INSTANCES, PODS } from '../../api/resources.ts';
import { isConflict, isNotFound } from '../../api/status.ts';
import type { Client } from '../../client/client.ts';

/** Deleting takes the instance along with the same grace; the pod itself goes when its instance has gone. */
export async function endPod(pod: Pod, instance: ContainerInstance | undefined, client: Client): Promise<void> {
  if (instance !== undefined) {
    await deleteInstance(instance, pod.metadata.deletionGracePeriodSeconds ?? 0, client);
    return;
  }
  const { name, uid } = pod.metadata;
  await quietly(client.for(PODS, pod).delete(name, { gracePeriodSeconds: 0, preconditions: { uid } }));
}

/** Asks the host to stop the instance within the grace; one that no host has taken goes at once. */
export async function deleteInstance(instance: ContainerInstance, graceSeconds: number, client: Client): Promise<void> {
  const { name, uid, deletionTimestamp, deletionGracePeriodSeconds } = instance.metadata;
  const isPlaced = Boolean(instance.spec.hostName);
  // The host must get a chance to stop the containers, so "at once" is a second.
  const grace = isPlaced ? Math.max(1, graceSeconds) : 0;
  if (deletionTimestamp !== undefined && (deletionGracePeriodSeconds ?? 0) <= grace) return;
  await quietly(
    client.for(CONTAINER_INSTANCES, instance).delete(name, { gracePeriodSeconds: grace, preconditions: { uid } }),
  );
}

/** Takes the instance away without its host, which is no more. */
export async function removeInstance(instance: ContainerInstance, client: Client): Promise<void> {
  const { name, uid, deletionTimestamp, deletionGracePeriodSeconds } = instance.metadata;
  if (deletionTimestamp !== undefined && deletionGracePeriodSeconds === 0) return;
  await quietly(
    client.for(CONTAINER_INSTANCES, instance).delete(name, { gracePeriodSeconds: 0, preconditions: { uid } }),
  );
}

/** Gone already, or replaced by another of the same name: what was wanted. */
async function quietly(deletion: Promise<unknown>): Promise<void> {
  await deletion.catch((error: unknown) => {
    if (!isNotFound(error) && !isConflict(error)) throw error;
  });
}
