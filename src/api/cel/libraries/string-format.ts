import { type CelType, formatType, isDyn, resultTypeName } from '../types.ts';
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

interface Clause {
  /** '' for text, which `precision` says nothing of. */
  verb: string;
  text: string;
  precision: number | undefined;
}

/** Throws a failure for what is no format. */
function* clausesOf(format: string, countOf: number): Generator<Clause> {
  let next = 0;
  for (let at = 0; at < format.length; at++) {
    const character = format[at]!;
    if (character !== '%' || format[at + 1] === '%') {
      if (character === '%') at++;
      yield { verb: '', text: character, precision: undefined };
      continue;
    }
    if (next++ >= countOf) throw failure(`index ${next - 1} out of range`);
    if (at + 1 >= format.length) throw failure('unexpected end of string');
    const clause = /^(?:\.(\d*))?(.)/u.exec(format.slice(at + 1));
    if (clause === null) {
      throw failure(
        'could not parse formatting clause: error while parsing precision: could not find end of precision specifier',
      );
    }
    const precision = clause[1] === undefined ? undefined : Number(clause[1] || '0');
    if (precision !== undefined && precision > 1000) throw failure('precision is too large');
    const verb = clause[2]!;
    if (!'sdfebxXo'.includes(verb)) {
      throw failure(`could not parse formatting clause: unrecognized formatting clause ${JSON.stringify(verb)}`);
    }
    yield { verb, text: '', precision };
    at += clause[0].length;
  }
}

/** `'%s is %d'.format([...])`. Source: cel-go's ext/formatting.go. */
export function formatText(format: string, values: CelList): string {
  let out = '';
  let next = 0;
  for (const { verb, text, precision } of clausesOf(format, values.size)) {
    out += verb === '' ? text : formatOne(verb, values.at(next++), precision);
  }
  return out;
}

const acceptable: Record<string, { name: string; kinds: string[]; allowed: string }> = {
  s: {
    name: 'string',
    kinds: ['bool', 'bytes', 'double', 'duration', 'int', 'list', 'map', 'null', 'string', 'timestamp', 'type', 'uint'],
    allowed: 'strings, bools, bytes, ints, doubles, maps, lists, types, durations, and timestamps',
  },
  d: { name: 'decimal', kinds: ['int', 'uint'], allowed: 'integers' },
  f: { name: 'fixed-point', kinds: ['double'], allowed: 'doubles' },
  e: { name: 'scientific', kinds: ['double'], allowed: 'doubles' },
  b: { name: 'binary', kinds: ['int', 'uint', 'bool'], allowed: 'integers and bools' },
  o: { name: 'octal', kinds: ['int', 'uint'], allowed: 'integers' },
  x: { name: 'hex', kinds: ['int', 'uint', 'string', 'bytes'], allowed: 'integers, byte buffers, and strings' },
};

/** What is known to go wrong without the values; `index` of the value it is about. */
export function checkFormat(format: string, types: readonly CelType[]): { index?: number; message: string }[] {
  let next = 0;
  try {
    for (const { verb } of clausesOf(format, types.length)) {
      if (verb === '') continue;
      const type = types[next++]!;
      const { name, kinds, allowed } = acceptable[verb === 'X' ? 'x' : verb]!;
      if (isDyn(type) || type.kind === 'error' || kinds.includes(type.kind)) continue;
      const message = `error during formatting: ${name} clause can only be used on ${allowed}, was given ${formatType(type)}`;
      return [{ index: next - 1, message }];
    }
  } catch (error) {
    if (!(error instanceof EvaluationFailure)) throw error;
    return [{ message: error.message }];
  }
  if (types.length <= next) return [];
  return [{ message: `too many arguments supplied to string.format (expected ${next}, got ${types.length})` }];
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
      return floating(value, 'fixed-point', (number) => grouped(fixed(number, precision ?? 6)));
    case 'e':
      return floating(value, 'scientific', (number) => scientific(number, precision ?? 6));
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

/** Rounded half to even, as Go rounds. */
function fixed(value: number, precision: number): string {
  const digits = Math.min(precision, 100);
  const text = value.toFixed(digits);
  const exact = value.toFixed(Math.min(100, digits + 40));
  const rest = digits === 0 ? (exact.split('.')[1] ?? '') : exact.slice(exact.indexOf('.') + 1 + digits);
  if (!/^50*$/.test(rest)) return text;
  const down = digits === 0 ? exact.split('.')[0]! : exact.slice(0, exact.indexOf('.') + 1 + digits);
  return Number(down.at(-1)) % 2 === 0 ? down : text;
}

/** In the English of en_US. */
const grouped = (text: string) =>
  text.replace(/^(-?)(\d+)/, (_all, sign, digits) => sign + digits.replace(/\B(?=(\d{3})+$)/g, ','));

function scientific(value: number, precision: number): string {
  const [mantissa = '', exponent] = value.toExponential(Math.min(precision, 100)).split('e');
  const size = Number(exponent);
  const raised = String(Math.abs(size))
    .padStart(2, '0')
    .replace(/\d/g, (digit) => '⁰¹²³⁴⁵⁶⁷⁸⁹'[Number(digit)]!);
  return `${mantissa}×10${size < 0 ? '⁻' : ''}${raised}`;
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
