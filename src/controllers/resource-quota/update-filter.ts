import { semanticEqual } from '../../api/equality.ts';
import type { GroupResource, KubeObject } from '../../api/object.ts';
import { endsCharging, evaluatorOf } from '../../api/quota/index.ts';
import { sameList } from '../../api/quota/resource-list.ts';

const scopesOfPod = ({ spec }: KubeObject): unknown[] => [
  (spec.activeDeadlineSeconds ?? -1) >= 0,
  spec.priorityClassName,
];

/** Whether an update changes what an object counts for, or under which quotas. Cheap: most updates of pods do not. */
export function changesUsage(resource: GroupResource, before: KubeObject, after: KubeObject): boolean {
  if (resource.group === '' && resource.resource === 'pods') {
    if (endsCharging(before) !== endsCharging(after)) return true;
    if (before['spec'] === after['spec'] && sameResources(before, after)) return false;
    if (!semanticEqual(scopesOfPod(before), scopesOfPod(after))) return true;
  } else if (!semanticEqual(before['status'], after['status'])) {
    if (resource.resource === 'persistentvolumeclaims') return true;
  }
  const evaluator = evaluatorOf(resource)!;
  return !sameList(evaluator.usage(before, 0), evaluator.usage(after, 0));
}

const sameResources = (before: KubeObject, after: KubeObject): boolean =>
  resourcesOf(before['status']) === resourcesOf(after['status']);

function resourcesOf(status: KubeObject['status']): string {
  const statuses: { resources?: unknown; allocatedResources?: unknown }[] = [
    ...(status?.containerStatuses ?? []),
    ...(status?.initContainerStatuses ?? []),
  ];
  return JSON.stringify(statuses.map(({ resources, allocatedResources }) => [resources, allocatedResources]));
}
