import type { Functions } from '../declarations.ts';
import { ArrayList, type CelList, EvaluationFailure, noSuchOverload } from '../values.ts';
import { formatText } from './string-format.ts';

const outOfRange = (index: bigint) => new EvaluationFailure(`index out of range: ${index}`);

/** Indices are of characters; ASCII has one unit each. */
const charactersOf = (text: string): string[] => [...text];

function charAt(text: string, index: bigint): string {
  const characters = charactersOf(text);
  if (index < 0n || index > characters.length) throw outOfRange(index);
  return characters[Number(index)] ?? '';
}

function indexOf(text: string, wanted: string, offset = 0n): bigint {
  if (wanted === '') return offset;
  if (offset < 0n) throw outOfRange(offset);
  const characters = charactersOf(text);
  if (offset >= characters.length) return -1n;
  const before = characters.slice(0, Number(offset)).join('').length;
  const found = text.indexOf(wanted, before);
  return found < 0 ? -1n : BigInt(charactersOf(text.slice(0, found)).length);
}

function lastIndexOf(text: string, wanted: string, offset?: bigint): bigint {
  const characters = charactersOf(text);
  if (offset === undefined) {
    if (wanted === '') return BigInt(characters.length);
    if (text.length < wanted.length) return -1n;
  } else {
    if (wanted === '') return offset;
    if (offset < 0n) throw outOfRange(offset);
    if (offset >= characters.length) return -1n;
  }
  const from = offset === undefined ? text.length : characters.slice(0, Number(offset)).join('').length;
  const found = text.lastIndexOf(wanted, from);
  return found < 0 ? -1n : BigInt(charactersOf(text.slice(0, found)).length);
}

function replace(text: string, old: string, next: string, most = -1n): string {
  if (most === 0n || old === next) return text;
  const limit = most < 0n ? Number.POSITIVE_INFINITY : Number(most);
  if (old !== '') {
    const parts = text.split(old);
    if (parts.length - 1 <= limit) return parts.join(next);
    const kept = parts.slice(0, limit + 1);
    return [kept.join(next), ...parts.slice(limit + 1)].join(old);
  }
  // Nothing stands before each character and at the end.
  const characters = charactersOf(text);
  let out = '';
  characters.forEach((character, at) => {
    out += at < limit ? next + character : character;
  });
  return characters.length < limit ? out + next : out;
}

function split(text: string, separator: string, most = -1n): CelList {
  if (most === 0n) return new ArrayList([]);
  const parts = separator === '' ? charactersOf(text) : text.split(separator);
  const limit = Number(most);
  if (most < 0n || parts.length <= limit) return new ArrayList(parts);
  return new ArrayList([...parts.slice(0, limit - 1), parts.slice(limit - 1).join(separator)]);
}

function substring(text: string, start: bigint, end?: bigint): string {
  const characters = charactersOf(text);
  if (end !== undefined && start > end) {
    throw new EvaluationFailure(`invalid substring range. start: ${start}, end: ${end}`);
  }
  for (const bound of [start, end ?? 0n]) if (bound < 0n || bound > characters.length) throw outOfRange(bound);
  return characters.slice(Number(start), end === undefined ? undefined : Number(end)).join('');
}

/** Go's white space. */
const space = '[\\t\\n\\v\\f\\r \\u0085\\u00a0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000]+';
const leading = new RegExp(`^${space}`);
const isSpace = new RegExp(`^${space}$`);

function trim(text: string): string {
  const started = text.replace(leading, '');
  let end = started.length;
  while (end > 0 && isSpace.test(started[end - 1]!)) end--;
  return started.slice(0, end);
}

function join(list: CelList, separator = ''): string {
  const parts: string[] = [];
  for (const part of list) {
    if (typeof part !== 'string') throw new EvaluationFailure(`join: invalid input: ${String(part)}`);
    parts.push(part);
  }
  return parts.join(separator);
}

const escapes: Record<string, string> = {
  '\x07': '\\a',
  '\b': '\\b',
  '\f': '\\f',
  '\n': '\\n',
  '\r': '\\r',
  '\t': '\\t',
  '\v': '\\v',
  '\\': '\\\\',
  '"': '\\"',
};

const quote = (text: string) => `"${text.toWellFormed().replace(/[\x07-\r\\"]/g, (one) => escapes[one] ?? one)}"`;

/** Of functions that upstream gives any values. */
const plain = (run: (a: string, b: string) => boolean) => (a: unknown, b: unknown) => {
  if (typeof a !== 'string' || typeof b !== 'string') throw noSuchOverload();
  return run(a, b);
};

/** cel-go's strings extension, version 2, and the standard functions of strings. */
export function addStrings(functions: Functions): void {
  const text = (name: string, id: string, signature: string, run?: (...values: any[]) => unknown) =>
    functions.member(name, id, signature, run);
  text('contains', 'contains_string', '(string, string) bool').implement(
    'contains',
    plain((a, b) => a.includes(b)),
  );
  text('endsWith', 'ends_with_string', '(string, string) bool').implement(
    'endsWith',
    plain((a, b) => a.endsWith(b)),
  );
  text('startsWith', 'starts_with_string', '(string, string) bool').implement(
    'startsWith',
    plain((a, b) => a.startsWith(b)),
  );
  text('charAt', 'string_char_at_int', '(string, int) string', charAt);
  text('indexOf', 'string_index_of_string', '(string, string) int', indexOf);
  text('indexOf', 'string_index_of_string_int', '(string, string, int) int', indexOf);
  text('lastIndexOf', 'string_last_index_of_string', '(string, string) int', lastIndexOf);
  text('lastIndexOf', 'string_last_index_of_string_int', '(string, string, int) int', lastIndexOf);
  text('lowerAscii', 'string_lower_ascii', '(string) string', (value: string) =>
    value.replace(/[A-Z]+/g, (part) => part.toLowerCase()),
  );
  text('upperAscii', 'string_upper_ascii', '(string) string', (value: string) =>
    value.replace(/[a-z]+/g, (part) => part.toUpperCase()),
  );
  text('replace', 'string_replace_string_string', '(string, string, string) string', replace);
  text('replace', 'string_replace_string_string_int', '(string, string, string, int) string', replace);
  text('split', 'string_split_string', '(string, string) list(string)', split);
  text('split', 'string_split_string_int', '(string, string, int) list(string)', split);
  text('substring', 'string_substring_int', '(string, int) string', substring);
  text('substring', 'string_substring_int_int', '(string, int, int) string', substring);
  text('trim', 'string_trim', '(string) string', trim);
  text('format', 'string_format', '(string, list(dyn)) string', formatText);
  functions.add('strings.quote', 'strings_quote', '(string) string', quote);
  text('join', 'list_join', '(list(string)) string', join);
  text('join', 'list_join_string', '(list(string), string) string', join);
}
