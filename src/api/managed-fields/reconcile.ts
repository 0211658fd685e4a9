import type { Steps } from '../../base/steps.ts';
import {
  copyOf,
  elementsAtOnce,
  type FieldSet,
  hasChildren,
  isMember,
  leaf,
  recursiveDifference,
  setOfPaths,
  unionSteps,
} from './field-set.ts';
import { deducedType, type MergeType, typeOfField } from './merge-type.ts';
import type { PathElement } from './path-element.ts';

/** Sets that are known to fit a type as it is: those of built-in types are looked at once. */
const fitting = new WeakMap<FieldSet, MergeType>();

/**
 * A set that was written when parts of the type were not atomic yet: who owned something inside such a part owns all of
 * it. Source: structured-merge-diff's ReconcileFieldSetWithSchema.
 */
export function* reconcileFieldSet(set: FieldSet, type: MergeType): Steps<FieldSet> {
  if (fitting.get(set) === type) return set;
  const atomicPaths: PathElement[][] = [];
  yield* visit(type, set, [], false, atomicPaths);
  let result = set;
  if (atomicPaths.length > 0) {
    const whole = setOfPaths(atomicPaths);
    result = yield* unionSteps(recursiveDifference(set, whole), whole);
  }
  fitting.set(result, type);
  return result;
}

function* visit(
  type: MergeType,
  node: FieldSet,
  path: PathElement[],
  isLeaf: boolean,
  found: PathElement[][],
): Steps<void> {
  if (type === deducedType) return;
  const { map, list } = type;
  if (map !== undefined) {
    if (map.fields.size === 0 && map.elements === deducedType) return;
    if (map.atomic && !isLeaf) {
      if (hasChildren(node) && path.length > 0) found.push(path);
      return;
    }
  } else if (list?.atomic && !isLeaf) {
    if (path.length > 0) found.push(path);
    return;
  } else if (list === undefined) {
    return;
  }
  let count = 0;
  for (const element in node) {
    if (++count % elementsAtOnce === 0) yield;
    if (element === '.') continue;
    const child = node[element]!;
    const childType = map === undefined ? list!.items : typeOfField(map, element.slice(2));
    if (childType === undefined || (childType.map === undefined && childType.list === undefined)) continue;
    yield* visit(childType, child, [...path, element], isMember(child) && !hasChildren(child), found);
  }
}

/**
 * The set with the structs' fields on the way to its members as members too, entries of maps and items of lists not.
 * Source: fieldpath's EnsureNamedFieldsAreMembers.
 */
export function* withNamedFields(set: FieldSet, type: MergeType | undefined): Steps<FieldSet> {
  let result: Record<string, FieldSet> | undefined;
  let count = 0;
  for (const element in set) {
    if (++count % elementsAtOnce === 0) yield;
    const child = set[element]!;
    if (element === '.' || !hasChildren(child)) continue;
    const isField = element.startsWith('f:');
    const map = isField ? type?.map : undefined;
    const childType =
      map !== undefined ? typeOfField(map, element.slice(2)) : element.startsWith('k:') ? type?.list?.items : undefined;
    let grown = yield* withNamedFields(child, childType);
    if (map?.fields.has(element.slice(2)) && !('.' in grown)) grown = yield* copyOf(grown, { '.': leaf });
    if (grown !== child) (result ??= yield* copyOf(set))[element] = grown;
  }
  return result ?? set;
}
