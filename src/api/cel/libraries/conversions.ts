import type { Functions } from '../declarations.ts';
import { durationOf, nanosOf, offsetOf } from '../times.ts';
import {
  boolType,
  type CelType,
  doubleType,
  durationType,
  intType,
  resultTypeName,
  timestampType,
  uintType,
} from '../types.ts';
import {
  CelList,
  CelMap,
  type Duration,
  EvaluationFailure,
  isOpaque,
  noSuchOverload,
  sizeOf,
  type Timestamp,
  TypeValue,
  textOfTime,
  typeOfValue,
  Uint,
} from '../values.ts';
import { duration, int, timestamp, uint } from './arithmetic.ts';

const same = (value: unknown) => value;

function conversionFailure(value: unknown, wanted: CelType): EvaluationFailure {
  const from = resultTypeName(typeOfValue(value));
  return new EvaluationFailure(`type conversion error from '${from}' to '${resultTypeName(wanted)}'`);
}

/** As Go prints the shortest form of a float: with an exponent from a million on. */
export function doubleText(value: number): string {
  if (Number.isNaN(value)) return 'NaN';
  if (!Number.isFinite(value)) return value > 0 ? '+Inf' : '-Inf';
  if (Object.is(value, -0)) return '-0';
  if (value === 0) return '0';
  const [digits = '', exponent] = value.toExponential().split('e');
  const size = Number(exponent);
  if (size >= -4 && size < 6) return value.toString();
  const sign = size < 0 ? '-' : '+';
  return `${digits}e${sign}${String(Math.abs(size)).padStart(2, '0')}`;
}

function doubleOf(text: string): number {
  const word = /^([+-]?)(inf|infinity)$/i.exec(text);
  if (word !== null) return word[1] === '-' ? -Infinity : Infinity;
  if (/^nan$/i.test(text)) return Number.NaN;
  if (!/^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$/.test(text)) throw conversionFailure(text, doubleType);
  const value = Number(text);
  if (!Number.isFinite(value)) throw conversionFailure(text, doubleType);
  return value;
}

function wholeOf(value: number): bigint {
  if (!Number.isFinite(value) || Math.abs(value) >= 2 ** 64) throw new EvaluationFailure('integer overflow');
  return BigInt(Math.trunc(value));
}

const truths = new Set(['1', 't', 'T', 'true', 'TRUE', 'True']);
const falsehoods = new Set(['0', 'f', 'F', 'false', 'FALSE', 'False']);

/** Source: cel-go's common/stdlib and common/types. */
export function addConversions(functions: Functions): void {
  for (const [type, word] of [
    ['bytes', 'bytes'],
    ['list(A)', 'list'],
    ['map(A, B)', 'map'],
    ['string', 'string'],
  ] as const) {
    functions.add('size', `size_${word}`, `(${type}) int`);
    functions.member('size', `${word}_size`, `(${type}) int`);
  }
  functions.implement('size', (value: unknown) => {
    const hasSize =
      typeof value === 'string' ||
      value instanceof CelList ||
      value instanceof CelMap ||
      value instanceof Uint8Array ||
      (isOpaque(value) && value.size !== undefined);
    if (!hasSize) throw noSuchOverload('size');
    return BigInt(sizeOf(value));
  });
  functions.add('type', 'type', '(A) type(A)').implement('type', (value) => new TypeValue(typeOfValue(value)));
  functions.add('dyn', 'to_dyn', '(A) dyn').implement('dyn', same);
  functions
    .add('bool', 'bool_to_bool', '(bool) bool', same)
    .add('bool', 'string_to_bool', '(string) bool', (text: string) => {
      if (truths.has(text)) return true;
      if (falsehoods.has(text)) return false;
      throw conversionFailure(text, boolType);
    });
  functions
    .add('bytes', 'bytes_to_bytes', '(bytes) bytes', same)
    .add('bytes', 'string_to_bytes', '(string) bytes', (text: string) => new Uint8Array(Buffer.from(text)));
  functions
    .add('double', 'double_to_double', '(double) double', same)
    .add('double', 'int64_to_double', '(int) double', Number)
    .add('double', 'string_to_double', '(string) double', doubleOf)
    .add('double', 'uint64_to_double', '(uint) double', ({ value }: Uint) => Number(value));
  functions
    .add('duration', 'duration_to_duration', '(duration) duration', same)
    .add('duration', 'int64_to_duration', '(int) duration', duration)
    .add('duration', 'string_to_duration', '(string) duration', (text: string) => {
      const nanos = durationOf(text);
      if (nanos === undefined) throw conversionFailure(text, durationType);
      return duration(nanos);
    });
  functions
    .add('int', 'int64_to_int64', '(int) int', same)
    .add('int', 'double_to_int64', '(double) int', (value: number) => int(wholeOf(value)))
    .add('int', 'duration_to_int64', '(duration) int', ({ nanos }: Duration) => nanos)
    .add('int', 'string_to_int64', '(string) int', (text: string) => {
      if (!/^[+-]?\d+$/.test(text)) throw conversionFailure(text, intType);
      const value = BigInt(text.replace('+', ''));
      if (BigInt.asIntN(64, value) !== value) throw conversionFailure(text, intType);
      return value;
    })
    .add('int', 'timestamp_to_int64', '(timestamp) int', ({ nanos }: Timestamp) =>
      BigInt(Math.floor(Number(nanos / 1_000_000n) / 1000)),
    )
    .add('int', 'uint64_to_int64', '(uint) int', ({ value }: Uint) => int(value));
  functions
    .add('uint', 'uint64_to_uint64', '(uint) uint', same)
    .add('uint', 'double_to_uint64', '(double) uint', (value: number) => uint(wholeOf(value)))
    .add('uint', 'int64_to_uint64', '(int) uint', uint)
    .add('uint', 'string_to_uint64', '(string) uint', (text: string) => {
      if (!/^\d+$/.test(text) || BigInt(text) >= 2n ** 64n) throw conversionFailure(text, uintType);
      return new Uint(BigInt(text));
    });
  functions
    .add('string', 'string_to_string', '(string) string', same)
    .add('string', 'bool_to_string', '(bool) string', String)
    .add('string', 'bytes_to_string', '(bytes) string', (bytes: Uint8Array) => {
      try {
        return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
      } catch {
        throw new EvaluationFailure('invalid UTF-8 in bytes, cannot convert to string');
      }
    })
    .add('string', 'double_to_string', '(double) string', doubleText)
    .add('string', 'duration_to_string', '(duration) string', textOfTime)
    .add('string', 'int64_to_string', '(int) string', String)
    .add('string', 'timestamp_to_string', '(timestamp) string', textOfTime)
    .add('string', 'uint64_to_string', '(uint) string', ({ value }: Uint) => String(value));
  functions
    .add('timestamp', 'timestamp_to_timestamp', '(timestamp) timestamp', same)
    .add('timestamp', 'int64_to_timestamp', '(int) timestamp', (seconds: bigint) => timestamp(seconds * 1_000_000_000n))
    .add('timestamp', 'string_to_timestamp', '(string) timestamp', (text: string) => {
      const nanos = nanosOf(text);
      if (nanos === undefined) throw conversionFailure(text, timestampType);
      return timestamp(nanos, offsetOf(text));
    });
}
