import type { Steps } from '../../base/steps.ts';
import { deepEqual } from '../equality.ts';
import { emptySet, type FieldSet, leaf, nodeOf, recursiveDifference, union } from './field-set.ts';
import { elementOfItem, equalItems, groupItems, itemsAtOnce } from './list-items.ts';
import {
  type Alternative,
  alternativeOf,
  isEmptyMap,
  type ListType,
  listOf,
  type MapType,
  type MergeType,
  mapOf,
  typeOfField,
} from './merge-type.ts';
import { fieldElement, type PathElement } from './path-element.ts';

/** What changed from one object to another, each a set of its own. */
export interface Comparison {
  removed: FieldSet;
  modified: FieldSet;
  added: FieldSet;
}

/** Of one node and what is below it; a part that is absent is empty. */
interface Difference {
  removed?: FieldSet;
  modified?: FieldSet;
  added?: FieldSet;
}

const leafModified: Difference = { modified: leaf };

/**
 * Compares two objects of a type. Parts that are the same by identity are not walked. Fields that the type does not
 * know are passed over. Source: structured-merge-diff's TypedValue.Compare.
 */
export function* compareObjects(type: MergeType, before: unknown, after: unknown): Steps<Comparison> {
  const difference = yield* compare(type, before, after);
  return {
    removed: difference?.removed ?? emptySet,
    modified: difference?.modified ?? emptySet,
    added: difference?.added ?? emptySet,
  };
}

/** Leaves out fields, with all below them. */
export function excludeFields(comparison: Comparison, fields: FieldSet): Comparison {
  return {
    removed: recursiveDifference(comparison.removed, fields),
    modified: recursiveDifference(comparison.modified, fields),
    added: recursiveDifference(comparison.added, fields),
  };
}

function* compare(type: MergeType, before: any, after: any): Steps<Difference | undefined> {
  if (before === after) return undefined;
  if (before === undefined) return { added: yield* everythingOf(type, after) };
  if (after === undefined) return { removed: yield* everythingOf(type, before) };
  const was = alternativeOf(type, before);
  const is = alternativeOf(type, after);
  const difference = yield* compareAs(type, is, before, after);
  if (was === is) return difference;
  return combine(yield* compareAs(type, was, before, after), difference);
}

function* compareAs(type: MergeType, as: Alternative, before: any, after: any): Steps<Difference | undefined> {
  if (as === 'map') return yield* compareMaps(type.map!, before, after);
  if (as === 'list') return yield* compareLists(type.list!, before, after);
  return deepEqual(before, after) ? undefined : leafModified;
}

function* compareMaps(type: MapType, before: any, after: any): Steps<Difference | undefined> {
  const old = mapOf(before);
  const map = mapOf(after);
  if (type.atomic || (isEmptyMap(old) && isEmptyMap(map))) return deepEqual(before, after) ? undefined : leafModified;
  const parts = new Parts();
  let count = 0;
  for (const name in map) {
    if (++count % itemsAtOnce === 0) yield;
    const value = map[name];
    const oldValue = old?.[name];
    if (value === oldValue) continue;
    const fieldType = typeOfField(type, name);
    if (fieldType !== undefined) parts.add(fieldElement(name), yield* compare(fieldType, oldValue, value));
  }
  for (const name in old) {
    if (++count % itemsAtOnce === 0) yield;
    if (map?.[name] !== undefined || old[name] === undefined) continue;
    const fieldType = typeOfField(type, name);
    if (fieldType !== undefined) parts.add(fieldElement(name), yield* compare(fieldType, old[name], undefined));
  }
  return yield* parts.difference();
}

function* compareLists(type: ListType, before: any, after: any): Steps<Difference | undefined> {
  const old = listOf(before);
  const list = listOf(after);
  if (type.atomic || ((old?.length ?? 0) === 0 && (list?.length ?? 0) === 0)) {
    return deepEqual(before, after) ? undefined : leafModified;
  }
  const oldGroups = yield* groupItems(type, old);
  const groups = yield* groupItems(type, list);
  const parts = new Parts();
  let count = 0;
  for (const element of elementsOf(oldGroups, groups)) {
    if (++count % itemsAtOnce === 0) yield;
    const was = oldGroups.get(element) ?? [];
    const is = groups.get(element) ?? [];
    if (was.length <= 1 && is.length <= 1) {
      parts.add(element, yield* compare(type.items, was[0], is[0]));
    } else if (was.length >= 2 && is.length >= 2) {
      if (!equalItems(was, is)) parts.add(element, leafModified);
    } else if (was.length >= 2) {
      // One of them is left: it is new, and the mark of the duplicates goes.
      const added = is.length > 0 ? yield* everythingOf(type.items, is[0]) : undefined;
      parts.add(element, { removed: leaf, ...(added !== undefined && { added }) });
    } else {
      const removed = was.length > 0 ? yield* everythingOf(type.items, was[0]) : undefined;
      parts.add(element, { added: leaf, ...(removed !== undefined && { removed }) });
    }
  }
  yield;
  return yield* parts.difference();
}

/** The old ones first. */
function* elementsOf(old: Map<PathElement, unknown>, groups: Map<PathElement, unknown>): Generator<PathElement> {
  yield* old.keys();
  for (const element of groups.keys()) if (!old.has(element)) yield element;
}

/** A value that came or went, with all below it: each is a member. */
function* everythingOf(type: MergeType, value: any): Steps<FieldSet> {
  const as = alternativeOf(type, value);
  if (as === 'scalar') return leaf;
  if (as === 'map') {
    const map = mapOf(value);
    const { map: mapType } = type;
    if (mapType!.atomic || map === undefined) return leaf;
    const elements: [PathElement, FieldSet][] = [];
    for (const name in map) {
      if (map[name] === undefined) continue;
      if (elements.length % itemsAtOnce === itemsAtOnce - 1) yield;
      const fieldType = typeOfField(mapType!, name);
      if (fieldType !== undefined) elements.push([fieldElement(name), yield* everythingOf(fieldType, map[name])]);
    }
    return elements.length === 0 ? leaf : (yield* nodeOf(elements, true))!;
  }
  const list = listOf(value);
  const { list: listType } = type;
  if (listType!.atomic || list === undefined || list.length === 0) return leaf;
  const elements = new Map<PathElement, FieldSet>();
  let count = 0;
  for (const item of list) {
    // They may all be of the same keys.
    if (++count % itemsAtOnce === 0) yield;
    const element = elementOfItem(listType!, item);
    elements.set(element, elements.has(element) ? leaf : yield* everythingOf(listType!.items, item));
  }
  return (yield* nodeOf([...elements], true))!;
}

function combine(a: Difference | undefined, b: Difference | undefined): Difference | undefined {
  if (a === undefined || b === undefined) return a ?? b;
  const both = (x: FieldSet | undefined, y: FieldSet | undefined) => {
    if (x === undefined || y === undefined) return x ?? y;
    return union({ 'f:x': x }, { 'f:x': y })['f:x'];
  };
  const removed = both(a.removed, b.removed);
  const modified = both(a.modified, b.modified);
  const added = both(a.added, b.added);
  return { ...(removed && { removed }), ...(modified && { modified }), ...(added && { added }) };
}

/** Gathers what differs below a node; allocates only for what does. */
class Parts {
  #removed: [PathElement, FieldSet][] | undefined;
  #modified: [PathElement, FieldSet][] | undefined;
  #added: [PathElement, FieldSet][] | undefined;

  add(element: PathElement, difference: Difference | undefined): void {
    if (difference === undefined) return;
    if (difference.removed !== undefined) (this.#removed ??= []).push([element, difference.removed]);
    if (difference.modified !== undefined) (this.#modified ??= []).push([element, difference.modified]);
    if (difference.added !== undefined) (this.#added ??= []).push([element, difference.added]);
  }

  *difference(): Steps<Difference | undefined> {
    if (this.#removed === undefined && this.#modified === undefined && this.#added === undefined) return undefined;
    const difference: Difference = {};
    if (this.#removed !== undefined) difference.removed = (yield* nodeOf(this.#removed, false))!;
    if (this.#modified !== undefined) difference.modified = (yield* nodeOf(this.#modified, false))!;
    if (this.#added !== undefined) difference.added = (yield* nodeOf(this.#added, false))!;
    return difference;
  }
}
