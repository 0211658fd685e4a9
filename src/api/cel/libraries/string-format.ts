import { resultTypeName } from '../types.ts';
import {
  CelList,
  CelMap,
  Duration,
  EvaluationFailure,
  Timestamp,
  TypeValue,
  textOfTime,
  typeNameOf,
  Uint,
} from '../values.ts';
import { doubleText } from './conversions.ts';

const failure = (message: string) => new EvaluationFailure(message);

/** `'%s is %d'.format([...])`. Source: cel-go's ext/formatting.go. */
export function formatText(format: string, values: CelList): string {
  let out = '';
  let next = 0;
  for (let at = 0; at < format.length; at++) {
    const character = format[at]!;
    if (character !== '%') {
      out += character;
      continue;
    }
    if (at + 1 >= format.length) throw failure('unexpected end of string');
    if (format[at + 1] === '%') {
      out += '%';
      at++;
      continue;
    }
    if (next >= values.size) throw failure(`index ${next} out of range`);
    const clause = /^(?:\.(\d*))?(.)/u.exec(format.slice(at + 1));
    if (clause === null)
      throw failure('error while parsing formatting clause: could not find end of precision specifier');
    const precision = clause[1] === undefined ? undefined : Number(clause[1] || '0');
    if (precision !== undefined && precision > 1000) {
      throw failure('error while parsing formatting clause: precision is too large');
    }
    out += formatOne(clause[2]!, values.at(next++), precision);
    at += clause[0].length;
  }
  return out;
}

function formatOne(verb: string, value: unknown, precision: number | undefined): string {
  const wrong = (name: string, allowed: string) =>
    failure(`error during formatting: ${name} clause can only be used on ${allowed}, was given ${typeNameOf(value)}`);
  switch (verb) {
    case 's':
      return plain(value);
    case 'd':
      if (typeof value !== 'bigint' && !(value instanceof Uint)) throw wrong('decimal', 'integers');
      return whole(value);
    case 'f':
      return floating(value, 'fixed-point', (number) => number.toFixed(precision ?? 6));
    case 'e':
      return floating(value, 'scientific', (number) =>
        number.toExponential(precision ?? 6).replace(/e([+-])(\d)$/, 'e$10$2'),
      );
    case 'b':
      if (typeof value === 'boolean') return value ? '1' : '0';
      if (typeof value !== 'bigint' && !(value instanceof Uint)) throw wrong('binary', 'integers and bools');
      return whole(value, 2);
    case 'o':
      if (typeof value !== 'bigint' && !(value instanceof Uint)) throw wrong('octal', 'integers');
      return whole(value, 8);
    case 'x':
    case 'X': {
      const text =
        typeof value === 'string'
          ? Buffer.from(value).toString('hex')
          : value instanceof Uint8Array
            ? Buffer.from(value).toString('hex')
            : typeof value === 'bigint' || value instanceof Uint
              ? whole(value, 16)
              : undefined;
      if (text === undefined) throw wrong('hex', 'integers, byte buffers, and strings');
      return verb === 'X' ? text.toUpperCase() : text;
    }
    default:
      throw failure(`error while parsing formatting clause: unrecognized formatting clause "${verb}"`);
  }
}

const whole = (value: bigint | Uint, base = 10) => (value instanceof Uint ? value.value : value).toString(base);

function floating(value: unknown, name: string, format: (value: number) => string): string {
  const words: Record<string, number> = { NaN: Number.NaN, Infinity, '-Infinity': -Infinity };
  const number = typeof value === 'number' ? value : typeof value === 'string' ? words[value] : undefined;
  if (number === undefined) {
    throw failure(
      `error during formatting: ${name} clause can only be used on doubles, was given ${typeNameOf(value)}`,
    );
  }
  if (Number.isNaN(number)) return 'NaN';
  return Number.isFinite(number) ? format(number) : number > 0 ? '∞' : '-∞';
}

/** `%s` */
function plain(value: unknown): string {
  switch (typeof value) {
    case 'string':
      return value;
    case 'bigint':
    case 'boolean':
      return String(value);
    case 'number':
      return doubleText(value);
  }
  if (value === null) return 'null';
  if (value instanceof Uint) return String(value.value);
  if (value instanceof Uint8Array) return Buffer.from(value).toString();
  if (value instanceof Timestamp || value instanceof Duration) return textOfTime(value)!;
  if (value instanceof TypeValue) return resultTypeName(value.type);
  if (value instanceof CelList || value instanceof CelMap) return literal(value);
  throw failure(
    `error during formatting: string clause can only be used on strings, bools, bytes, ints, doubles, maps, lists, types, durations, and timestamps, was given ${typeNameOf(value)}`,
  );
}

/** As in lists and maps: a literal of the language. */
function literal(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value);
  if (typeof value === 'number') {
    return Number.isFinite(value) ? value.toFixed(6) : JSON.stringify(doubleText(value));
  }
  if (value instanceof Uint8Array) return `b${JSON.stringify(Buffer.from(value).toString())}`;
  if (value instanceof Timestamp) return `timestamp(${JSON.stringify(textOfTime(value))})`;
  if (value instanceof Duration) return `duration(${JSON.stringify(textOfTime(value))})`;
  if (value instanceof CelList) return `[${value.toArray().map(literal).join(', ')}]`;
  if (value instanceof CelMap) {
    const pairs = [...value.keys()].map((key) => [literal(key), literal(value.get(key))] as const);
    pairs.sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
    return `{${pairs.map((pair) => pair.join(':')).join(', ')}}`;
  }
  return plain(value);
}
