import { deepEqual } from '../equality.ts';
import { elementOfItem } from './list-items.ts';
import {
  alternativeOf,
  isEmptyMap,
  type ListType,
  listOf,
  type MapType,
  type MergeType,
  mapOf,
  typeOfField,
} from './merge-type.ts';
import type { PathElement } from './path-element.ts';

/** Longer texts cost more than they save. */
const signatureLimit = 8192;
/** Nor are lists of more looked through twice. */
const itemsLimit = 2048;

export interface Signature {
  text: string;
  /** An address that came or went, which the text leaves out: pods that are alike differ in theirs. */
  address: PathElement | undefined;
}

/**
 * What differs between two objects as a text: two pairs of one type with the same text differ in the same fields (but
 * for the address), so the sets that say which need to be built once. Most writes are like many others: pods of one
 * template, statuses on the same step of their life. Text is much cheaper to make than sets.
 */
export function signatureOf(type: MergeType, before: unknown, after: unknown): Signature | undefined {
  address = undefined;
  hasOthers = false;
  try {
    const text = between(type, before, after);
    return address !== undefined && hasOthers ? undefined : { text, address };
  } catch (error) {
    if (error === unusual) return undefined;
    throw error;
  }
}

/** Of the comparison that is going on. */
let address: PathElement | undefined;
/** Were there items by address that may have others beside them? */
let hasOthers: boolean;
/** Stands for it in the text, where elements of lists begin with `k:`, `v:` or `i:`. */
const addressMark = 'address';

const isByAddress = ({ keys }: ListType) => keys.length === 1 && keys[0] === 'ip';

/** Of the only item of a list, so that no other stands beside it in a set. */
function elementOfOnly(list: ListType, value: any): PathElement {
  const element = elementOfItem(list, value);
  if (!isByAddress(list)) return element;
  address ??= element;
  return element === address ? addressMark : element;
}

/** Thrown for what is rare and would make the text ambiguous: no error, and without the cost of one. */
const unusual = Symbol('unusual');

/** Separators that names of fields do not have (one that does is unusual), nor elements of lists, which are JSON. */
const field = '\u0001';
const end = '\u0002';
const separators = /[\u0001\u0002]/;

function between(type: MergeType, before: any, after: any): string {
  if (before === after) return '';
  if (before === undefined) return `+${shapeOf(type, after)}`;
  if (after === undefined) return `-${shapeOf(type, before)}`;
  const as = alternativeOf(type, after);
  if (as !== alternativeOf(type, before)) throw unusual;
  if (as === 'map') return betweenMaps(type.map!, before, after);
  if (as === 'list') return betweenLists(type.list!, before, after);
  return deepEqual(before, after) ? '' : '~';
}

function betweenMaps(type: MapType, before: any, after: any): string {
  const old = mapOf(before);
  const map = mapOf(after);
  if (type.atomic || (isEmptyMap(old) && isEmptyMap(map))) return deepEqual(before, after) ? '' : '~';
  let text = '';
  for (const name in map) {
    const value = map[name];
    const oldValue = old?.[name];
    if (value === oldValue) continue;
    const part = typeOfField(type, name);
    if (part !== undefined) text += named(type, name, between(part, oldValue, value));
    if (text.length > signatureLimit) throw unusual;
  }
  for (const name in old) {
    if (map?.[name] !== undefined || old[name] === undefined) continue;
    const part = typeOfField(type, name);
    if (part !== undefined) text += named(type, name, between(part, old[name], undefined));
    if (text.length > signatureLimit) throw unusual;
  }
  return text;
}

function named(type: MapType, name: string, text: string): string {
  if (text === '') return '';
  if (!type.fields.has(name) && separators.test(name)) throw unusual;
  return field + name + text + end;
}

function betweenLists(type: ListType, before: any, after: any): string {
  const old = listOf(before) ?? [];
  const list = listOf(after) ?? [];
  if (type.atomic || (old.length === 0 && list.length === 0)) return deepEqual(before, after) ? '' : '~';
  let text = '';
  hasOthers ||= isByAddress(type);
  if (isAligned(type, old, list)) {
    for (let index = 0; index < list.length; index++) {
      const difference = between(type.items, old[index], list[index]);
      if (difference !== '') text += item(elementOfItem(type, list[index]), difference);
    }
    return text;
  }
  if (old.length > itemsLimit || list.length > itemsLimit) throw unusual;
  const oldItems = itemsByElement(type, old);
  const items = itemsByElement(type, list);
  for (const [element, value] of items) {
    const difference = between(type.items, oldItems.get(element), value);
    if (difference !== '') text += item(element, difference);
    if (text.length > signatureLimit) throw unusual;
  }
  for (const [element, value] of oldItems) {
    if (!items.has(element)) text += item(element, between(type.items, value, undefined));
  }
  return text;
}

const item = (element: string, text: string) => `${field}${element}${text}${end}`;

/** Do both have the same items in the same places, each once? Asked only of lists by one key. */
function isAligned({ keys }: ListType, old: any[], list: any[]): boolean {
  if (keys.length !== 1 || old.length !== list.length || list.length > 16) return false;
  const key = keys[0]!;
  for (let index = 0; index < list.length; index++) {
    const value = list[index]?.[key];
    if (typeof value !== 'string' || old[index]?.[key] !== value) return false;
    for (let other = 0; other < index; other++) if (list[other][key] === value) return false;
  }
  return true;
}

function itemsByElement(type: ListType, list: any[]): Map<string, any> {
  const items = new Map<string, any>();
  for (const value of list) {
    const element = elementOfItem(type, value);
    if (items.has(element)) throw unusual;
    items.set(element, value);
  }
  return items;
}

/** A value that came or went: which fields and items it has, all the way down. */
function shapeOf(type: MergeType, value: any): string {
  const as = alternativeOf(type, value);
  if (as === 'scalar') return '';
  if (as === 'map') {
    const map = mapOf(value);
    const { map: mapType } = type;
    if (mapType!.atomic || map === undefined) return '';
    let text = '';
    for (const name in map) {
      if (map[name] === undefined) continue;
      const part = typeOfField(mapType!, name);
      if (part === undefined) continue;
      if (!mapType!.fields.has(name) && separators.test(name)) throw unusual;
      text += field + name + shapeOf(part, map[name]) + end;
      if (text.length > signatureLimit) throw unusual;
    }
    return text;
  }
  const list = listOf(value);
  const { list: listType } = type;
  if (listType!.atomic || list === undefined || list.length === 0) return '';
  if (list.length === 1) return item(elementOfOnly(listType!, list[0]), shapeOf(listType!.items, list[0]));
  if (list.length > itemsLimit) throw unusual;
  let text = '';
  hasOthers ||= isByAddress(listType!);
  for (const [element, child] of itemsByElement(listType!, list)) {
    text += field + element + shapeOf(listType!.items, child) + end;
    if (text.length > signatureLimit) throw unusual;
  }
  return text;
}
