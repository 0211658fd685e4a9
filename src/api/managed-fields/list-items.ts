import type { Steps } from '../../base/steps.ts';
import { deepEqual } from '../equality.ts';
import type { ListType } from './merge-type.ts';
import { keyElement, type PathElement, valueElement } from './path-element.ts';

/** The path element of an item of a set or a list with keys. Throws, in upstream's words, for an item that has none. */
export function elementOfItem(list: ListType, item: any): PathElement {
  if (list.keys.length > 0) return elementByKeys(list, item);
  if (Array.isArray(item)) throw new Error('not supported: associative list with lists as elements');
  if (item === null || item === undefined) {
    throw new Error("associative list without keys has an element that's an explicit null");
  }
  if (typeof item === 'object') throw new Error("associative list without keys has an element that's a map type");
  return valueElement(item);
}

function elementByKeys({ keys, keyDefaults }: ListType, item: any): PathElement {
  if (item === null || item === undefined) {
    throw new Error('associative list with keys may not have a null element');
  }
  if (typeof item !== 'object' || Array.isArray(item)) {
    throw new Error('associative list with keys may not have non-map elements');
  }
  // The one string key that most lists have, without quotes that need escaping.
  const only = keys.length === 1 ? item[keys[0]!] : undefined;
  if (typeof only === 'string' && isPlain.test(only)) return `k:{"${keys[0]}":"${only}"}`;
  const fields: [string, unknown][] = [];
  for (const key of keys) {
    // A key that is null is given: the item is another one than that which leaves it out.
    const value = item[key] === undefined ? keyDefaults[key] : item[key];
    if (value !== undefined) fields.push([key, value]);
  }
  if (fields.length === 0) {
    const names = keys.map((key) => JSON.stringify(key)).join(' ');
    throw new Error(
      `associative list with keys has an element that omits all key fields [${names}] (and doesn't have default values for any key fields)`,
    );
  }
  return keyElement(fields);
}

/** So many are worked on between two looks at the clock. */
export const itemsAtOnce = 256;

const isPlain = /^[\w .:/@-]*$/;

/** Items by element, in order; several of one element are kept together. */
export function* groupItems(list: ListType, items: any[] | undefined): Steps<Map<PathElement, any[]>> {
  const groups = new Map<PathElement, any[]>();
  let count = 0;
  for (const item of items ?? []) {
    if (++count % itemsAtOnce === 0) yield;
    const element = elementOfItem(list, item);
    const group = groups.get(element);
    if (group === undefined) groups.set(element, [item]);
    else group.push(item);
  }
  return groups;
}

export const equalItems = (a: any[], b: any[]) =>
  a.length === b.length && a.every((item, index) => deepEqual(item, b[index]));
