import type { Steps } from '../../base/steps.ts';
import { StatusError } from '../status.ts';
import { duplicateField, duplicatesKept } from './duplicate-fields.ts';

/** From so many characters on a text is read in steps: a shorter one is read whole in a few milliseconds. */
export const longText = 128 * 1024;

/**
 * Of one object. To list the members of one takes the engine some 200 ns each, and cannot be cut; what is kept with the
 * record of who owns each has 58,000 at most.
 */
export const mostMembers = 32_768;

export interface ReadText {
  value: any;
  /** As findDuplicateFields gives them. */
  duplicates: string[];
}

interface Frame {
  container: any;
  isList: boolean;
  /** Of the member that is being read. */
  key: string;
  members: number;
}

const tokensAtOnce = 256;
const literal = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null/y;

/**
 * What JSON.parse and findDuplicateFields make of a text, in steps: two to three times their work, but never long at
 * once. Throws SyntaxError where JSON.parse does, and 413 for an object of too many members.
 */
export function* readJson(text: string): Steps<ReadText> {
  const reader = new Reader(text);
  while (!reader.goOn()) yield;
  return { value: reader.value, duplicates: [...reader.duplicates] };
}

class Reader {
  readonly #text: string;
  readonly #frames: Frame[] = [];
  readonly duplicates = new Set<string>();
  value: any;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  /** Reads some tokens; true at the end of the text. */
  goOn(): boolean {
    for (let count = 0; count < tokensAtOnce; count++) {
      if (!this.#value()) continue;
      // A value is complete, and with it perhaps what holds it.
      for (;;) {
        const frame = this.#frames.at(-1);
        if (frame === undefined) {
          if (this.#next() !== undefined) throw this.#wrong();
          return true;
        }
        const code = this.#next();
        this.#at++;
        if (code === 0x2c) {
          if (!frame.isList) this.#key(frame);
          break;
        }
        if (code !== (frame.isList ? 0x5d : 0x7d)) throw this.#wrong();
        this.#frames.pop();
      }
    }
    return false;
  }

  /** Reads what begins here; false where that holds a value that is to be read first. */
  #value(): boolean {
    const code = this.#next();
    if (code === 0x7b || code === 0x5b) {
      const isList = code === 0x5b;
      const container = isList ? [] : {};
      this.#put(container);
      this.#at++;
      if (this.#next() === (isList ? 0x5d : 0x7d)) {
        this.#at++;
        return true;
      }
      const frame: Frame = { container, isList, key: '', members: 0 };
      this.#frames.push(frame);
      if (!isList) this.#key(frame);
      return false;
    }
    this.#put(code === 0x22 ? this.#string() : this.#literal());
    return true;
  }

  #put(value: unknown): void {
    const frame = this.#frames.at(-1);
    if (frame === undefined) this.value = value;
    else if (frame.isList) frame.container.push(value);
    else if (frame.key !== '__proto__') frame.container[frame.key] = value;
    else {
      Object.defineProperty(frame.container, frame.key, {
        value,
        writable: true,
        enumerable: true,
        configurable: true,
      });
    }
  }

  #key(frame: Frame): void {
    if (this.#next() !== 0x22) throw this.#wrong();
    frame.key = this.#string();
    if (Object.hasOwn(frame.container, frame.key) && this.duplicates.size < duplicatesKept) {
      this.duplicates.add(duplicateField(this.#path()));
    }
    if (++frame.members > mostMembers) {
      const message = `Request entity too large: an object of the body holds more than ${mostMembers} members`;
      throw new StatusError(413, 'RequestEntityTooLarge', message);
    }
    if (this.#next() !== 0x3a) throw this.#wrong();
    this.#at++;
  }

  #path(): string {
    let path = '';
    for (const [depth, { container, isList, key }] of this.#frames.entries()) {
      // An item is put before what it holds is read.
      path += isList ? `[${container.length - 1}]` : depth === 0 ? key : `.${key}`;
    }
    return path;
  }

  #string(): string {
    const start = this.#at;
    let end = start;
    do {
      end = this.#text.indexOf('"', end + 1);
      if (end < 0) throw this.#wrong();
    } while (this.#isEscaped(end));
    this.#at = end + 1;
    // A mere slice of the text would keep all of it in memory.
    return JSON.parse(this.#text.slice(start, this.#at));
  }

  #isEscaped(at: number): boolean {
    let backslashes = 0;
    while (this.#text.charCodeAt(at - 1 - backslashes) === 0x5c) backslashes++;
    return backslashes % 2 === 1;
  }

  #literal(): number | boolean | null {
    literal.lastIndex = this.#at;
    const found = literal.exec(this.#text)?.[0];
    if (found === undefined) throw this.#wrong();
    this.#at += found.length;
    return JSON.parse(found);
  }

  /** The next character that is no space. */
  #next(): number | undefined {
    for (; this.#at < this.#text.length; this.#at++) {
      const code = this.#text.charCodeAt(this.#at);
      if (code !== 0x20 && code !== 0x0a && code !== 0x0d && code !== 0x09) return code;
    }
    return undefined;
  }

  #wrong(): SyntaxError {
    return new SyntaxError(`not JSON at ${this.#at}`);
  }
}
