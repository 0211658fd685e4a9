import type { GroupVersionResource, KubeObject, OwnerReference } from '../../api/object.ts';
import { isConflict, isNotFound } from '../../api/status.ts';
import type { Client } from '../../client/client.ts';

/**
 * Makes `reference` the controller of an orphan. The owner is read afresh first: one that was deleted meanwhile must not
 * gain children. False: somebody else was quicker, or the orphan is gone.
 */
export async function adopt(
  client: Client,
  ownerResource: GroupVersionResource,
  owner: KubeObject,
  reference: OwnerReference,
  orphanResource: GroupVersionResource,
  orphan: KubeObject,
): Promise<boolean> {
  const fresh = await client.for(ownerResource, owner).get(owner.metadata.name);
  if (fresh.metadata.uid !== owner.metadata.uid || fresh.metadata.deletionTimestamp !== undefined) return false;
  return replaceOwners(client, orphanResource, orphan, [...(orphan.metadata.ownerReferences ?? []), reference]);
}

/** Takes the owner's reference off an object that its selector no longer matches. */
export function release(
  client: Client,
  ownerUid: string,
  resource: GroupVersionResource,
  object: KubeObject,
): Promise<boolean> {
  const rest = (object.metadata.ownerReferences ?? []).filter((reference) => reference.uid !== ownerUid);
  return replaceOwners(client, resource, object, rest);
}

async function replaceOwners(
  client: Client,
  resource: GroupVersionResource,
  object: KubeObject,
  ownerReferences: OwnerReference[],
): Promise<boolean> {
  try {
    await client.for(resource, object).patch(object.metadata.name, 'merge', {
      metadata: {
        uid: object.metadata.uid,
        resourceVersion: object.metadata.resourceVersion,
        ownerReferences: ownerReferences.length === 0 ? null : ownerReferences,
      },
    });
    return true;
  } catch (error) {
    if (isConflict(error) || isNotFound(error)) return false;
    throw error;
  }
}
