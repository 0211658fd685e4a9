import { sortSteps } from '../../base/sort-steps.ts';
import { runAtOnce, type Steps } from '../../base/steps.ts';
import { canonicalElement, orderOf, type PathElement, printElement } from './path-element.ts';

/**
 * A set of fields, in the very form in which FieldsV1 writes it: an object by path element, sorted. A set that holds
 * spec.replicas, metadata.labels and metadata.labels.app is
 *
 *     {"f:metadata": {"f:labels": {".": {}, "f:app": {}}}, "f:spec": {"f:replicas": {}}}
 *
 * `{}` is a member without children, `.` marks a member that has some. Sets are shared and never changed: an operation
 * that changes nothing gives back what it was given, so that identity tells.
 */
export interface FieldSet {
  readonly [element: PathElement]: FieldSet;
}

/** A member without children; as a whole set, the empty one. */
export const leaf: FieldSet = Object.freeze({});
export const emptySet = leaf;
/** A leaf, spelled out for the operations below. */
const member: FieldSet = Object.freeze({ '.': leaf });

/** Sets known to have many elements: to begin to list those of one takes long. */
const large = new WeakSet<FieldSet>();

export function isEmptySet(set: FieldSet): boolean {
  if (set === leaf) return true;
  if (set['.'] !== undefined || large.has(set)) return false;
  for (const _ in set) return false;
  return true;
}

/** What an operation goes on to change, behind what it begins with. */
export function* copyOf(set: FieldSet, copy: Record<string, FieldSet> = {}): Steps<Record<string, FieldSet>> {
  let count = 0;
  for (const element in set) {
    copy[element] = set[element]!;
    if (++count % elementsAtOnce === 0) yield;
  }
  if (count >= elementsAtOnce) large.add(copy);
  return copy;
}

const expand = (node: FieldSet) => (isEmptySet(node) ? member : node);

/** undefined for a node that holds nothing. */
function shrink(node: Record<string, FieldSet>): FieldSet | undefined {
  let count = 0;
  for (const _ in node) if (++count > 1) return node;
  if (count === 0) return undefined;
  return '.' in node ? leaf : node;
}

/** So many are worked on between two looks at the clock. */
export const elementsAtOnce = 512;

/** A node of the elements given, in canonical order. `elements` is taken over. */
export function* nodeOf(elements: [PathElement, FieldSet][], isMember: boolean): Steps<FieldSet | undefined> {
  if (elements.length === 0) return isMember ? leaf : undefined;
  yield* sortElements(elements);
  const node: Record<string, FieldSet> = isMember ? { '.': leaf } : {};
  for (let index = 0; index < elements.length; index++) {
    if (index % elementsAtOnce === 0) yield;
    node[elements[index]![0]] = elements[index]![1];
  }
  if (elements.length >= elementsAtOnce) large.add(node);
  return node;
}

function* sortElements(elements: [PathElement, FieldSet][]): Steps<void> {
  const order = orderOf(elements.length);
  for (let index = 1; index < elements.length; index++) {
    if (index % elementsAtOnce === 0) yield;
    if (order(elements[index - 1]![0], elements[index]![0]) <= 0) continue;
    if (elements.length <= elementsAtOnce) elements.sort((a, b) => order(a[0], b[0]));
    else yield* sortSteps(elements, (a, b) => order(a[0], b[0]));
    return;
  }
}

export const union = (a: FieldSet, b: FieldSet): FieldSet => runAtOnce(unionSteps(a, b));

export function* unionSteps(a: FieldSet, b: FieldSet): Steps<FieldSet> {
  if (a === b || isEmptySet(b)) return a;
  if (isEmptySet(a)) return b;
  return yield* unite(a, b);
}

/** Of many: each is taken over a few times, not once for each that comes after it. */
export const unionAll = (sets: readonly FieldSet[]): FieldSet => runAtOnce(unionAllSteps(sets));

export function* unionAllSteps(sets: readonly FieldSet[]): Steps<FieldSet> {
  let level = sets;
  while (level.length > 1) {
    const next: FieldSet[] = [];
    for (let index = 0; index < level.length; index += 2) {
      const [a, b] = [level[index]!, level[index + 1]];
      next.push(b === undefined ? a : yield* unionSteps(a, b));
      yield;
    }
    level = next;
  }
  return level[0] ?? emptySet;
}

function* unite(a: FieldSet, b: FieldSet): Steps<FieldSet> {
  let merged: Record<string, FieldSet> | undefined;
  let added = false;
  let count = 0;
  for (const element in b) {
    if (++count % elementsAtOnce === 0) yield;
    const own = a[element];
    if (own === undefined) {
      merged ??= yield* copyOf(a);
      merged[element] = b[element]!;
      added = true;
    } else if (element !== '.') {
      const other = b[element]!;
      const both = own === other ? own : yield* uniteNodes(own, other);
      if (both !== own) (merged ??= yield* copyOf(a))[element] = both;
    }
  }
  if (merged === undefined) return a;
  if (!added) return merged;
  if (count >= elementsAtOnce) yield;
  return yield* sorted(merged);
}

function* uniteNodes(a: FieldSet, b: FieldSet): Steps<FieldSet> {
  if (a === b) return a;
  const expanded = expand(a);
  const both = yield* unite(expanded, expand(b));
  return both === expanded ? a : both;
}

function* sorted(node: Record<string, FieldSet>): Steps<FieldSet> {
  const elements = Object.keys(node);
  const order = orderOf(elements.length);
  for (let index = 1; index < elements.length; index++) {
    if (index % elementsAtOnce === 0) yield;
    if (order(elements[index - 1]!, elements[index]!) <= 0) continue;
    if (elements.length <= elementsAtOnce) elements.sort(order);
    else yield* sortSteps(elements, order);
    const result: Record<string, FieldSet> = {};
    for (let at = 0; at < elements.length; at++) {
      if (at % elementsAtOnce === elementsAtOnce - 1) yield;
      result[elements[at]!] = node[elements[at]!]!;
    }
    if (elements.length >= elementsAtOnce) large.add(result);
    return result;
  }
  return node;
}

/** What is in `a` and not in `b`; a parent in `b` does not take its children along. */
export const difference = (a: FieldSet, b: FieldSet): FieldSet => runAtOnce(differenceSteps(a, b));

export const differenceSteps = (a: FieldSet, b: FieldSet): Steps<FieldSet> => subtract(a, b, false);

/** The same, where a member of `b` takes everything below it along. */
export const recursiveDifference = (a: FieldSet, b: FieldSet): FieldSet => runAtOnce(subtract(a, b, true));

function* subtract(a: FieldSet, b: FieldSet, recursive: boolean): Steps<FieldSet> {
  if (a === b) return emptySet;
  let result: Record<string, FieldSet> | undefined;
  let count = 0;
  for (const element in b) {
    if (++count % elementsAtOnce === 0) yield;
    const own = a[element];
    if (own === undefined) continue;
    const rest = element === '.' ? undefined : yield* subtractNode(own, b[element]!, recursive);
    if (rest === own) continue;
    if (result === undefined) {
      result = yield* copyOf(a);
      // It may lose what it has.
      large.delete(result);
    }
    if (rest === undefined) delete result[element];
    else result[element] = rest;
  }
  if (count >= elementsAtOnce) yield;
  return result === undefined ? a : result;
}

function* subtractNode(a: FieldSet, b: FieldSet, recursive: boolean): Steps<FieldSet | undefined> {
  if (a === leaf && b === leaf) return undefined;
  const expanded = expand(b);
  if (recursive && '.' in expanded) return undefined;
  const own = expand(a);
  const rest = yield* subtract(own, expanded, recursive);
  return rest === own ? a : shrink(rest);
}

export function* intersectionSteps(a: FieldSet, b: FieldSet): Steps<FieldSet> {
  if (a === b) return a;
  let result: Record<string, FieldSet> | undefined;
  let count = 0;
  for (const element in a) {
    if (++count % elementsAtOnce === 0) yield;
    const other = b[element];
    if (other === undefined) continue;
    const own = a[element]!;
    const both =
      element === '.' || (own === leaf && other === leaf)
        ? leaf
        : shrink(yield* intersectionSteps(expand(own), expand(other)));
    if (both !== undefined) (result ??= {})[element] = both;
  }
  return result ?? emptySet;
}

export const equalSets = (a: FieldSet, b: FieldSet): boolean => runAtOnce(equalSetsSteps(a, b));

export function* equalSetsSteps(a: FieldSet, b: FieldSet): Steps<boolean> {
  if (a === b) return true;
  let count = 0;
  for (const element in a) {
    if (++count % elementsAtOnce === 0) yield;
    const [own, other] = [a[element]!, b[element]];
    if (other === undefined || (own !== other && !(yield* equalSetsSteps(own, other)))) return false;
  }
  if (count >= elementsAtOnce) yield;
  for (const _ in b) if (--count < 0) return false;
  return count === 0;
}

/** Is the field at the path (not empty) a member? */
export function hasPath(set: FieldSet, path: PathElement[]): boolean {
  let node: FieldSet | undefined = set;
  for (const element of path) {
    node = node[element];
    if (node === undefined) return false;
  }
  return isMember(node);
}

export function setOf(...paths: PathElement[][]): FieldSet {
  return setOfPaths(paths);
}

export function setOfPaths(paths: readonly PathElement[][]): FieldSet {
  return unionAll(
    paths.map((path) => {
      let node: FieldSet = leaf;
      for (const element of path.toReversed()) node = { [element]: node };
      return node;
    }),
  );
}

export const isMember = (node: FieldSet) => node === leaf || '.' in node || isEmptySet(node);

/** Is there anything below the node? */
export function hasChildren(node: FieldSet): boolean {
  if (node === leaf) return false;
  for (const element in node) if (element !== '.') return true;
  return false;
}

/** Every member's path, members of a level before what is below them. The path is the caller's own. */
export function* pathsOf(set: FieldSet, prefix: PathElement[] = []): Generator<PathElement[]> {
  for (const element in set) {
    if (element !== '.' && isMember(set[element]!)) yield [...prefix, element];
  }
  for (const element in set) {
    if (element !== '.' && hasChildren(set[element]!)) yield* pathsOf(set[element]!, [...prefix, element]);
  }
}

export const printPath = (path: PathElement[]): string => path.map(printElement).join('');

/** A set as somebody else wrote it, in canonical form. Throws for malformed ones. */
export const parseFieldSet = (value: unknown): FieldSet => runAtOnce(fieldSetSteps(value));

export function* fieldSetSteps(value: unknown): Steps<FieldSet> {
  return (yield* parseNode(value, true)) ?? emptySet;
}

function* parseNode(value: unknown, isRoot: boolean): Steps<FieldSet | undefined> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    // A value that is no object says nothing about children.
    if (isRoot && value !== null && value !== undefined) throw new Error('expected an object');
    return leaf;
  }
  const node: Record<string, FieldSet> = {};
  let count = 0;
  for (const key in value) {
    if (++count % elementsAtOnce === 0) yield;
    if (key === '.') {
      if (!isRoot) node['.'] = leaf;
      continue;
    }
    const element = canonicalElement(key);
    if (element === undefined) continue;
    const child = yield* parseNode((value as Record<string, unknown>)[key], false);
    if (child === undefined) continue;
    node[element] = node[element] === undefined ? child : yield* uniteNodes(node[element], child);
  }
  const ordered = yield* sorted(node);
  if (isRoot) return ordered;
  return isEmptySet(ordered) ? leaf : shrink(ordered as Record<string, FieldSet>);
}
