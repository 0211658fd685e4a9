import type { Functions } from '../declarations.ts';
import {
  CelList,
  CelMap,
  compare,
  Duration,
  EntryMap,
  EvaluationFailure,
  equal,
  keyText,
  noSuchOverload,
  Optional,
  Timestamp,
  typeNameOf,
  Uint,
} from '../values.ts';

const smallestInt = -(2n ** 63n);
const largestInt = 2n ** 63n - 1n;
const largestUint = 2n ** 64n - 1n;
/** Of years 1 and 9999. */
const smallestTime = -62_135_596_800n * 1_000_000_000n;
const largestTime = 253_402_300_800n * 1_000_000_000n - 1n;

const failure = (message: string) => new EvaluationFailure(message);

export function int(value: bigint): bigint {
  if (value < smallestInt || value > largestInt) throw failure('integer overflow');
  return value;
}
export function uint(value: bigint): Uint {
  if (value < 0n || value > largestUint) throw failure('unsigned integer overflow');
  return new Uint(value);
}
export function duration(nanos: bigint): Duration {
  if (nanos < smallestInt || nanos > largestInt) throw failure('duration overflow');
  return new Duration(nanos);
}
export function timestamp(nanos: bigint, offsetMinutes = 0): Timestamp {
  if (nanos < smallestTime || nanos > largestTime) throw failure('timestamp overflow');
  return new Timestamp(nanos, offsetMinutes);
}

export function add(a: unknown, b: unknown): unknown {
  if (typeof a === 'bigint' && typeof b === 'bigint') return int(a + b);
  if (typeof a === 'number' && typeof b === 'number') return a + b;
  if (typeof a === 'string' && typeof b === 'string') return a + b;
  if (a instanceof CelList && b instanceof CelList) return a.plus(b);
  if (a instanceof Uint && b instanceof Uint) return uint(a.value + b.value);
  if (a instanceof Uint8Array && b instanceof Uint8Array) return new Uint8Array(Buffer.concat([a, b]));
  if (a instanceof Duration && b instanceof Duration) return duration(a.nanos + b.nanos);
  if (a instanceof Timestamp && b instanceof Duration) return timestamp(a.nanos + b.nanos, a.offsetMinutes);
  if (a instanceof Duration && b instanceof Timestamp) return timestamp(a.nanos + b.nanos, b.offsetMinutes);
  throw noSuchOverload(a === null ? '_+_' : '');
}

function subtract(a: unknown, b: unknown): unknown {
  if (typeof a === 'bigint' && typeof b === 'bigint') return int(a - b);
  if (typeof a === 'number' && typeof b === 'number') return a - b;
  if (a instanceof Uint && b instanceof Uint) return uint(a.value - b.value);
  if (a instanceof Duration && b instanceof Duration) return duration(a.nanos - b.nanos);
  if (a instanceof Timestamp && b instanceof Duration) return timestamp(a.nanos - b.nanos, a.offsetMinutes);
  if (a instanceof Timestamp && b instanceof Timestamp) return duration(a.nanos - b.nanos);
  throw noSuchOverload();
}

function multiply(a: unknown, b: unknown): unknown {
  if (typeof a === 'bigint' && typeof b === 'bigint') return int(a * b);
  if (typeof a === 'number' && typeof b === 'number') return a * b;
  if (a instanceof Uint && b instanceof Uint) return uint(a.value * b.value);
  throw noSuchOverload();
}

function divide(a: unknown, b: unknown): unknown {
  if (typeof a === 'number' && typeof b === 'number') return a / b;
  return wholeDivision(a, b, 'division by zero', (x, y) => x / y);
}

const modulo = (a: unknown, b: unknown) => wholeDivision(a, b, 'modulus by zero', (x, y) => x % y);

function wholeDivision(a: unknown, b: unknown, byZero: string, run: (x: bigint, y: bigint) => bigint): unknown {
  if (typeof a === 'bigint' && typeof b === 'bigint') {
    if (b === 0n) throw failure(byZero);
    return int(run(a, b));
  }
  if (a instanceof Uint && b instanceof Uint) {
    if (b.value === 0n) throw failure(byZero);
    return uint(run(a.value, b.value));
  }
  throw noSuchOverload();
}

function negate(value: unknown): unknown {
  if (typeof value === 'bigint') return int(-value);
  if (typeof value === 'number') return -value;
  throw noSuchOverload();
}

/** An index or a key; undefined where there is nothing. Throws for what can be no index. */
export function find(container: unknown, key: unknown): unknown {
  if (container instanceof CelMap) return container.get(key);
  if (!(container instanceof CelList)) throw failure(`no such key: ${key instanceof Uint ? key.value : key}`);
  const index = typeof key === 'bigint' ? Number(key) : key instanceof Uint ? Number(key.value) : key;
  if (typeof index !== 'number' || !Number.isInteger(index)) {
    throw failure(`unsupported index type '${typeNameOf(key)}' in list`);
  }
  return index < 0 || index >= container.size ? undefined : container.at(index);
}

export function index(container: unknown, key: unknown): unknown {
  if (container instanceof Optional) {
    if (!container.hasValue) return container;
    const value = find(container.value, key);
    return value === undefined ? Optional.none : Optional.of(value);
  }
  const value = find(container, key);
  if (value !== undefined) return value;
  if (container instanceof CelList) throw failure(`index out of bounds: ${key instanceof Uint ? key.value : key}`);
  throw failure(`no such key: ${key instanceof Uint ? key.value : key}`);
}

function contains(value: unknown, container: unknown): boolean {
  if (container instanceof CelMap) return container.get(value) !== undefined;
  if (!(container instanceof CelList)) throw noSuchOverload();
  for (const item of container) if (equal(item, value)) return true;
  return false;
}

export function insert(map: CelMap, ...added: unknown[]): CelMap {
  const entries = new Map<string, [unknown, unknown]>(map instanceof EntryMap ? map.entries : []);
  const put = (key: unknown, value: unknown) => {
    const text = keyText(key);
    if (text === undefined) throw failure('unsupported key type');
    if (entries.has(text)) throw failure(`insert failed: key ${key instanceof Uint ? key.value : key} already exists`);
    entries.set(text, [key, value]);
  };
  if (added.length === 2) put(added[0], added[1]);
  else for (const key of (added[0] as CelMap).keys()) put(key, (added[0] as CelMap).get(key));
  return new EntryMap(entries);
}

const numbers = ['int', 'uint', 'double'];
const goNames: Record<string, string> = { int: 'int64', uint: 'uint64' };
const goName = (type: string) => goNames[type] ?? type;

/** The operators. Source: cel-go's common/stdlib. */
export function addOperators(functions: Functions): void {
  functions.add('_?_:_', 'conditional', '(bool, A, A) A');
  functions.add('_&&_', 'logical_and', '(bool, bool) bool').add('_||_', 'logical_or', '(bool, bool) bool');
  functions.add('!_', 'logical_not', '(bool) bool').implement('!_', (value: unknown) => {
    if (typeof value !== 'boolean') throw noSuchOverload();
    return !value;
  });
  functions.add('@not_strictly_false', 'not_strictly_false', '(bool) bool');
  functions.add('_==_', 'equals', '(A, A) bool').implement('_==_', equal);
  functions.add('_!=_', 'not_equals', '(A, A) bool').implement('_!=_', (a, b) => !equal(a, b));
  functions
    .add('_+_', 'add_bytes', '(bytes, bytes) bytes')
    .add('_+_', 'add_double', '(double, double) double')
    .add('_+_', 'add_duration_duration', '(duration, duration) duration')
    .add('_+_', 'add_duration_timestamp', '(duration, timestamp) timestamp')
    .add('_+_', 'add_timestamp_duration', '(timestamp, duration) timestamp')
    .add('_+_', 'add_int64', '(int, int) int')
    .add('_+_', 'add_list', '(list(A), list(A)) list(A)')
    .add('_+_', 'add_string', '(string, string) string')
    .add('_+_', 'add_uint64', '(uint, uint) uint')
    .implement('_+_', add);
  functions
    .add('_-_', 'subtract_double', '(double, double) double')
    .add('_-_', 'subtract_duration_duration', '(duration, duration) duration')
    .add('_-_', 'subtract_int64', '(int, int) int')
    .add('_-_', 'subtract_timestamp_duration', '(timestamp, duration) timestamp')
    .add('_-_', 'subtract_timestamp_timestamp', '(timestamp, timestamp) duration')
    .add('_-_', 'subtract_uint64', '(uint, uint) uint')
    .implement('_-_', subtract);
  for (const [name, word, run] of [
    ['_*_', 'multiply', multiply],
    ['_/_', 'divide', divide],
  ] as const) {
    for (const type of ['double', 'int', 'uint']) {
      functions.add(name, `${word}_${goName(type)}`, `(${type}, ${type}) ${type}`);
    }
    functions.implement(name, run);
  }
  functions.add('_%_', 'modulo_int64', '(int, int) int').add('_%_', 'modulo_uint64', '(uint, uint) uint');
  functions.implement('_%_', modulo);
  functions.add('-_', 'negate_double', '(double) double').add('-_', 'negate_int64', '(int) int');
  functions.implement('-_', negate);
  for (const [name, word, holds] of [
    ['_<_', 'less', (order: number) => order < 0],
    ['_<=_', 'less_equals', (order: number) => order <= 0],
    ['_>_', 'greater', (order: number) => order > 0],
    ['_>=_', 'greater_equals', (order: number) => order >= 0],
  ] as const) {
    for (const type of ['bool', ...numbers, 'string', 'bytes', 'timestamp', 'duration']) {
      functions.add(name, `${word}_${goName(type)}`, `(${type}, ${type}) bool`);
      if (!numbers.includes(type)) continue;
      for (const other of numbers) {
        if (other !== type) functions.add(name, `${word}_${goName(type)}_${goName(other)}`, `(${type}, ${other}) bool`);
      }
    }
    functions.implement(name, (a, b) => {
      if (a === null) throw noSuchOverload(name);
      return holds(compare(a, b));
    });
  }
  functions
    .add('_[_]', 'index_list', '(list(A), int) A')
    .add('_[_]', 'index_map', '(map(A, B), A) B')
    .add('_[_]', 'optional_list_index_int', '(optional(list(V)), int) optional(V)')
    .add('_[_]', 'optional_map_index_value', '(optional(map(K, V)), K) optional(V)')
    .implement('_[_]', index);
  functions
    .add('_[?_]', 'list_optindex_optional_int', '(list(V), int) optional(V)')
    .add('_[?_]', 'optional_list_optindex_optional_int', '(optional(list(V)), int) optional(V)')
    .add('_[?_]', 'map_optindex_optional_value', '(map(K, V), K) optional(V)')
    .add('_[?_]', 'optional_map_optindex_optional_value', '(optional(map(K, V)), K) optional(V)')
    .implement('_[?_]', (container, key) =>
      index(container instanceof Optional ? container : Optional.of(container), key),
    );
  functions.add('@in', 'in_list', '(A, list(A)) bool').add('@in', 'in_map', '(A, map(A, B)) bool');
  functions.implement('@in', contains);
  functions
    .add('cel.@mapInsert', '@mapInsert_map_key_value', '(map(K, V), K, V) map(K, V)')
    .add('cel.@mapInsert', '@mapInsert_map_map', '(map(K, V), map(K, V)) map(K, V)')
    .implement('cel.@mapInsert', insert);
}
