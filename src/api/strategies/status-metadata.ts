import type { ObjectMeta } from '../object.ts';
import type { ResourceDefinition } from '../resource-definition.ts';

type Kept = (keyof ObjectMeta)[];

const all: Kept = ['labels', 'annotations', 'finalizers', 'ownerReferences'];
const whole: Kept = [...all, 'deletionTimestamp', 'deletionGracePeriodSeconds', 'uid'];

/** Kinds of whose metadata a write to /status leaves something alone; source: PrepareForUpdate of their strategies. */
const kept: Record<string, Kept> = {
  '/pods': ['ownerReferences'],
  'apps/deployments': ['labels'],
  'admissionregistration.k8s.io/validatingadmissionpolicies': all,
  'apiregistration.k8s.io/apiservices': all,
  'flowcontrol.apiserver.k8s.io/flowschemas': whole,
  'flowcontrol.apiserver.k8s.io/prioritylevelconfigurations': whole,
  'networking.k8s.io/servicecidrs': all,
  'resource.k8s.io/resourceclaims': all,
  'storage.k8s.io/volumeattachments': all,
};

const none: Kept = [];
const ofOthers: Kept = ['ownerReferences', 'finalizers'];

/** What stays as it is; whoever writes a custom resource's status changes nothing but it. */
export function metadataKeptByStatus({ group, resource, schema }: ResourceDefinition): Kept {
  if (schema.structural !== undefined) return all;
  return kept[`${group}/${resource}`] ?? (group.endsWith('skypod.io') ? ofOthers : none);
}
