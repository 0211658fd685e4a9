import type { Functions } from '../declarations.ts';
import {
  ArrayList,
  CelList,
  compare,
  Duration,
  EvaluationFailure,
  EvaluationStop,
  equal,
  Optional,
  typeOfValue,
  Uint,
} from '../values.ts';
import { add } from './arithmetic.ts';

const failure = (message: string) => new EvaluationFailure(message);
const comparable = ['int', 'uint', 'double', 'bool', 'duration', 'timestamp', 'string', 'bytes'];
/** As long as a list may be made out of a number: more costs more than an expression may. */
const maximalRange = 1_000_000n;

function extreme(name: string, isBetter: (order: number) => boolean) {
  return (list: CelList) => {
    if (list.size === 0) throw failure(`${name} called on empty list`);
    let best = list.at(0);
    for (const item of list) if (isBetter(compare(item, best))) best = item;
    return best;
  };
}

function isSorted(list: CelList): boolean {
  for (let index = 1; index < list.size; index++) if (compare(list.at(index - 1), list.at(index)) > 0) return false;
  return true;
}

function indexOf(list: CelList, wanted: unknown): bigint {
  for (let index = 0; index < list.size; index++) if (equal(list.at(index), wanted)) return BigInt(index);
  return -1n;
}

function lastIndexOf(list: CelList, wanted: unknown): bigint {
  for (let index = list.size - 1; index >= 0; index--) if (equal(list.at(index), wanted)) return BigInt(index);
  return -1n;
}

function slice(list: CelList, start: bigint, end: bigint): CelList {
  const place = `cannot slice(${start}, ${end})`;
  if (start < 0n || end < 0n) throw failure(`${place}, negative indexes not supported`);
  if (start > end) throw failure(`${place}, start index must be less than or equal to end index`);
  if (list.size < end) throw failure(`${place}, list is length ${list.size}`);
  return new ArrayList(list.toArray().slice(Number(start), Number(end)));
}

function flatten(list: CelList, depth = 1n): CelList {
  if (depth < 0n) throw failure('level must be non-negative');
  const items: unknown[] = [];
  const collect = (from: CelList, left: bigint) => {
    for (const item of from) {
      if (item instanceof CelList && left > 0n) collect(item, left - 1n);
      else items.push(item);
    }
  };
  collect(list, depth);
  return new ArrayList(items);
}

function sortBy(list: CelList, keys: CelList): CelList {
  if (list.size !== keys.size) {
    throw failure(
      `@sortByAssociatedKeys() expected a list of the same size as the associated keys list, but got ${list.size} and ${keys.size} elements respectively`,
    );
  }
  if (list.size === 0) return list;
  const kind = typeOfValue(keys.at(0)).kind;
  if (['list', 'map', 'null', 'struct', 'opaque', 'type'].includes(kind)) {
    throw failure('list elements must be comparable');
  }
  const pairs = list.toArray().map((item, at) => ({ item, key: keys.at(at) }));
  if (pairs.some(({ key }) => typeOfValue(key).kind !== kind)) throw failure('list elements must have the same type');
  return new ArrayList(pairs.sort((a, b) => compare(a.key, b.key)).map(({ item }) => item));
}

function distinct(list: CelList): CelList {
  const items: unknown[] = [];
  for (const item of list) if (!items.some((kept) => equal(item, kept))) items.push(item);
  return new ArrayList(items);
}

function range(size: bigint): CelList {
  if (size > maximalRange) throw new EvaluationStop('operation cancelled: actual cost limit exceeded');
  return new ArrayList(Array.from({ length: Math.max(0, Number(size)) }, (_, at) => BigInt(at)));
}

const within = (all: CelList, some: CelList) => some.toArray().every((item) => indexOf(all, item) >= 0n);

const unwrap = (list: CelList) => {
  const items: unknown[] = [];
  for (const item of list) {
    if (!(item instanceof Optional)) throw failure(`value ${String(item)} is not optional`);
    if (item.hasValue) items.push(item.value);
  }
  return new ArrayList(items);
};

const zeros: Record<string, unknown> = { int: 0n, uint: new Uint(0n), double: 0, duration: new Duration(0n) };

/** Kubernetes' lists, and cel-go's lists (version 3), sets and optional types. */
export function addLists(functions: Functions): void {
  for (const type of comparable) {
    functions.member('isSorted', `list_${type}_is_sorted_bool`, `(list(${type})) bool`, isSorted);
    functions.member(
      'max',
      `list_${type}_max_${type}`,
      `(list(${type})) ${type}`,
      extreme('max', (order) => order > 0),
    );
    functions.member(
      'min',
      `list_${type}_min_${type}`,
      `(list(${type})) ${type}`,
      extreme('min', (order) => order < 0),
    );
    functions.member('sort', `list_${type}_sort`, `(list(${type})) list(${type})`, (list: CelList) =>
      sortBy(list, list),
    );
    functions.member('@sortByAssociatedKeys', `list_${type}_sortByAssociatedKeys`, `(list(T), list(${type})) list(T)`);
    if (type in zeros) {
      functions.member('sum', `list_${type}_sum_${type}`, `(list(${type})) ${type}`, (list: CelList) => {
        let sum: unknown;
        for (const item of list) sum = sum === undefined ? item : add(sum, item);
        return sum ?? zeros[type];
      });
    }
  }
  functions.implement('@sortByAssociatedKeys', sortBy);
  functions
    .member('indexOf', 'list_a_index_of_int', '(list(A), A) int', indexOf)
    .member('lastIndexOf', 'list_a_last_index_of_int', '(list(A), A) int', lastIndexOf)
    .member('slice', 'list_slice', '(list(T), int, int) list(T)', slice)
    .member('flatten', 'list_flatten', '(list(list(T))) list(T)', flatten)
    .member('flatten', 'list_flatten_int', '(list(dyn), int) list(dyn)', flatten)
    .add('lists.range', 'lists_range', '(int) list(int)', range)
    .member('reverse', 'list_reverse', '(list(T)) list(T)', (list: CelList) => new ArrayList([...list].reverse()))
    .member('distinct', 'list_distinct', '(list(T)) list(T)', distinct);
  functions
    .add('sets.contains', 'list_sets_contains_list', '(list(T), list(T)) bool', within)
    .add(
      'sets.equivalent',
      'list_sets_equivalent_list',
      '(list(T), list(T)) bool',
      (a: CelList, b: CelList) => within(a, b) && within(b, a),
    )
    .add('sets.intersects', 'list_sets_intersects_list', '(list(T), list(T)) bool', (a: CelList, b: CelList) =>
      a.toArray().some((item) => indexOf(b, item) >= 0n),
    );
  const optional = (value: unknown) => (value === undefined ? Optional.none : Optional.of(value));
  functions
    .member('first', 'list_first', '(list(V)) optional(V)', (list: CelList) => optional(list.at(0)))
    .member('last', 'list_last', '(list(V)) optional(V)', (list: CelList) =>
      list.size === 0 ? Optional.none : Optional.of(list.at(list.size - 1)),
    )
    .add('optional.unwrap', 'optional_unwrap', '(list(optional(V))) list(V)', unwrap)
    .member('unwrapOpt', 'optional_unwrapOpt', '(list(optional(V))) list(V)', unwrap);
}
