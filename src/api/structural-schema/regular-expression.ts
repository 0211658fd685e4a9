import type { Steps } from '../../base/steps.ts';
import { isMatchedOut, LinearMatcher, TooMuchMatching } from './linear-matcher.ts';

const compiled = new Map<string, Pattern | Error>();
/** Patterns come from tenants' schemas; the bounds keep them from filling memory. */
const patternsKept = 4096;
const sizeKept = 1_000_000;
let sizeOfCompiled = 0;

/** Go's classes in ASCII form, inside brackets. */
const posixClasses: Record<string, string> = {
  alnum: '0-9A-Za-z',
  alpha: 'A-Za-z',
  ascii: '\\x00-\\x7F',
  blank: '\\t ',
  cntrl: '\\x00-\\x1F\\x7F',
  digit: '0-9',
  graph: '!-~',
  lower: 'a-z',
  print: ' -~',
  punct: '!-\\/:-@\\[-`\\{-~',
  space: '\\t\\n\\v\\f\\r ',
  upper: 'A-Z',
  word: '0-9A-Za-z_',
  xdigit: '0-9A-Fa-f',
};

/** The engine's own matcher backtracks: it is asked only where it cannot take more steps than these. */
const mostSteps = 2_000_000;

/** A compiled pattern; matching takes time proportional to the text, however the pattern was chosen. */
export class Pattern {
  readonly #native: RegExp;
  /** How often the engine's matcher may have to choose. */
  readonly #choices: number;
  #linear: LinearMatcher | undefined;

  constructor(native: RegExp) {
    this.#native = native;
    this.#choices = choicesIn(native.source);
    // What is too large is refused when it is written, not when it is used.
    if (this.#choices > 0) this.#linear = new LinearMatcher(native.source, native.flags);
  }

  /** About what it holds in memory, in units of an instruction. */
  get size(): number {
    return this.#linear?.size ?? 0;
  }

  test(text: string): boolean {
    return this.#isCheapFor(text) ? this.#native.test(text) : this.#matcher().find(text) !== undefined;
  }

  /** The same, of a long text in steps. */
  *testSteps(text: string): Steps<boolean> {
    if (this.#isCheapFor(text)) return this.#native.test(text);
    return (yield* this.#matcher().findSteps(text)) !== undefined;
  }

  /** The leftmost match. */
  find(text: string): string | undefined {
    if (this.#isCheapFor(text)) return this.#native.exec(text)?.[0];
    const found = this.#matcher().find(text);
    return found === undefined ? undefined : text.slice(...found);
  }

  /** At most so many matches that do not overlap; negative: all. */
  findAll(text: string, most: number): string[] {
    const found: string[] = [];
    if (most === 0) return found;
    const matcher = this.#matcher();
    let endOfLast = -1;
    for (let at = 0; at <= text.length && found.length !== most; ) {
      const match = matcher.find(text, at);
      if (match === undefined) break;
      if (found.length > 100 && isMatchedOut()) throw new TooMuchMatching();
      const [start, end] = match;
      // As Go: nothing is found right behind a match.
      if (start !== end || start !== endOfLast) found.push(text.slice(start, end));
      endOfLast = end;
      at = end > at ? end : at + (text.codePointAt(at)! > 0xffff ? 2 : 1);
    }
    return found;
  }

  #isCheapFor(text: string): boolean {
    if (this.#choices === 0) return (text.length + 1) * this.#native.source.length <= mostSteps * 100;
    return (text.length + 1) ** (this.#choices + 1) <= mostSteps;
  }

  #matcher(): LinearMatcher {
    return (this.#linear ??= new LinearMatcher(this.#native.source, this.#native.flags));
  }
}

/** Quantifiers and alternatives; without end where one stands within another. */
function choicesIn(source: string): number {
  const bare = source.replace(/\\[\s\S]/g, 'x').replace(/\[[^\]]*\]/g, 'x');
  const simple = bare.replace(/\(\?(?:<\w+>|[a-z]*(?:-[a-z]+)?:)/g, '(');
  const choices = (simple.match(/[*+?|]|\{\d/g) ?? []).length;
  let depth = 0;
  const hasChoice: boolean[] = [false];
  for (let at = 0; at < simple.length; at++) {
    const character = simple[at]!;
    if (character === '(') hasChoice[++depth] = false;
    else if (character === ')') {
      const inner = hasChoice[depth--]!;
      const isRepeated = /[*+?{]/.test(simple[at + 1] ?? '');
      if (inner && isRepeated) return Number.POSITIVE_INFINITY;
      hasChoice[depth] = hasChoice[depth]! || inner;
    } else if (/[*+?|{]/.test(character)) hasChoice[depth] = true;
  }
  return choices;
}

/**
 * A pattern in Go's syntax (RE2). Throws an Error in Go's form for what does not compile there: look-around and back
 * references included. Source: regexp/syntax.
 */
export function compilePattern(pattern: string): Pattern {
  let known = compiled.get(pattern);
  if (known === undefined) {
    try {
      known = new Pattern(translate(pattern));
    } catch (error) {
      known = error as Error;
    }
    sizeOfCompiled += pattern.length + (known instanceof Pattern ? known.size : 0);
    if (compiled.size >= patternsKept || sizeOfCompiled > sizeKept) {
      compiled.clear();
      sizeOfCompiled = pattern.length;
    }
    compiled.set(pattern, known);
  }
  if (known instanceof Error) throw known;
  return known;
}

const failed = (why: string, what: string) => new Error(`error parsing regexp: ${why}: \`${what}\``);

function translate(pattern: string): RegExp {
  let flags = 'u';
  let rest = pattern;
  // Flags for the whole are the common case; for a part they become a modifier group.
  const whole = /^\(\?([imsU]+)\)/.exec(rest);
  if (whole !== null) {
    for (const flag of whole[1]!) if (flag !== 'U') flags += flag;
    rest = rest.slice(whole[0].length);
  }
  let out = '';
  // Flags set within a group hold for the rest of it, past its bars too: here they are groups of their own, opened
  // again behind each bar.
  let opened: string[] = [];
  const outer: string[][] = [];
  for (let at = 0; at < rest.length; ) {
    const two = rest.slice(at, at + 2);
    const character = rest[at]!;
    if (character === '[') {
      const [text, end] = bracket(rest, at);
      out += text;
      at = end;
    } else if (character === '\\') {
      const [text, end] = escapeOf(rest, at, false);
      out += text;
      at = end;
    } else if (two === '(?') {
      const [text, end] = group(rest, at);
      out += text;
      if (rest[end - 1] === ')') opened.push(text);
      else {
        outer.push(opened);
        opened = [];
      }
      at = end;
    } else if ('(|)'.includes(character)) {
      out += character === '(' ? character : `${')'.repeat(opened.length)}${character}`;
      if (character === '|') out += opened.join('');
      else if (character === '(') {
        outer.push(opened);
        opened = [];
      } else opened = outer.pop() ?? [];
      at++;
    } else if ('{}]'.includes(character)) {
      const repeat = /^\{(\d+)(?:,(\d*))?\}/.exec(rest.slice(at, at + 32));
      if (repeat !== null && (Number(repeat[1]) > 1000 || Number(repeat[2] ?? 0) > 1000)) {
        throw failed('invalid repeat count', repeat[0]);
      }
      out += repeat !== null ? repeat[0] : `\\${character}`;
      at += repeat?.[0].length ?? 1;
    } else {
      out += character;
      at++;
    }
  }
  if (outer.length === 0) out += ')'.repeat(opened.length);
  try {
    return new RegExp(out, flags);
  } catch (error) {
    const why = (error as Error).message;
    if (/unterminated group/i.test(why)) throw failed('missing closing )', pattern);
    if (/unmatched '\)'/i.test(why)) throw failed('unexpected )', pattern);
    if (/nothing to repeat/i.test(why)) {
      const operator = /(?:^|[(|])([*+?]|\{\d+(?:,\d*)?\})/.exec(pattern)?.[1] ?? '*';
      throw failed('missing argument to repetition operator', operator);
    }
    throw failed('invalid regexp', pattern);
  }
}

/** The group that begins here; `(?i)`, which begins none in Go, as one that does. */
function group(text: string, at: number): [string, number] {
  const rest = text.slice(at);
  const named = /^\(\?P?<([A-Za-z_]\w*)>/.exec(rest);
  if (named !== null) return [`(?<${named[1]}>`, at + named[0].length];
  const plain = /^\(\?([imsU]*)(?:-([imsU]+))?[:)]/.exec(rest);
  if (plain === null || plain[0] === '(?)') throw failed('invalid or unsupported Perl syntax', rest.slice(0, 3));
  const on = plain[1]!.replaceAll('U', '');
  const off = (plain[2] ?? '').replaceAll('U', '');
  return [`(?${on}${off === '' ? '' : `-${off}`}:`, at + plain[0].length];
}

function escapeOf(text: string, at: number, inBracket: boolean): [string, number] {
  const next = text[at + 1];
  if (next === undefined) throw failed('trailing backslash at end of expression', '');
  const end = at + 2;
  if (/[dDwWsSbB]/.test(next) && !(inBracket && /[bB]/.test(next))) {
    // Go's \s knows five characters only.
    if (next === 's') return [inBracket ? '\\t\\n\\f\\r ' : '[\\t\\n\\f\\r ]', end];
    if (next === 'S' && !inBracket) return ['[^\\t\\n\\f\\r ]', end];
    return [`\\${next}`, end];
  }
  if (next === 'A') return ['(?<![\\s\\S])', end];
  if (next === 'z') return ['(?![\\s\\S])', end];
  if (next === 'a') return ['\\x07', end];
  if (/[fnrtv]/.test(next)) return [`\\${next}`, end];
  if (next === 'Q') {
    const close = text.indexOf('\\E', end);
    const literal = text.slice(end, close < 0 ? undefined : close);
    return [literal.replace(/[\\^$.*+?()[\]{}|/-]/g, '\\$&'), close < 0 ? text.length : close + 2];
  }
  if (next === 'x') {
    const hex = /^\\x(?:\{([0-9A-Fa-f]+)\}|([0-9A-Fa-f]{2}))/.exec(text.slice(at));
    if (hex === null) throw failed('invalid escape sequence', '\\x');
    return [`\\u{${hex[1] ?? hex[2]}}`, at + hex[0].length];
  }
  if (next === 'p' || next === 'P') {
    const name = /^\\[pP](?:\{(\^?)(\w+)\}|(\w))/.exec(text.slice(at));
    if (name === null) throw failed('invalid character class range', text.slice(at, at + 3));
    const negated = (next === 'P') !== (name[1] === '^');
    const value = name[2] ?? name[3]!;
    const property = value.length <= 2 || value === 'Any' ? value : `Script=${value}`;
    return [`\\${negated ? 'P' : 'p'}{${property}}`, at + name[0].length];
  }
  if (/[1-9]/.test(next)) throw failed('invalid escape sequence', `\\${next}`);
  if (next === '0') return ['\\0', end];
  if (/[A-Za-z]/.test(next)) throw failed('invalid escape sequence', `\\${next}`);
  // The u flag knows escapes of syntax characters only.
  return [/[\\^$.*+?()[\]{}|/]/.test(next) || (inBracket && next === '-') ? `\\${next}` : next, end];
}

function bracket(text: string, start: number): [string, number] {
  let at = start + 1;
  let out = '[';
  if (text[at] === '^') {
    out += '^';
    at++;
  }
  for (let isFirst = true; ; isFirst = false) {
    const character = text[at];
    if (character === undefined) throw failed('missing closing ]', text.slice(start));
    if (character === ']' && !isFirst) return [`${out}]`, at + 1];
    const posix = /^\[:(\^?)(\w+):\]/.exec(text.slice(at));
    if (posix !== null) {
      const characters = posixClasses[posix[2]!];
      if (characters === undefined || posix[1] === '^') throw failed('invalid character class range', posix[0]);
      out += characters;
      at += posix[0].length;
    } else if (character === '\\') {
      const [escaped, end] = escapeOf(text, at, true);
      out += escaped;
      at = end;
    } else {
      out += /[[\]{}()|/]/.test(character) ? `\\${character}` : character;
      at++;
    }
  }
}
