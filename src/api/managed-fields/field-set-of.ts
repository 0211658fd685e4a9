import type { Steps } from '../../base/steps.ts';
import { emptySet, type FieldSet, leaf, nodeOf } from './field-set.ts';
import { elementOfItem, itemsAtOnce } from './list-items.ts';
import { alternativeOf, isEmptyMap, listOf, type MergeType, mapOf, typeOfField } from './merge-type.ts';
import { fieldElement, type PathElement } from './path-element.ts';

/**
 * The fields a configuration speaks of: leaves, items of lists and entries of maps, but not the structs around them.
 * Source: structured-merge-diff's TypedValue.ToFieldSet.
 */
export function* fieldSetSteps(type: MergeType, object: unknown): Steps<FieldSet> {
  return (yield* nodeFor(type, object, false)) ?? emptySet;
}

/** `isMember`: the field itself counts, whatever is below it. */
function* nodeFor(type: MergeType, value: any, isMember: boolean): Steps<FieldSet | undefined> {
  const as = alternativeOf(type, value);
  if (as === 'scalar') return leaf;
  const elements: [PathElement, FieldSet][] = [];
  let count = 0;
  if (as === 'map') {
    const { map: mapType } = type;
    if (mapType!.atomic) return leaf;
    const map = mapOf(value);
    for (const name in map) {
      if (++count % itemsAtOnce === 0) yield;
      const field = map[name];
      const fieldType = typeOfField(mapType!, name);
      if (field === undefined || fieldType === undefined) continue;
      const isOwn = field === null || (mapOf(field) !== undefined && isEmptyMap(field)) || !mapType!.fields.has(name);
      const node = yield* nodeFor(fieldType, field, isOwn);
      if (node !== undefined) elements.push([fieldElement(name), node]);
    }
    return yield* nodeOf(elements, isMember);
  }
  const { list: listType } = type;
  if (listType!.atomic) return leaf;
  const byElement = new Map<PathElement, FieldSet>();
  for (const item of listOf(value) ?? []) {
    if (++count % itemsAtOnce === 0) yield;
    const element = elementOfItem(listType!, item);
    // Of duplicates only the element itself is told.
    byElement.set(element, byElement.has(element) ? leaf : (yield* nodeFor(listType!.items, item, true))!);
  }
  return yield* nodeOf([...byElement], isMember);
}
