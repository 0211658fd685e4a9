import { emptySet, type FieldSet, leaf, nodeOf } from './field-set.ts';
import { elementOfItem } from './list-items.ts';
import { alternativeOf, isEmptyMap, listOf, type MergeType, mapOf, typeOfField } from './merge-type.ts';
import { fieldElement, type PathElement } from './path-element.ts';

/**
 * The fields a configuration speaks of: leaves, items of lists and entries of maps, but not the structs around them.
 * Source: structured-merge-diff's TypedValue.ToFieldSet.
 */
export const fieldSetOf = (type: MergeType, object: unknown): FieldSet => nodeFor(type, object, false) ?? emptySet;

/** `isMember`: the field itself counts, whatever is below it. */
function nodeFor(type: MergeType, value: any, isMember: boolean): FieldSet | undefined {
  const as = alternativeOf(type, value);
  if (as === 'scalar') return leaf;
  const elements: [PathElement, FieldSet][] = [];
  if (as === 'map') {
    const { map: mapType } = type;
    if (mapType!.atomic) return leaf;
    const map = mapOf(value);
    for (const name in map) {
      const field = map[name];
      const fieldType = typeOfField(mapType!, name);
      if (field === undefined || fieldType === undefined) continue;
      const isOwn = field === null || (mapOf(field) !== undefined && isEmptyMap(field)) || !mapType!.fields.has(name);
      const node = nodeFor(fieldType, field, isOwn);
      if (node !== undefined) elements.push([fieldElement(name), node]);
    }
    return nodeOf(elements, isMember);
  }
  const { list: listType } = type;
  if (listType!.atomic) return leaf;
  const byElement = new Map<PathElement, FieldSet>();
  for (const item of listOf(value) ?? []) {
    const element = elementOfItem(listType!, item);
    // Of duplicates only the element itself is told.
    byElement.set(element, byElement.has(element) ? leaf : nodeFor(listType!.items, item, true)!);
  }
  return nodeOf([...byElement], isMember);
}
