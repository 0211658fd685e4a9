import { difference, hasPath, isEmptySet, setOf } from './field-set.ts';
import {
  encodeManaged,
  fieldsOf,
  identifierOf,
  type Managed,
  type ManagedFieldsEntry,
  managedOfStored,
  withFields,
} from './managed.ts';
import { fieldElement, type PathElement } from './path-element.ts';

const scaleApiVersion = 'autoscaling/v1';
const replicasInScale: PathElement[] = ['f:spec', 'f:replicas'];

/** `.spec.replicas` as path elements. */
export const elementsOfJsonPath = (path: string): PathElement[] =>
  path
    .split('.')
    .filter((segment) => segment !== '')
    .map(fieldElement);

/**
 * Who owns the replicas of a workload, as entries of its Scale. `replicas`: the path in the workload. Source:
 * apimachinery's ScaleHandler.ToSubresource.
 */
export function entriesOfScale(
  workload: readonly ManagedFieldsEntry[] | undefined,
  apiVersion: string,
  replicas: PathElement[],
): ManagedFieldsEntry[] | undefined {
  const scale: Managed = new Map();
  for (const [identifier, entry] of managedOfStored(workload)) {
    if (entry.apiVersion !== apiVersion || !hasPath(fieldsOf(entry), replicas)) continue;
    scale.set(identifier, { ...entry, apiVersion: scaleApiVersion, fieldsV1: setOf(replicasInScale) });
  }
  return encodeManaged(scale, undefined);
}

/**
 * The workload's entries after its Scale's have changed: the replicas leave those who lost them. As upstream, a new
 * owner through scale has no time. Source: apimachinery's ScaleHandler.ToParent.
 */
export function entriesOfScaled(
  workload: readonly ManagedFieldsEntry[] | undefined,
  scale: readonly ManagedFieldsEntry[] | undefined,
  apiVersion: string,
  replicas: PathElement[],
): ManagedFieldsEntry[] | undefined {
  const parent = managedOfStored(workload);
  // Entries of a Scale keep the identifier they have in the workload, but for their version.
  const owners = new Map((scale ?? []).map((entry) => [identifierOf({ ...entry, apiVersion }), entry]));
  const result: Managed = new Map();
  for (const [identifier, entry] of parent) {
    if (entry.apiVersion !== apiVersion || !hasPath(fieldsOf(entry), replicas)) {
      result.set(identifier, entry);
    } else if (owners.delete(identifier)) {
      result.set(identifier, entry);
    } else {
      const rest = difference(fieldsOf(entry), setOf(replicas));
      if (!isEmptySet(rest)) result.set(identifier, withFields(entry, rest));
    }
  }
  for (const [identifier, entry] of owners) {
    if (!hasPath(fieldsOf(entry), replicasInScale)) continue;
    const { time: _time, ...timeless } = entry;
    result.set(identifier, { ...timeless, apiVersion, fieldsV1: setOf(replicas) });
  }
  return encodeManaged(result, workload);
}
