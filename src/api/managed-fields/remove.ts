import type { Steps } from '../../base/steps.ts';
import { setOwn } from '../json/json.ts';
import { type FieldSet, hasChildren, isMember } from './field-set.ts';
import { elementOfItem, itemsAtOnce } from './list-items.ts';
import { alternativeOf, listOf, type MergeType, mapOf, typeOfField, untypedAtomic } from './merge-type.ts';
import { fieldElement } from './path-element.ts';

/**
 * The object without the fields of a set. Nothing is taken out of the inside of atomic values. What becomes empty
 * because something in it was removed stays, empty. Source: TypedValue.RemoveItems.
 */
export function* removeFields(type: MergeType, object: any, fields: FieldSet): Steps<any> {
  if (!hasChildren(fields)) return object;
  return (yield* removeFrom(type, object, fields)) ?? emptyLike(object);
}

/** undefined: nothing is left. */
function* removeFrom(type: MergeType, value: any, fields: FieldSet): Steps<any> {
  let count = 0;
  const as = alternativeOf(type, value);
  if (as === 'map') {
    const map = mapOf(value);
    const { map: mapType } = type;
    if (map === undefined || mapType!.atomic) return undefined;
    const rest: Record<string, unknown> = {};
    for (const name in map) {
      if (++count % itemsAtOnce === 0) yield;
      if (map[name] === undefined) continue;
      const node = fields[fieldElement(name)];
      if (node !== undefined && isMember(node)) continue;
      const fieldType = typeOfField(mapType!, name) ?? untypedAtomic;
      setOwn(
        rest,
        name,
        node === undefined ? map[name] : ((yield* removeFrom(fieldType, map[name], node)) ?? emptyLike(map[name])),
      );
    }
    return rest;
  }
  if (as === 'list') {
    const list = listOf(value);
    const { list: listType } = type;
    if (list === undefined || listType!.atomic) return undefined;
    const rest: any[] = [];
    let inside = false;
    for (const item of list) {
      if (++count % itemsAtOnce === 0) yield;
      const node = fields[elementOfItem(listType!, item)];
      if (node !== undefined && isMember(node)) continue;
      if (node === undefined) {
        rest.push(item);
      } else {
        inside = true;
        rest.push((yield* removeFrom(listType!.items, item, node)) ?? emptyLike(item));
      }
    }
    return rest.length > 0 || inside ? rest : undefined;
  }
  return value;
}

const emptyLike = (value: any) => (Array.isArray(value) ? [] : mapOf(value) !== undefined ? {} : null);
