import { isTakenForOther } from './yaml-words.ts';

/** Lines are broken at the first space after so many characters. */
const lineWidth = 80;

export interface ScalarPlace {
  /** Where the line is, in characters; after it where the scalar ended, 0 when it ended its line. */
  column: number;
  /** Of the lines after the first. */
  indent: number;
  /** Is on one line, however long. */
  isSimpleKey: boolean;
}

/** Neither printable nor a line feed. Characters beyond the basic plane are none to this writer. */
const special = /[\0-\x09\x0b-\x1f\x7f-\x9f\ufeff\ufffe\uffff]|[\ud800-\udbff][\udc00-\udfff]/;
const lineBreak = /[\n\u2028\u2029]/;
const spaceThenBreak = / [\n\u2028\u2029]/;
const breakThenSpace = /[\n\u2028\u2029] /;
/** What would be read as something else than a plain word. */
const indicator = /^(?:---|\.\.\.|[#,[\]{}&*!|>'"%@`]|[?:-](?: |$)| )|:(?: |$)| #| $/;
/** Most strings: letters, digits, dots and dashes that need no second look. */
const surelyPlain = /^[a-eg-mp-sw-z/_A-EG-MP-SW-Z$()][\w./$()@=+,;<>%&*-]*$/;

type Style = 'plain' | 'single' | 'double' | 'literal';

/** Strings of more are written in chunks of about so much. */
export const chunkLength = 4096;

/** A string in the style go-yaml gives it: plain where it can be, literal where it has lines, or quoted. */
export function scalarText(value: string, place: ScalarPlace): string {
  if (value.length > 3 && value.length < lineWidth && surelyPlain.test(value)) {
    place.column += value.length;
    return value;
  }
  let text = '';
  for (const part of scalarParts(value, place)) text += part;
  return text;
}

export function* scalarParts(value: string, place: ScalarPlace): Generator<string, void, void> {
  const style = styleOf(value, place.isSimpleKey);
  if (style === 'literal') return yield* literalParts(value, place);
  if (style === 'single' && lineBreak.test(value)) return yield singleQuotedLines(value, place);
  const quote = style === 'plain' ? '' : style === 'single' ? "'" : '"';
  yield quote;
  place.column += quote.length;
  // What begins with a byte order mark is escaped whole.
  const toEscape = value.startsWith('\ufeff') ? everything : escaped;
  let isFirst = true;
  for (const chunk of chunksOf(value)) {
    const text =
      style === 'plain' ? chunk : style === 'single' ? chunk.replaceAll("'", "''") : chunk.replace(toEscape, escapeOf);
    yield folded(text, place, style === 'double', isFirst ? 1 : 0);
    isFirst = false;
  }
  yield quote;
  place.column += quote.length;
}

function styleOf(value: string, isSimpleKey: boolean): Style {
  const isSpecial = special.test(value);
  if (value.includes('\n')) {
    const mayBeLiteral = !isSpecial && !value.endsWith(' ') && !spaceThenBreak.test(value);
    return mayBeLiteral && !isSimpleKey ? 'literal' : 'double';
  }
  if (isSpecial || isTakenForOther(value)) return 'double';
  if (!indicator.test(value) && !lineBreak.test(value)) return 'plain';
  return spaceThenBreak.test(value) || breakThenSpace.test(value) ? 'double' : 'single';
}

/** Cut after no space and no half character, so that each can be folded by itself. */
function* chunksOf(value: string): Generator<string, void, void> {
  let start = 0;
  for (let end = chunkLength; end < value.length; end += chunkLength) {
    while (end < value.length && (value[end - 1] === ' ' || isLowSurrogate(value, end))) end++;
    yield value.slice(start, end);
    start = end;
  }
  if (start < value.length) yield value.slice(start);
}

const isLowSurrogate = (text: string, at: number): boolean => (text.charCodeAt(at) & 0xfc00) === 0xdc00;

/** Breaks the line at single spaces from `first` on, and where it is `double` quoted also before more. */
function folded(text: string, place: ScalarPlace, isDouble: boolean, first: number): string {
  if (place.isSimpleKey || place.column + text.length <= lineWidth) {
    place.column += text.length;
    return text;
  }
  let result = '';
  let start = 0;
  let column = place.column;
  for (let at = text.indexOf(' ', first); at !== -1 && at < text.length - 1; at = text.indexOf(' ', at + 1)) {
    if (column + at - start <= lineWidth || text[at - 1] === ' ' || (!isDouble && text[at + 1] === ' ')) continue;
    // A space that begins a line would be lost.
    const kept = text[at + 1] === ' ' ? '\\' : '';
    result += `${text.slice(start, at)}\n${' '.repeat(place.indent)}${kept}`;
    start = at + 1;
    column = place.indent + kept.length;
  }
  place.column = column + text.length - start;
  return result + text.slice(start);
}

function singleQuotedLines(value: string, place: ScalarPlace): string {
  const indentation = ' '.repeat(place.indent);
  let text = "'";
  place.column++;
  for (const [index, part] of value.split(/((?:\u2028|\u2029)+)/).entries()) {
    if (index % 2 === 1) {
      text += part;
      place.column = 0;
    } else if (part !== '') {
      if (index > 0) {
        text += indentation;
        place.column = place.indent;
      }
      text += folded(part.replaceAll("'", "''"), place, false, 1);
    }
  }
  // However short the last line is, the next begins another.
  place.column = Number.MAX_SAFE_INTEGER;
  return `${text}'`;
}

function* literalParts(value: string, place: ScalarPlace): Generator<string, void, void> {
  const indentation = ' '.repeat(place.indent);
  const hint = /^[ \n\u2028\u2029]/.test(value) ? '2' : '';
  const ending = value.slice(-2);
  const isOpen = ending.length < 2 || lineBreak.test(ending[0]!);
  const end = !lineBreak.test(ending.at(-1)!) ? '-' : isOpen ? '+' : '';
  yield `|${hint}${end}\n`;
  for (let start = 0; start < value.length; ) {
    const next = value.indexOf('\n', start + chunkLength) + 1 || value.length;
    yield value.slice(start, next).replace(lineStart, `$&${indentation}`);
    start = next;
  }
  place.column = end === '-' ? 1 + place.indent : 0;
}
const lineStart = /(?:^|[\n\u2028\u2029])(?=[^\n\u2028\u2029])/g;

const escapes: Record<string, string> = {
  '\0': '0',
  '\x07': 'a',
  '\b': 'b',
  '\t': 't',
  '\n': 'n',
  '\v': 'v',
  '\f': 'f',
  '\r': 'r',
  '\x1b': 'e',
  '"': '"',
  '\\': '\\',
  '\x85': 'N',
  '\xa0': '_',
  '\u2028': 'L',
  '\u2029': 'P',
};
const escaped = /["\\\0-\x1f\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]|[\ud800-\udbff][\udc00-\udfff]/g;
const everything = /[\s\S]/gu;

function escapeOf(character: string): string {
  const short = escapes[character];
  if (short !== undefined) return `\\${short}`;
  const code = character.codePointAt(0)!;
  const digits = code.toString(16).toUpperCase();
  if (code <= 0xff) return `\\x${digits.padStart(2, '0')}`;
  return code <= 0xffff ? `\\u${digits.padStart(4, '0')}` : `\\U${digits.padStart(8, '0')}`;
}
