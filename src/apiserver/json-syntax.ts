import { runAtOnce, type Steps } from '../base/steps.ts';

/**
 * What Go's encoding/json says of text that is not JSON: clients print it, and tests of tools compare it. Only called
 * with text that JSON.parse refused.
 */
export function* jsonErrorSteps(text: string): Steps<string> {
  const scanner = new SyntaxScanner(text);
  try {
    yield* scanner.document();
  } catch (error) {
    if (error instanceof SyntaxFinding) return error.message;
    if (error instanceof RangeError) return 'exceeded max depth';
    throw error;
  }
  return 'invalid character in JSON text';
}

export const describeJsonError = (text: string): string => runAtOnce(jsonErrorSteps(text));

class SyntaxFinding extends Error {}

/** So many members and items are read between two steps. */
const partsAtOnce = 256;

class SyntaxScanner {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  *document(): Steps<void> {
    yield* this.#value('looking for beginning of value');
    this.#space();
    if (this.#at < this.#text.length) this.#refuse('after top-level value');
  }

  *#value(context: string): Steps<void> {
    this.#space();
    const character = this.#text[this.#at];
    if (character === '{') yield* this.#object();
    else if (character === '[') yield* this.#array();
    else if (character === '"') this.#string();
    else if (character === 't') this.#word('true');
    else if (character === 'f') this.#word('false');
    else if (character === 'n') this.#word('null');
    else if (character === '-' || isDigit(character)) this.#number();
    else this.#refuse(context);
  }

  *#object(): Steps<void> {
    let count = 0;
    this.#at++;
    this.#space();
    if (this.#text[this.#at] === '}') {
      this.#at++;
      return;
    }
    for (;;) {
      if (++count % partsAtOnce === 0) yield;
      this.#space();
      if (this.#text[this.#at] !== '"') this.#refuse('looking for beginning of object key string');
      this.#string();
      this.#space();
      if (this.#text[this.#at] !== ':') this.#refuse('after object key');
      this.#at++;
      yield* this.#value('looking for beginning of value');
      this.#space();
      const character = this.#text[this.#at];
      if (character === '}') break;
      if (character !== ',') this.#refuse('after object key:value pair');
      this.#at++;
    }
    this.#at++;
  }

  *#array(): Steps<void> {
    let count = 0;
    this.#at++;
    this.#space();
    if (this.#text[this.#at] === ']') {
      this.#at++;
      return;
    }
    for (;;) {
      if (++count % partsAtOnce === 0) yield;
      yield* this.#value('looking for beginning of value');
      this.#space();
      const character = this.#text[this.#at];
      if (character === ']') break;
      if (character !== ',') this.#refuse('after array element');
      this.#at++;
    }
    this.#at++;
  }

  #string(): void {
    this.#at++;
    for (;;) {
      plainText.lastIndex = this.#at;
      plainText.test(this.#text);
      this.#at = plainText.lastIndex;
      const character = this.#text[this.#at];
      if (character === undefined || character < ' ') this.#refuse('in string literal');
      this.#at++;
      if (character === '"') return;
      if (character !== '\\') continue;
      const escaped = this.#text[this.#at];
      if (escaped === undefined || !'"\\/bfnrtu'.includes(escaped)) this.#refuse('in string escape code');
      this.#at++;
      if (escaped !== 'u') continue;
      for (let digit = 0; digit < 4; digit++) {
        if (!/[0-9a-fA-F]/.test(this.#text[this.#at] ?? '')) this.#refuse('in \\u hexadecimal character escape');
        this.#at++;
      }
    }
  }

  #word(word: string): void {
    for (let index = 1; index < word.length; index++) {
      this.#at++;
      if (this.#text[this.#at] !== word[index]) this.#refuse(`in literal ${word} (expecting ${quoted(word[index]!)})`);
    }
    this.#at++;
  }

  #number(): void {
    if (this.#text[this.#at] === '-') {
      this.#at++;
      if (!isDigit(this.#text[this.#at])) this.#refuse('in numeric literal');
    }
    if (this.#text[this.#at] === '0') this.#at++;
    else while (isDigit(this.#text[this.#at])) this.#at++;
    if (this.#text[this.#at] === '.') {
      this.#at++;
      if (!isDigit(this.#text[this.#at])) this.#refuse('after decimal point in numeric literal');
      while (isDigit(this.#text[this.#at])) this.#at++;
    }
    if (this.#text[this.#at] === 'e' || this.#text[this.#at] === 'E') {
      this.#at++;
      if (this.#text[this.#at] === '+' || this.#text[this.#at] === '-') this.#at++;
      if (!isDigit(this.#text[this.#at])) this.#refuse('in exponent of numeric literal');
      while (isDigit(this.#text[this.#at])) this.#at++;
    }
  }

  #space(): void {
    while (this.#at < this.#text.length && ' \t\r\n'.includes(this.#text[this.#at]!)) this.#at++;
  }

  #refuse(context: string): never {
    const character = this.#text[this.#at];
    if (character === undefined) throw new SyntaxFinding('unexpected end of JSON input');
    throw new SyntaxFinding(`invalid character ${quoted(character)} ${context}`);
  }
}

/** What a string holds that needs no look. */
const plainText = /[^"\\\x00-\x1f]*/y;

const isDigit = (character: string | undefined) => character !== undefined && character >= '0' && character <= '9';

/** A character as Go's scanner quotes it. */
function quoted(character: string): string {
  if (character === "'") return `'\\''`;
  if (character === '"') return `'"'`;
  return `'${JSON.stringify(character).slice(1, -1)}'`;
}
