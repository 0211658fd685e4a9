import { runAtOnce, type Steps } from '../../base/steps.ts';
import { resolveObject } from '../generated-schema.ts';
import { cloneSteps, isContainer } from '../json/json.ts';
import type { FieldSchema, TypeSchema, ValueSchema } from '../schema.ts';
import { mergeOrder } from './element-order.ts';
import { badPatch, patchDoesNotApply } from './errors.ts';

const DIRECTIVE = '$patch';
const RETAIN_KEYS = '$retainKeys';
const DELETE_FROM_PRIMITIVE_LIST = '$deleteFromPrimitiveList';
const SET_ELEMENT_ORDER = '$setElementOrder';

/**
 * Strategic merge patch: lists merge by the keys of the schema, with the directives $patch (replace, delete, merge),
 * $retainKeys, $deleteFromPrimitiveList/ and $setElementOrder/. Changes neither argument.
 * Source: apimachinery's pkg/util/strategicpatch.
 */
export function* strategicMergePatchSteps<T = any>(
  schema: TypeSchema,
  document: T,
  patch: unknown,
  isLarge = true,
): Steps<T> {
  if (!isMap(patch)) {
    const kind = Array.isArray(patch) ? 'array' : typeof patch === 'boolean' ? 'bool' : typeof patch;
    throw badPatch(`json: cannot unmarshal ${kind} into Go value of type map[string]interface {}`);
  }
  return (yield* mergeMap((yield* cloneSteps(document, isLarge)) as any, yield* cloneSteps(patch, isLarge), {
    object: schema,
  })) as T;
}

export const applyStrategicMergePatch = <T = any>(schema: TypeSchema, document: T, patch: unknown): T =>
  runAtOnce(strategicMergePatchSteps(schema, document, patch));

/** So many members or elements are looked at between two steps. */
const atOnce = 128;

/** What the schema says of the place being merged: a struct, a free map's values, or nothing (any JSON). */
interface Place {
  object?: TypeSchema;
  values?: ValueSchema;
}

const nothing: Place = {};

function fieldAt(place: Place, key: string): FieldSchema | undefined {
  if (place.values !== undefined) return { type: place.values, number: 0, required: false, optional: true };
  if (place.object === undefined) return undefined;
  const field = place.object.fields[key];
  if (field === undefined || !Object.hasOwn(place.object.fields, key)) {
    const struct = place.object.name.split('.').slice(-2).join('.');
    throw badPatch(
      `unable to find api field in struct ${struct.split('.')[1]} for the json field ${JSON.stringify(key)}`,
    );
  }
  return field;
}

function placeOf(type: ValueSchema | undefined): Place {
  if (type?.kind === 'object') return { object: resolveObject(type) };
  if (type?.kind === 'map') return { values: type.values };
  return nothing;
}

/** The strategy besides retainKeys, which is a matter of the patch's own directive. */
const strategyOf = (field: FieldSchema | undefined): string | undefined =>
  field?.patchStrategy?.find((strategy) => strategy !== 'retainKeys');

function* mergeMap(original: any, patch: any, place: Place): Steps<any> {
  if (Object.hasOwn(patch, DIRECTIVE)) {
    const directive = patch[DIRECTIVE];
    if (directive === 'replace') {
      delete patch[DIRECTIVE];
      return patch;
    }
    if (directive === 'delete') return {};
    throw badPatch(`unknown patch type: ${directive} in map: ${goMap(patch)}`);
  }
  applyRetainKeys(original, patch);
  yield* applyElementOrders(original, patch, place);
  let count = 0;
  for (const patchKey of Object.keys(patch)) {
    if (++count % atOnce === 0) yield;
    const value = patch[patchKey];
    const isDeletion = patchKey.startsWith(DELETE_FROM_PRIMITIVE_LIST);
    const key = isDeletion ? keyAfter(patchKey, 'invalid patch format of primitive list') : patchKey;
    if (value === null) {
      delete original[key];
      continue;
    }
    const current = Object.hasOwn(original, key) ? original[key] : undefined;
    if (current === undefined || kindOf(current) !== kindOf(value)) {
      if (!isDeletion) yield* setWithoutDirectives(original, key, value);
      continue;
    }
    if (isMap(value)) {
      const field = fieldAt(place, key);
      original[key] = strategyOf(field) === 'replace' ? value : yield* mergeMap(current, value, placeOf(field?.type));
    } else if (Array.isArray(value)) {
      original[key] = yield* mergeListField(current, value, fieldAt(place, key), isDeletion);
    } else {
      original[key] = value;
    }
  }
  return original;
}

function* mergeListField(
  original: any[],
  patch: any[],
  field: FieldSchema | undefined,
  isDeletion: boolean,
): Steps<any[]> {
  if (strategyOf(field) !== 'merge' && !isDeletion) return patch;
  const items = field?.type.kind === 'array' ? field.type.items : undefined;
  return yield* mergeList(original, patch, field?.patchMergeKey ?? '', placeOf(items), isDeletion);
}

function* mergeList(original: any[], patch: any[], mergeKey: string, place: Place, isDeletion: boolean): Steps<any[]> {
  if (original.length === 0 && patch.length === 0) return original;
  const isListOfMaps = (yield* elementKind(original, patch)) === 'map';
  if (!isListOfMaps) {
    if (isDeletion) {
      const removed = yield* setOf(patch);
      return yield* filtered(original, (value) => !removed.has(value));
    }
    return yield* mergeOrder([...(yield* setOf(original, patch))], patch, original, mergeKey);
  }
  if (mergeKey === '') throw badPatch('cannot merge lists without merge key for struct');
  const { list, additions } = yield* applyElementDirectives(original, patch, mergeKey);
  const merged = additions === undefined ? list : yield* mergeElements(list, additions, mergeKey, place);
  return yield* mergeOrder(merged, additions ?? [], list, mergeKey);
}

/** Takes out elements marked $patch: delete; with $patch: replace what is left of the patch is the whole list. */
function* applyElementDirectives(original: any[], patch: any[], mergeKey: string) {
  const deleted = new Set<unknown>();
  let replace = false;
  const additions: any[] = [];
  let count = 0;
  for (const element of patch) {
    if (++count % atOnce === 0) yield;
    const directive = element[DIRECTIVE];
    if (directive === undefined) additions.push(element);
    else if (directive === 'delete') deleted.add(mergeKeyOf(element, mergeKey));
    else if (directive === 'replace') replace = true;
    else if (directive === 'merge') throw badPatch('merging lists cannot yet be specified in the patch');
    else throw badPatch(`unknown patch type: ${directive} in map: ${goMap(element)}`);
  }
  const list =
    deleted.size === 0 ? original : yield* filtered(original, (existing) => !deleted.has(existing[mergeKey]));
  return replace ? { list: additions, additions: undefined } : { list, additions };
}

function* mergeElements(original: any[], patch: any[], mergeKey: string, place: Place): Steps<any[]> {
  const merged = [...original];
  // Tenants write both lists: each with each would take minutes.
  const places = new Map<unknown, number>();
  const note = (element: any, at: number) => {
    if (isMap(element) && !places.has(element[mergeKey])) places.set(element[mergeKey], at);
  };
  let count = 0;
  for (const [at, element] of merged.entries()) {
    note(element, at);
    if (++count % atOnce === 0) yield;
  }
  for (const element of patch) {
    if (++count % atOnce === 0) yield;
    const at = places.get(mergeKeyOf(element, mergeKey));
    if (at !== undefined) merged[at] = yield* mergeMap(merged[at], element, place);
    else {
      // Elements the original does not have keep their nulls out, as a fresh object would.
      merged.push((yield* withoutDirectives(element)) ?? {});
      note(merged.at(-1), merged.length - 1);
    }
  }
  return merged;
}

function applyRetainKeys(original: any, patch: any): void {
  const retained = patch[RETAIN_KEYS];
  if (retained === undefined) return;
  delete patch[RETAIN_KEYS];
  if (!Array.isArray(retained)) throw badPatch('invalid patch format of retainKeys');
  const keys = new Set(retained);
  for (const key in patch) {
    const isDirective = key.startsWith(DELETE_FROM_PRIMITIVE_LIST) || key.startsWith(SET_ELEMENT_ORDER);
    if (patch[key] !== null && !isDirective && !keys.has(key)) {
      throw badPatch('invalid patch format of retainKeys');
    }
  }
  for (const key of Object.keys(original)) if (!keys.has(key)) delete original[key];
}

function* applyElementOrders(original: any, patch: any, place: Place): Steps<void> {
  for (const patchKey of Object.keys(patch)) {
    if (!patchKey.startsWith(SET_ELEMENT_ORDER)) continue;
    const order = patch[patchKey];
    delete patch[patchKey];
    const key = keyAfter(patchKey, 'invalid patch format of setElementOrder list');
    const originalList = original[key];
    const patchList = patch[key];
    for (const list of [order, ...(key in original ? [originalList] : []), ...(key in patch ? [patchList] : [])]) {
      if (!Array.isArray(list)) throw badPatch(`expected a []interface {}, but received a ${goTypeOf(list)}`);
    }
    const field = fieldAt(place, key);
    const mergeKey = field?.patchMergeKey ?? '';
    yield* checkOrder(patchList ?? [], order, mergeKey);
    let merged: any[];
    if (patchList === undefined) {
      if (originalList === undefined) continue;
      merged = originalList;
    } else if (originalList === undefined) {
      merged = yield* withoutDirectives(patchList);
    } else {
      merged = yield* mergeListField(originalList, patchList, field, false);
    }
    original[key] = yield* mergeOrder(merged, order, originalList ?? [], mergeKey);
    delete patch[key];
  }
}

/** The patch's elements must come in the order that the directive names. */
function* checkOrder(patchList: any[], order: any[], mergeKey: string): Steps<void> {
  if (patchList.length === 0 || order.length === 0) return;
  const identity = (element: any) => (mergeKey === '' ? element : mergeKeyOf(element, mergeKey));
  let at = 0;
  let count = 0;
  for (const element of patchList) {
    if (++count % atOnce === 0) yield;
    if (isMap(element) && element[DIRECTIVE] !== undefined) continue;
    const wanted = identity(element);
    while (at < order.length && identity(order[at]) !== wanted) at++;
    if (at === order.length) {
      throw badPatch(
        `The order in patch list:\n${JSON.stringify(patchList)}\n doesn't match ${SET_ELEMENT_ORDER} list:\n${JSON.stringify(order)}\n`,
      );
    }
    at++;
  }
}

function mergeKeyOf(element: any, mergeKey: string): unknown {
  if (!isMap(element)) throw badPatch(`expected a map[string]interface {}, but received a ${goTypeOf(element)}`);
  if (element[mergeKey] === undefined) {
    throw badPatch(`map: ${goMap(element)} does not contain declared merge key: ${mergeKey}`);
  }
  return element[mergeKey];
}

function* setWithoutDirectives(original: any, key: string, value: unknown): Steps<void> {
  const clean = isContainer(value) ? yield* withoutDirectives(value) : value;
  if (clean === undefined) delete original[key];
  else if (key !== '__proto__') original[key] = clean;
}

/** What a patch adds where nothing was: nulls and directives go; undefined when the whole value is a directive. */
function* withoutDirectives(value: any): Steps<any> {
  let count = 0;
  if (Array.isArray(value)) {
    const list: any[] = [];
    for (const element of value) {
      const clean = isContainer(element) ? yield* withoutDirectives(element) : element;
      if (clean !== undefined) list.push(clean);
      if (++count % atOnce === 0) yield;
    }
    return list;
  }
  if (!isMap(value)) return value;
  if (Object.hasOwn(value, DIRECTIVE)) return undefined;
  const result: any = {};
  for (const key in value) {
    const member = value[key];
    if (++count % atOnce === 0) yield;
    if (member === null) continue;
    const clean = isContainer(member) ? yield* withoutDirectives(member) : member;
    if (clean !== undefined && key !== '__proto__') result[key] = clean;
  }
  return result;
}

function* setOf(...lists: any[][]): Steps<Set<unknown>> {
  const set = new Set<unknown>();
  let count = 0;
  for (const list of lists) {
    for (const element of list) {
      set.add(element);
      if (++count % atOnce === 0) yield;
    }
  }
  return set;
}

function* filtered(list: any[], keeps: (element: any) => boolean): Steps<any[]> {
  const kept: any[] = [];
  let count = 0;
  for (const element of list) {
    if (keeps(element)) kept.push(element);
    if (++count % atOnce === 0) yield;
  }
  return kept;
}

function keyAfter(directive: string, otherwise: string): string {
  const slash = directive.indexOf('/');
  if (slash < 0) throw badPatch(otherwise);
  return directive.slice(slash + 1);
}

const kindOf = (value: unknown): string => (Array.isArray(value) ? 'list' : isMap(value) ? 'map' : typeof value);

function* elementKind(...lists: any[][]): Steps<string> {
  let kind: string | undefined;
  let count = 0;
  for (const list of lists) {
    for (const element of list) {
      if (++count % atOnce === 0) yield;
      const found = kindOf(element);
      if (found === 'list') throw patchDoesNotApply('lists of lists are not supported');
      if (kind !== undefined && kind !== found) {
        throw badPatch(`list element types are not identical: ${JSON.stringify(lists)}`);
      }
      kind = found;
    }
  }
  return kind ?? 'map';
}

const goTypeOf = (value: unknown): string => {
  if (Array.isArray(value)) return '[]interface {}';
  if (isMap(value)) return 'map[string]interface {}';
  return typeof value === 'number' ? 'float64' : typeof value === 'boolean' ? 'bool' : 'string';
};

const goMap = (map: Record<string, unknown>): string =>
  `map[${Object.keys(map)
    .sort()
    .map((key) => `${key}:${typeof map[key] === 'object' ? JSON.stringify(map[key]) : map[key]}`)
    .join(' ')}]`;

const isMap = (value: unknown): value is Record<string, any> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
