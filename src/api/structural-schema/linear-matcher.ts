/**
 * Matches in time proportional to text times pattern, whatever both are: tenants write both, and a backtracking matcher
 * can be kept busy for hours by a few characters. Works on patterns as `regular-expression.ts` translates them.
 * Source: Thompson's construction and Pike's machine, as in Go's regexp.
 */
import { runAtOnce, type Steps } from '../../base/steps.ts';

/**
 * Steps of all matches in one turn of the event loop: about an eighth of a second. A pattern of a thousand states takes so many
 * for four thousand characters, and an object may hold hundreds of such fields.
 */
const stepsATurn = 4_000_000;
/** Matches that take no more are never the ones to blame. */
const stepsForFree = 50_000;
let stepsTaken = 0;
let isCounting = false;

export class TooMuchMatching extends Error {
  constructor() {
    super('matching takes too long');
  }
}

/** Whether this turn of the event loop has had its share of matching. */
export const isMatchedOut = (): boolean => stepsTaken > stepsATurn;

function take(steps: number): void {
  stepsTaken += steps;
  if (isCounting) return;
  isCounting = true;
  setImmediate(() => {
    isCounting = false;
    stepsTaken = 0;
  });
}

export class LinearMatcher {
  readonly #program: Instruction[];

  /** `source` and `flags` are those of a RegExp that was made of a Go pattern. */
  constructor(source: string, flags: string) {
    this.#program = new Compiler(source, flags).program();
  }

  /** Instructions held. */
  get size(): number {
    return this.#program.length;
  }

  /**
   * Where the leftmost match from `from` on begins and ends; alternatives are preferred in their order. Throws an Error
   * where it takes more than a turn of the event loop may.
   */
  find(text: string, from = 0): [start: number, end: number] | undefined {
    return runAtOnce(this.findSteps(text, from));
  }

  *findSteps(text: string, from = 0): Steps<[start: number, end: number] | undefined> {
    const program = this.#program;
    let current = new Threads(program.length);
    let next = new Threads(program.length);
    let found: [number, number] | undefined;
    let steps = 0;
    let untaken = 0;
    for (let at = from; ; ) {
      untaken += current.size + 1;
      if (untaken > stepsForFree) {
        take(untaken);
        steps += untaken;
        untaken = 0;
        yield;
        if (isMatchedOut() && steps > stepsForFree) throw new TooMuchMatching();
      }
      if (found === undefined) current.add(program, 0, at, text, at);
      if (current.size === 0 && found !== undefined) {
        take(untaken);
        return found;
      }
      const code = text.codePointAt(at);
      const after = at + (code !== undefined && code > 0xffff ? 2 : 1);
      for (let index = 0; index < current.size; index++) {
        const pc = current.pcs[index]!;
        const instruction = program[pc]!;
        if (instruction.op === 'match') {
          found = [current.starts[index]!, at];
          // What comes later is less preferred.
          break;
        }
        if (code !== undefined && instruction.op === 'character' && instruction.accepts(code)) {
          next.add(program, pc + 1, current.starts[index]!, text, after);
        }
      }
      if (code === undefined) {
        take(untaken);
        return found;
      }
      [current, next] = [next, current];
      next.clear();
      at = after;
    }
  }
}

type Assertion = 'textStart' | 'textEnd' | 'lineStart' | 'lineEnd' | 'wordBoundary' | 'noWordBoundary';

type Instruction =
  | { op: 'character'; accepts: (code: number) => boolean }
  /** `first` is preferred. */
  | { op: 'split'; first: number; second: number }
  | { op: 'jump'; to: number }
  | { op: 'assert'; assertion: Assertion }
  | { op: 'match' };

/** The states the machine is in, in the order of their preference, each once. */
class Threads {
  readonly pcs: Int32Array;
  readonly starts: Int32Array;
  size = 0;
  readonly #marks: Int32Array;
  #mark = 1;

  constructor(length: number) {
    this.pcs = new Int32Array(length);
    this.starts = new Int32Array(length);
    this.#marks = new Int32Array(length);
  }

  clear(): void {
    this.size = 0;
    this.#mark++;
  }

  add(program: Instruction[], first: number, start: number, text: string, at: number): void {
    const stack = [first];
    for (let pc = stack.pop(); pc !== undefined; pc = stack.pop()) {
      if (this.#marks[pc] === this.#mark) continue;
      this.#marks[pc] = this.#mark;
      const instruction = program[pc]!;
      switch (instruction.op) {
        case 'jump':
          stack.push(instruction.to);
          break;
        case 'split':
          stack.push(instruction.second, instruction.first);
          break;
        case 'assert':
          if (holds(instruction.assertion, text, at)) stack.push(pc + 1);
          break;
        default:
          this.pcs[this.size] = pc;
          this.starts[this.size++] = start;
      }
    }
  }
}

const isWord = (text: string, at: number) => /\w/.test(text[at] ?? '');

function holds(assertion: Assertion, text: string, at: number): boolean {
  switch (assertion) {
    case 'textStart':
      return at === 0;
    case 'textEnd':
      return at >= text.length;
    case 'lineStart':
      return at === 0 || text[at - 1] === '\n';
    case 'lineEnd':
      return at >= text.length || text[at] === '\n';
    case 'wordBoundary':
      return isWord(text, at - 1) !== isWord(text, at);
    case 'noWordBoundary':
      return isWord(text, at - 1) === isWord(text, at);
  }
}

const mostInstructions = 100_000;
const mostNested = 1000;

/** From a pattern that is known to be sound to instructions, by recursive descent. */
class Compiler {
  readonly #source: string;
  readonly #out: Instruction[] = [];
  #at = 0;
  #depth = 0;
  readonly #acceptors = new Map<string, (code: number) => boolean>();
  /** Counted repetitions in what was just read, those inside them with them. */
  #repeats: Repeat[] = [];

  #flags: string;

  constructor(source: string, flags: string) {
    this.#source = source;
    this.#flags = flags;
  }

  program(): Instruction[] {
    this.#alternatives();
    this.#emit({ op: 'match' });
    return this.#out;
  }

  #emit(instruction: Instruction): number {
    if (this.#out.length >= mostInstructions) throw new Error('error parsing regexp: expression too large');
    return this.#out.push(instruction) - 1;
  }

  #alternatives(): void {
    if (++this.#depth > mostNested) throw new Error('error parsing regexp: expression nests too deeply');
    const start = this.#out.length;
    this.#sequence();
    if (this.#source[this.#at] === '|') {
      this.#at++;
      const first = this.#cut(start);
      const split = this.#emit({ op: 'split', first: 0, second: 0 });
      this.#paste(first, start);
      const jump = this.#emit({ op: 'jump', to: 0 });
      this.#out[split] = { op: 'split', first: split + 1, second: jump + 1 };
      this.#depth--;
      this.#alternatives();
      this.#depth++;
      this.#out[jump] = { op: 'jump', to: this.#out.length };
    }
    this.#depth--;
  }

  #sequence(): void {
    while (this.#at < this.#source.length && !'|)'.includes(this.#source[this.#at]!)) {
      const start = this.#out.length;
      const repeatsBefore = this.#repeats.length;
      this.#atom();
      this.#repeat(start, repeatsBefore);
    }
  }

  /** Takes instructions away to put them elsewhere; their places are relative to `start`. */
  #cut(start: number): Instruction[] {
    return this.#out.splice(start);
  }

  #paste(block: readonly Instruction[], start: number): void {
    const shift = this.#out.length - start;
    for (const instruction of block) {
      if (instruction.op === 'jump') this.#emit({ op: 'jump', to: instruction.to + shift });
      else if (instruction.op === 'split') {
        this.#emit({ op: 'split', first: instruction.first + shift, second: instruction.second + shift });
      } else this.#emit(instruction);
    }
  }

  #repeat(start: number, repeatsBefore: number): void {
    const match = /^(?:[*+?]|\{(\d+)(,)?(\d*)\})/.exec(this.#source.slice(this.#at, this.#at + 16));
    if (match === null) return;
    this.#at += match[0].length;
    const isLazy = this.#source[this.#at] === '?';
    if (isLazy) this.#at++;
    const block = this.#cut(start);
    const [least, most] = bounds(match);
    if (match[0].startsWith('{')) {
      const repeat = { most: most ?? least, inner: this.#repeats.splice(repeatsBefore) };
      if (Math.max(least, most ?? 0) >= 2 && !multipliesTo(repeat, mostRepeated)) {
        throw new Error(`error parsing regexp: invalid repeat count: \`${match[0]}\``);
      }
      this.#repeats.push(repeat);
    }
    for (let count = 0; count < least; count++) this.#paste(block, start);
    if (most === undefined) this.#loop(block, start, isLazy);
    else {
      const splits: number[] = [];
      for (let count = least; count < most; count++) {
        splits.push(this.#emit({ op: 'split', first: 0, second: 0 }));
        this.#paste(block, start);
      }
      for (const split of splits) this.#out[split] = branch(split + 1, this.#out.length, isLazy);
    }
    this.#repeat(start, repeatsBefore);
  }

  #loop(block: readonly Instruction[], start: number, isLazy: boolean): void {
    const split = this.#emit({ op: 'split', first: 0, second: 0 });
    this.#paste(block, start);
    const jump = this.#emit({ op: 'jump', to: split });
    this.#out[split] = branch(split + 1, jump + 1, isLazy);
  }

  #atom(): void {
    const rest = this.#source.slice(this.#at, this.#at + 12);
    const assertion = this.#assertionAt(rest);
    if (assertion !== undefined) {
      this.#at += assertion[0];
      this.#emit({ op: 'assert', assertion: assertion[1] });
    } else if (rest.startsWith('(')) this.#group();
    else if (rest.startsWith('.')) {
      this.#at++;
      const acceptsAll = this.#flags.includes('s');
      this.#emit({ op: 'character', accepts: (code) => acceptsAll || code !== 10 });
    } else this.#emit({ op: 'character', accepts: this.#acceptor(this.#characterText()) });
  }

  #acceptor(text: string): (code: number) => boolean {
    const ignoresCase = this.#flags.includes('i');
    const key = `${ignoresCase ? 'i' : '-'}${text}`;
    let accepts = this.#acceptors.get(key);
    if (accepts === undefined) this.#acceptors.set(key, (accepts = acceptorOf(text, ignoresCase)));
    return accepts;
  }

  /** With its length. */
  #assertionAt(rest: string): [number, Assertion] | undefined {
    const isMultiline = this.#flags.includes('m');
    if (rest.startsWith('(?<![\\s\\S])')) return [11, 'textStart'];
    if (rest.startsWith('(?![\\s\\S])')) return [10, 'textEnd'];
    if (rest.startsWith('^')) return [1, isMultiline ? 'lineStart' : 'textStart'];
    if (rest.startsWith('$')) return [1, isMultiline ? 'lineEnd' : 'textEnd'];
    if (rest.startsWith('\\b')) return [2, 'wordBoundary'];
    return rest.startsWith('\\B') ? [2, 'noWordBoundary'] : undefined;
  }

  #group(): void {
    const outer = this.#flags;
    const head = /^\((?:\?(?:<\w+>|([a-z]*)(?:-([a-z]+))?:))?/.exec(this.#source.slice(this.#at))!;
    this.#at += head[0].length;
    for (const flag of head[1] ?? '') this.#flags += flag;
    for (const flag of head[2] ?? '') this.#flags = this.#flags.replaceAll(flag, '');
    this.#alternatives();
    this.#at++;
    this.#flags = outer;
  }

  /** One character, one escape or one bracket. */
  #characterText(): string {
    const start = this.#at;
    if (this.#source[start] === '\\') {
      this.#at += /^\\(?:[pPu]\{[^}]*\}|[\s\S])/u.exec(this.#source.slice(start))![0].length;
    } else if (this.#source[start] === '[') {
      this.#at++;
      while (this.#source[this.#at] !== ']') this.#at += this.#source[this.#at] === '\\' ? 2 : 1;
      this.#at++;
    } else this.#at += this.#source.codePointAt(start)! > 0xffff ? 2 : 1;
    return this.#source.slice(start, this.#at);
  }
}

interface Repeat {
  most: number;
  inner: Repeat[];
}

/** As Go: repetitions within one another may ask for so many copies in all. */
const mostRepeated = 1000;

function multipliesTo({ most, inner }: Repeat, limit: number): boolean {
  if (most === 0) return true;
  if (most > limit) return false;
  const left = Math.trunc(limit / most);
  return inner.every((one) => multipliesTo(one, left));
}

function bounds(match: RegExpExecArray): [least: number, most: number | undefined] {
  switch (match[0]) {
    case '*':
      return [0, undefined];
    case '+':
      return [1, undefined];
    case '?':
      return [0, 1];
  }
  const least = Number(match[1]);
  if (match[2] === undefined) return [least, least];
  return [least, match[3] === '' ? undefined : Number(match[3])];
}

const branch = (inside: number, past: number, isLazy: boolean): Instruction =>
  isLazy ? { op: 'split', first: past, second: inside } : { op: 'split', first: inside, second: past };

/** What a single-character expression accepts: a table for ASCII, the expression itself for the rest. */
function acceptorOf(text: string, ignoresCase: boolean): (code: number) => boolean {
  const expression = new RegExp(`^(?:${text})$`, ignoresCase ? 'iu' : 'u');
  const ascii = Array.from({ length: 128 }, (_, code) => expression.test(String.fromCharCode(code)));
  return (code) => (code < 128 ? ascii[code]! : expression.test(String.fromCodePoint(code)));
}
