import {
  boolType,
  bytesType,
  type CelType,
  doubleType,
  durationType,
  dynType,
  formatType,
  intType,
  listOf,
  mapOf,
  nullType,
  optionalOf,
  sameType,
  stringType,
  timestampType,
  typeType,
  uintType,
} from './types.ts';

/**
 * Values while an expression runs. null, booleans, strings, numbers (double), bigints (int) and Uint8Arrays (bytes) are
 * themselves; everything else is one of these classes.
 */

/** What goes wrong while an expression runs. Not an Error: many are made and absorbed, and none needs a stack. */
export class EvaluationFailure {
  readonly message: string;
  constructor(message: string) {
    this.message = message;
  }
}

/** Ends the whole evaluation: no operator absorbs it. */
export class EvaluationStop {
  readonly message: string;
  constructor(message: string) {
    this.message = message;
  }
}

/** `operator` where upstream names it. */
export const noSuchOverload = (operator = '') =>
  new EvaluationFailure(operator === '' ? 'no such overload' : `no such overload: ${operator}`);

export class Uint {
  readonly value: bigint;
  constructor(value: bigint) {
    this.value = value;
  }
}

export class Duration {
  readonly nanos: bigint;
  constructor(nanos: bigint) {
    this.nanos = nanos;
  }
}

export class Timestamp {
  /** Since 1970. */
  readonly nanos: bigint;
  /** Of the zone it was written in, east of UTC: it is shown there. */
  readonly offsetMinutes: number;
  constructor(nanos: bigint, offsetMinutes = 0) {
    this.nanos = nanos;
    this.offsetMinutes = offsetMinutes;
  }
}

export class TypeValue {
  readonly type: CelType;
  constructor(type: CelType) {
    this.type = type;
  }
}

export class Optional {
  static readonly none = new Optional(undefined);
  /** undefined: none. */
  readonly value: unknown;
  private constructor(value: unknown) {
    this.value = value;
  }
  static of(value: unknown): Optional {
    return new Optional(value);
  }
  get hasValue(): boolean {
    return this.value !== undefined;
  }
}

/** Kubernetes' own types: a quantity, an address, an authorizer. */
export interface Opaque {
  readonly celType: CelType;
  /** Throws an EvaluationFailure for what cannot be compared. */
  equals(other: unknown): boolean;
  /** For costs; 1 when absent. */
  readonly size?: number;
}

export abstract class CelList {
  abstract readonly size: number;
  abstract at(index: number): unknown;

  *[Symbol.iterator](): Iterator<unknown> {
    for (let index = 0; index < this.size; index++) yield this.at(index);
  }

  toArray(): unknown[] {
    return [...this];
  }

  equals(other: CelList): boolean {
    if (this.size !== other.size) return false;
    for (let index = 0; index < this.size; index++) if (!equal(this.at(index), other.at(index))) return false;
    return true;
  }

  plus(other: CelList): CelList {
    return new ArrayList([...this.toArray(), ...other.toArray()]);
  }
}

export class ArrayList extends CelList {
  readonly items: unknown[];
  constructor(items: unknown[]) {
    super();
    this.items = items;
  }
  get size(): number {
    return this.items.length;
  }
  at(index: number): unknown {
    return this.items[index];
  }
  override toArray(): unknown[] {
    return this.items;
  }
}

/** A map, or an object of named fields. */
export abstract class CelMap {
  abstract readonly size: number;
  /** undefined where there is no such key. */
  abstract get(key: unknown): unknown;
  abstract keys(): Iterable<unknown>;

  has(key: unknown): boolean {
    return this.get(key) !== undefined;
  }

  /** Of objects: their type's. */
  get typeName(): string | undefined {
    return undefined;
  }

  equals(other: CelMap): boolean {
    if (this.size !== other.size) return false;
    for (const key of this.keys()) {
      const theirs = other.get(key);
      if (theirs === undefined || !equal(this.get(key), theirs)) return false;
    }
    return true;
  }
}

/** Keys of equal numbers are equal whatever their types. */
export function keyText(key: unknown): string | undefined {
  switch (typeof key) {
    case 'string':
      return `s${key}`;
    case 'boolean':
      return `b${key}`;
    case 'bigint':
      return `n${key}`;
    case 'number':
      return Number.isInteger(key) ? `n${BigInt(key)}` : `d${key}`;
    default:
      return key instanceof Uint ? `n${key.value}` : undefined;
  }
}

export class EntryMap extends CelMap {
  readonly entries: Map<string, [key: unknown, value: unknown]>;
  constructor(entries = new Map<string, [key: unknown, value: unknown]>()) {
    super();
    this.entries = entries;
  }
  static of(entries: Iterable<[string, unknown]>): EntryMap {
    const map = new EntryMap();
    for (const [key, value] of entries) map.entries.set(`s${key}`, [key, value]);
    return map;
  }
  get size(): number {
    return this.entries.size;
  }
  get(key: unknown): unknown {
    const text = keyText(key);
    return text === undefined ? undefined : this.entries.get(text)?.[1];
  }
  *keys(): Iterable<unknown> {
    for (const [key] of this.entries.values()) yield key;
  }
}

export const isOpaque = (value: unknown): value is Opaque =>
  typeof value === 'object' && value !== null && 'celType' in value;

/** JSON as it is where no schema says more: whole numbers are ints. Nothing is copied. */
export function jsonValue(value: unknown): unknown {
  if (value === undefined || value === null) return null;
  if (typeof value === 'number') return Number.isInteger(value) ? BigInt(value) : value;
  if (typeof value !== 'object') return value;
  return Array.isArray(value) ? new JsonList(value) : new JsonMap(value as Record<string, unknown>);
}

class JsonList extends CelList {
  readonly raw: readonly unknown[];
  constructor(raw: readonly unknown[]) {
    super();
    this.raw = raw;
  }
  get size(): number {
    return this.raw.length;
  }
  at(index: number): unknown {
    return jsonValue(this.raw[index]);
  }
}

class JsonMap extends CelMap {
  readonly raw: Record<string, unknown>;
  constructor(raw: Record<string, unknown>) {
    super();
    this.raw = raw;
  }
  get size(): number {
    return Object.keys(this.raw).length;
  }
  get(key: unknown): unknown {
    if (typeof key !== 'string' || !Object.hasOwn(this.raw, key)) return undefined;
    const value = this.raw[key];
    return value === undefined ? undefined : jsonValue(value);
  }
  keys(): Iterable<unknown> {
    return Object.keys(this.raw);
  }
}

export function typeOfValue(value: unknown): CelType {
  switch (typeof value) {
    case 'boolean':
      return boolType;
    case 'string':
      return stringType;
    case 'bigint':
      return intType;
    case 'number':
      return doubleType;
  }
  if (value === null || value === undefined) return nullType;
  if (value instanceof CelList) return listOf(dynType);
  if (value instanceof CelMap) {
    const { typeName } = value;
    return typeName === undefined ? mapOf(dynType, dynType) : { kind: 'struct', name: typeName, parameters: [] };
  }
  if (value instanceof Uint) return uintType;
  if (value instanceof Uint8Array) return bytesType;
  if (value instanceof Timestamp) return timestampType;
  if (value instanceof Duration) return durationType;
  if (value instanceof TypeValue) return typeType;
  if (value instanceof Optional) return optionalOf(dynType);
  return isOpaque(value) ? value.celType : dynType;
}

/** `int`, `list`: what messages about a missing overload call a value. */
export const typeNameOf = (value: unknown): string => typeOfValue(value).name;

const numeric = (value: unknown): bigint | number | undefined =>
  typeof value === 'bigint' || typeof value === 'number' ? value : value instanceof Uint ? value.value : undefined;

/** Values of different types are different, numbers aside. */
export function equal(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  const number = numeric(a);
  if (number !== undefined) {
    const other = numeric(b);
    // biome-ignore lint/suspicious/noDoubleEquals: an int and a double of the same value are equal
    return other !== undefined && number == other;
  }
  if (typeof a !== 'object' || a === null || typeof b !== 'object' || b === null) return false;
  if (a instanceof CelList) return b instanceof CelList && a.equals(b);
  if (a instanceof CelMap) return b instanceof CelMap && a.equals(b);
  if (a instanceof Uint8Array) return b instanceof Uint8Array && Buffer.compare(a, b) === 0;
  if (a instanceof Timestamp) return b instanceof Timestamp && a.nanos === b.nanos;
  if (a instanceof Duration) return b instanceof Duration && a.nanos === b.nanos;
  if (a instanceof TypeValue) return b instanceof TypeValue && sameTypeValue(a.type, b.type);
  if (a instanceof Optional) {
    return b instanceof Optional && a.hasValue === b.hasValue && (!a.hasValue || equal(a.value, b.value));
  }
  return isOpaque(a) && a.equals(b);
}

/** list(int) is list at run time. */
const sameTypeValue = (a: CelType, b: CelType) =>
  a.kind === b.kind && (a.kind === 'struct' || a.kind === 'opaque' ? a.name === b.name : true || sameType(a, b));

/** -1, 0 or 1; throws a failure for values that have no order. */
export function compare(a: unknown, b: unknown): number {
  const number = numeric(a);
  if (number !== undefined) {
    const other = numeric(b);
    if (other === undefined) throw noSuchOverload();
    if (Number.isNaN(number) || Number.isNaN(other)) throw new EvaluationFailure('NaN values cannot be ordered');
    return number < other ? -1 : number > other ? 1 : 0;
  }
  if (typeof a === 'string' && typeof b === 'string') return compareText(a, b);
  if (typeof a === 'boolean' && typeof b === 'boolean') return Number(a) - Number(b);
  if (a instanceof Uint8Array && b instanceof Uint8Array) return Buffer.compare(a, b);
  if ((a instanceof Timestamp && b instanceof Timestamp) || (a instanceof Duration && b instanceof Duration)) {
    return a.nanos < b.nanos ? -1 : a.nanos > b.nanos ? 1 : 0;
  }
  throw noSuchOverload();
}

/** In the order of characters, which is not that of UTF-16 units. */
function compareText(a: string, b: string): number {
  if (a === b) return 0;
  const surrogate = /[\ud800-\udfff]/;
  if (!surrogate.test(a) && !surrogate.test(b)) return a < b ? -1 : 1;
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}

export function characters(text: string): number {
  if (/^[\x00-\x7f]*$/.test(text)) return text.length;
  let count = 0;
  for (const _ of text) count++;
  return count;
}

/** What `size()` counts; 1 for what has no size. */
export function sizeOf(value: unknown): number {
  if (typeof value === 'string') return characters(value);
  if (value instanceof CelList || value instanceof CelMap) return value.size;
  if (value instanceof Uint8Array) return value.length;
  if (value instanceof Optional && value.hasValue) return sizeOf(value.value);
  return isOpaque(value) ? (value.size ?? 1) : 1;
}

/** A value as JSON, for messages and for what expressions write; throws a failure for what has no such form. */
export function toJson(value: unknown): unknown {
  if (value === null || value === undefined) return null;
  if (typeof value === 'bigint') return Number(value);
  if (typeof value !== 'object') return value;
  if (value instanceof JsonList || value instanceof JsonMap) return value.raw;
  if (value instanceof Uint) return Number(value.value);
  if (value instanceof CelList) return value.toArray().map(toJson);
  if (value instanceof CelMap) {
    const object: Record<string, unknown> = {};
    for (const key of value.keys()) {
      const name = typeof key === 'string' ? key : key instanceof Uint ? String(key.value) : String(key);
      Object.defineProperty(object, name, {
        value: toJson(value.get(key)),
        enumerable: true,
        configurable: true,
        writable: true,
      });
    }
    return object;
  }
  if (value instanceof Uint8Array) return Buffer.from(value).toString('base64');
  if (value instanceof Optional) return value.hasValue ? toJson(value.value) : null;
  if (value instanceof Timestamp || value instanceof Duration || 'toString' in value) {
    const text = textOfTime(value);
    if (text !== undefined) return text;
  }
  if (isOpaque(value) && Object.hasOwn(Object.getPrototypeOf(value), 'toString')) return String(value);
  throw new EvaluationFailure(`unsupported conversion of ${formatType(typeOfValue(value))} to JSON`);
}

/** `1500ms` is 1.5s; a timestamp is RFC 3339 in UTC. */
export function textOfTime(value: unknown): string | undefined {
  if (value instanceof Duration) return durationText(value.nanos);
  return value instanceof Timestamp ? timestampText(value) : undefined;
}

function fraction(nanos: bigint): string {
  if (nanos === 0n) return '';
  return `.${nanos.toString().padStart(9, '0').replace(/0+$/, '')}`;
}

/** As CEL converts durations: seconds. */
function durationText(nanos: bigint): string {
  const size = nanos < 0n ? -nanos : nanos;
  return `${nanos < 0n ? '-' : ''}${size / 1_000_000_000n}${fraction(size % 1_000_000_000n)}s`;
}

function timestampText({ nanos, offsetMinutes }: Timestamp): string {
  const part = ((nanos % 1_000_000_000n) + 1_000_000_000n) % 1_000_000_000n;
  const seconds = (nanos - part) / 1_000_000_000n;
  const shown = new Date(Number(seconds) * 1000 + offsetMinutes * 60_000).toISOString().slice(0, 19);
  if (offsetMinutes === 0) return `${shown}${fraction(part)}Z`;
  const size = Math.abs(offsetMinutes);
  const two = (value: number) => String(value).padStart(2, '0');
  const sign = offsetMinutes < 0 ? '-' : '+';
  return `${shown}${fraction(part)}${sign}${two(Math.floor(size / 60))}:${two(size % 60)}`;
}
