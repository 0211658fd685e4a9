import { apiVersionOf, type KubeObject } from './object.ts';
import type { ResourceDefinition, SubresourceDefinition } from './resource-definition.ts';
import { selectorFromLabelSelector, selectorFromLabels } from './selectors/label-selectors.ts';

export interface Scale extends KubeObject {
  spec: { replicas?: number };
  status: { replicas: number; selector?: string };
}

/** The autoscaling/v1 Scale of a workload: its name and versions, wanted and observed replicas, selector as a string. */
export function scaleOf(definition: ResourceDefinition, object: KubeObject): Scale {
  const { specReplicasPath, statusReplicasPath, labelSelectorPath } = scalePathsOf(definition);
  const { name, namespace, uid, resourceVersion, creationTimestamp } = object.metadata;
  const replicas = read(object, specReplicasPath);
  const selector = labelSelectorPath === undefined ? '' : selectorText(read(object, labelSelectorPath));
  return {
    kind: 'Scale',
    apiVersion: 'autoscaling/v1',
    metadata: { name, ...(namespace !== undefined && { namespace }), uid, resourceVersion, creationTimestamp },
    // Go leaves out a zero.
    spec: typeof replicas === 'number' && replicas !== 0 ? { replicas } : {},
    status: {
      replicas: Number(read(object, statusReplicasPath) ?? 0),
      ...(selector !== '' && { selector }),
    },
  };
}

/** A copy of the workload with the Scale's replicas; spec only, all other parts shared with `object`. */
export function withScale<T extends KubeObject>(definition: ResourceDefinition, object: T, scale: Scale): T {
  const path = segments(scalePathsOf(definition).specReplicasPath);
  const copy: any = { ...object };
  let at = copy;
  for (const segment of path.slice(0, -1)) at = at[segment] = { ...at[segment] };
  at[path.at(-1)!] = scale.spec?.replicas ?? 0;
  return copy;
}

function scalePathsOf(definition: ResourceDefinition): NonNullable<SubresourceDefinition['scale']> {
  const scale = definition.subresources.find((subresource) => subresource.name === 'scale')?.scale;
  if (scale === undefined) throw new Error(`${definition.resource} in ${apiVersionOf(definition)} has no scale`);
  return scale;
}

/** Built-in kinds hold a map or a LabelSelector, custom ones the text itself. */
function selectorText(selector: any): string {
  if (selector === undefined || selector === null) return '';
  if (typeof selector === 'string') return selector;
  const isLabelSelector =
    typeof selector.matchLabels === 'object' ||
    Array.isArray(selector.matchExpressions) ||
    Object.keys(selector).length === 0;
  return (isLabelSelector ? selectorFromLabelSelector(selector) : selectorFromLabels(selector)).toString();
}

const segments = (path: string): string[] => path.split('.').filter((segment) => segment !== '');
const read = (object: any, path: string): any => segments(path).reduce((at, segment) => at?.[segment], object);
