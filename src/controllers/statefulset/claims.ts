import type { StatefulSet } from '../../api/generated/apps-v1.ts';
import type { PersistentVolumeClaim, Pod } from '../../api/generated/core-v1.ts';
import type { KubeObject, OwnerReference } from '../../api/object.ts';
import { PERSISTENT_VOLUME_CLAIMS } from '../../api/resources.ts';
import { isAlreadyExists } from '../../api/status.ts';
import type { Client } from '../../client/client.ts';
import type { Informer } from '../../client/informer.ts';
import { controllerReference, siblingKey } from '../common/owner.ts';
import { messageOf } from '../common/pod-template.ts';
import { claimsOfOrdinal, ordinalOf, replicasOf, startOrdinal } from './pods.ts';

export interface ClaimTools {
  client: Client;
  claims: Informer<PersistentVolumeClaim>;
  event(set: StatefulSet, type: 'Normal' | 'Warning', reason: string, message: string): void;
}

type Owned = Pick<KubeObject, 'metadata'>;

/** Makes the claims of one ordinal that are missing. Throws while one cannot be had. */
export async function createClaims(tools: ClaimTools, set: StatefulSet, ordinal: number): Promise<void> {
  const { clusterName, namespace, name } = set.metadata;
  const podName = `${name}-${ordinal}`;
  const failures: string[] = [];
  for (const draft of claimsOfOrdinal(set, ordinal)) {
    const claimName = draft.metadata.name!;
    const known = tools.claims.get(siblingKey(set, claimName));
    if (known !== undefined) {
      if (known.metadata.deletionTimestamp !== undefined) failures.push(`pvc ${claimName} is being deleted`);
      continue;
    }
    try {
      await tools.client.resource<any>(clusterName!, PERSISTENT_VOLUME_CLAIMS, namespace).create(draft);
      const message = `Create Claim ${claimName} Pod ${podName} in StatefulSet ${name} success`;
      tools.event(set, 'Normal', 'SuccessfulCreate', message);
    } catch (error) {
      if (isAlreadyExists(error)) continue;
      failures.push(`failed to create PVC ${claimName}: ${messageOf(error)}`);
      const message = `Create Claim ${claimName} for Pod ${podName} in StatefulSet ${name} failed error: ${messageOf(error)}`;
      tools.event(set, 'Warning', 'FailedCreate', message);
    }
  }
  if (failures.length > 0) throw new Error(failures.length === 1 ? failures[0] : `[${failures.join(', ')}]`);
}

/** A claim that goes with a pod that went: no new pod may take it up. */
export function hasStaleClaim({ claims }: ClaimTools, set: StatefulSet, ordinal: number): boolean {
  if (policyOf(set).whenScaled !== 'Delete') return false;
  const pod = { metadata: { name: `${set.metadata.name}-${ordinal}`, uid: '' } } as Owned;
  return claimsOfOrdinal(set, ordinal).some(({ metadata }) => {
    const claim = claims.get(siblingKey(set, metadata.name!));
    return claim !== undefined && hasStaleReference(claim, pod, 'v1', 'Pod');
  });
}

/** Gives the claims of a pod the owners that the set's retention policy wants, so that they go with them. */
export async function retainClaims(tools: ClaimTools, set: StatefulSet, pod: Pod): Promise<void> {
  const ordinal = ordinalOf(set, pod);
  if (ordinal === undefined) return;
  for (const { metadata } of claimsOfOrdinal(set, ordinal)) {
    const claim = tools.claims.get(siblingKey(set, metadata.name!));
    if (claim === undefined || hasRightOwners(claim, set, pod)) continue;
    if (hasForeignController(claim, set, pod)) {
      const message = `PersistentVolumeClaim ${metadata.name} has a conflicting OwnerReference that acts as a manging controller, the retention policy is ignored for this claim`;
      tools.event(set, 'Warning', 'ConflictingController', message);
    }
    const { uid, resourceVersion, name } = claim.metadata;
    const ownerReferences = wantedOwners(claim, set, pod);
    await tools.client.for(PERSISTENT_VOLUME_CLAIMS, claim).patch(name, 'merge', {
      metadata: { uid, resourceVersion, ownerReferences: ownerReferences.length === 0 ? null : ownerReferences },
    });
  }
}

const policyOf = ({ spec }: StatefulSet) => ({
  whenDeleted: spec.persistentVolumeClaimRetentionPolicy?.whenDeleted ?? 'Retain',
  whenScaled: spec.persistentVolumeClaimRetentionPolicy?.whenScaled ?? 'Retain',
});

const isReferenceTo = (reference: OwnerReference, { metadata }: Owned, apiVersion: string, kind: string): boolean =>
  reference.apiVersion === apiVersion && reference.kind === kind && reference.name === metadata.name;

const isReferenceToEither = (reference: OwnerReference, set: StatefulSet, pod: Pod): boolean =>
  isReferenceTo(reference, set, 'apps/v1', 'StatefulSet') || isReferenceTo(reference, pod, 'v1', 'Pod');

const hasReference = ({ metadata }: Owned, owner: Owned): boolean =>
  (metadata.ownerReferences ?? []).some(({ uid }) => uid === owner.metadata.uid);

/** To one of the same name that was there before. */
function hasStaleReference(claim: Owned, owner: Owned, apiVersion: string, kind: string): boolean {
  const reference = (claim.metadata.ownerReferences ?? []).find((each) => isReferenceTo(each, owner, apiVersion, kind));
  return reference !== undefined && reference.uid !== owner.metadata.uid;
}

function hasForeignController(claim: Owned, set: StatefulSet, pod: Pod): boolean {
  const { whenDeleted, whenScaled } = policyOf(set);
  if (whenDeleted === 'Retain' && whenScaled === 'Retain') return false;
  return (claim.metadata.ownerReferences ?? []).some((reference) => {
    if (!isReferenceToEither(reference, set, pod)) return reference.controller === true;
    return reference.uid !== set.metadata.uid && reference.uid !== pod.metadata.uid;
  });
}

/** Who the policy wants to own a pod's claims: the set while the pod is one of its replicas, the pod when it is not. */
function ownersByPolicy(set: StatefulSet, pod: Pod): { ofSet: boolean; ofPod: boolean } {
  const { whenDeleted, whenScaled } = policyOf(set);
  const ordinal = ordinalOf(set, pod)!;
  const isSurplus = ordinal < startOrdinal(set) || ordinal >= startOrdinal(set) + replicasOf(set);
  return {
    ofSet: whenDeleted === 'Delete' && (whenScaled === 'Retain' || !isSurplus),
    ofPod: whenScaled === 'Delete' && isSurplus,
  };
}

/** Source: isClaimOwnerUpToDate. What is in a state nobody understands is left alone. */
function hasRightOwners(claim: Owned, set: StatefulSet, pod: Pod): boolean {
  if (hasStaleReference(claim, set, 'apps/v1', 'StatefulSet') || hasStaleReference(claim, pod, 'v1', 'Pod'))
    return true;
  if (hasForeignController(claim, set, pod)) return !hasReference(claim, set) && !hasReference(claim, pod);
  const isOwnedOnly = (claim.metadata.ownerReferences ?? []).some(
    ({ uid, controller }) => (uid === set.metadata.uid || uid === pod.metadata.uid) && controller !== true,
  );
  const { ofSet, ofPod } = ownersByPolicy(set, pod);
  return !isOwnedOnly && hasReference(claim, set) === ofSet && hasReference(claim, pod) === ofPod;
}

function wantedOwners(claim: Owned, set: StatefulSet, pod: Pod): OwnerReference[] {
  const others = (claim.metadata.ownerReferences ?? []).filter((each) => !isReferenceToEither(each, set, pod));
  if (hasForeignController(claim, set, pod)) return others;
  const { ofSet, ofPod } = ownersByPolicy(set, pod);
  return [
    ...others,
    ...(ofSet ? [controllerReference(set, 'apps/v1', 'StatefulSet')] : []),
    ...(ofPod ? [controllerReference(pod, 'v1', 'Pod')] : []),
  ];
}
