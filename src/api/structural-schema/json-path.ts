import { isRecord } from './json-schema.ts';

/**
 * JSONPath as kubectl and CRDs write it (`.status.conditions[?(@.type=="Ready")].status`), compiled: the first value it
 * leads to, alone in a list, or none. Source: k8s.io/client-go/util/jsonpath.
 */
export type JsonPath = (root: unknown, effort: Effort) => unknown[];

/** What looking may take: a path of a few `..` leads to more places than there is time for. */
export interface Effort {
  steps: number;
}

const mostSteps = 100_000;

/** Calls back with each value it leads to, until that says that it is enough; says so then itself. */
type Step = (value: unknown, effort: Effort, found: (value: unknown) => boolean) => boolean;

/** Thrown where nothing was found in time. */
const exhausted = Symbol('exhausted');

/** Throws an Error for what is no path. Missing keys give no value, never an error. */
export function parseJsonPath(text: string): JsonPath {
  const steps = new Parser(text).steps();
  const follow = (index: number, value: unknown, effort: Effort, found: (value: unknown) => boolean): boolean => {
    if (--effort.steps < 0) throw exhausted;
    const step = steps[index];
    return step === undefined ? found(value) : step(value, effort, (next) => follow(index + 1, next, effort, found));
  };
  return (root, effort) => {
    let first: unknown[] = [];
    follow(0, root, effort, (value) => {
      first = [value];
      return true;
    });
    return first;
  };
}

/** The first value within so many steps; none where that is not enough. */
export function firstValue(path: JsonPath, root: unknown, steps = mostSteps): unknown[] {
  try {
    return path(root, { steps });
  } catch (error) {
    if (error === exhausted) return [];
    throw error;
  }
}

class Parser {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  steps(): Step[] {
    const steps: Step[] = [];
    if (this.#text[0] === '$' || this.#text[0] === '@') this.#at++;
    while (this.#at < this.#text.length) {
      const character = this.#text[this.#at];
      if (character === '[') steps.push(this.#bracket());
      else if (this.#text.startsWith('..', this.#at)) {
        this.#at += 2;
        steps.push(descend);
        if (this.#text[this.#at] !== '[') steps.push(this.#field());
      } else if (character === '.') {
        this.#at++;
        // A dot alone is the object itself.
        if (this.#at < this.#text.length && this.#text[this.#at] !== '[') steps.push(this.#field());
      } else steps.push(this.#field());
    }
    return steps;
  }

  #field(): Step {
    let name = '';
    for (; this.#at < this.#text.length; this.#at++) {
      const character = this.#text[this.#at]!;
      if (character === '\\' && this.#at + 1 < this.#text.length) name += this.#text[++this.#at];
      else if ('.[ '.includes(character)) break;
      else name += character;
    }
    if (name === '') throw new Error(`unexpected character in path ${JSON.stringify(this.#text)}`);
    return name === '*'
      ? (value, _effort, found) => children(value).some(found)
      : (value, _effort, found) => child(value, name).some(found);
  }

  #bracket(): Step {
    const end = this.#closing();
    const inner = this.#text.slice(this.#at + 1, end).trim();
    this.#at = end + 1;
    if (inner === '*') return (value, _effort, found) => children(value).some(found);
    const filter = /^\?\((.*)\)$/s.exec(inner);
    if (filter !== null) {
      const holds = parseFilter(filter[1]!.trim());
      return (value, effort, found) => Array.isArray(value) && value.some((item) => holds(item, effort) && found(item));
    }
    const selectors = splitUnion(inner).map(selectorOf);
    return (value, effort, found) => selectors.some((select) => select(value, effort).some(found));
  }

  #closing(): number {
    let quote = '';
    let depth = 0;
    for (let at = this.#at; at < this.#text.length; at++) {
      const character = this.#text[at]!;
      if (quote !== '') {
        if (character === '\\') at++;
        else if (character === quote) quote = '';
      } else if (character === "'" || character === '"') quote = character;
      else if (character === '[') depth++;
      else if (character === ']' && --depth === 0) return at;
    }
    throw new Error('unterminated array');
  }
}

function splitUnion(text: string): string[] {
  return [...text.matchAll(/'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|[^,]+/g)].map((match) => match[0].trim());
}

function selectorOf(text: string): (value: unknown, effort: Effort) => unknown[] {
  const quoted = /^(['"])(.*)\1$/s.exec(text);
  if (quoted !== null) {
    const name = quoted[2]!.replace(/\\(.)/g, '$1');
    return (value) => child(value, name);
  }
  const slice = /^(-?\d*)(?::(-?\d*))?(?::(\d*))?$/.exec(text);
  if (slice === null) throw new Error(`invalid array index ${text}`);
  const [, first = '', last, step] = slice;
  if (last === undefined) {
    if (first === '') throw new Error(`invalid array index ${text}`);
    return (value) => (Array.isArray(value) ? value.slice(Number(first), Number(first) + 1 || undefined) : []);
  }
  return (value, effort) => {
    if (!Array.isArray(value)) return [];
    effort.steps -= value.length;
    if (effort.steps < 0) throw exhausted;
    const part = value.slice(first === '' ? 0 : Number(first), last === '' ? undefined : Number(last));
    return part.filter((_, index) => index % (Number(step) || 1) === 0);
  };
}

function parseFilter(text: string): (item: unknown, effort: Effort) => boolean {
  const match = /^(.+?)\s*(==|!=|<=|>=|<|>)\s*(.+)$/s.exec(text);
  if (match === null) {
    const path = parseJsonPath(text);
    return (item, effort) => path(item, effort).length > 0;
  }
  const left = operandOf(match[1]!);
  const right = operandOf(match[3]!);
  const compare = comparisons[match[2]!]!;
  return (item, effort) => {
    if (--effort.steps < 0) throw exhausted;
    const [a] = left(item, effort);
    const [b] = right(item, effort);
    return a !== undefined && b !== undefined && compare(a as number, b as number);
  };
}

const comparisons: Record<string, (a: number, b: number) => boolean> = {
  '==': (a, b) => a === b,
  '!=': (a, b) => a !== b,
  '<': (a, b) => a < b,
  '<=': (a, b) => a <= b,
  '>': (a, b) => a > b,
  '>=': (a, b) => a >= b,
};

function operandOf(text: string): JsonPath {
  const quoted = /^(['"])(.*)\1$/s.exec(text.trim());
  if (quoted !== null) return () => [quoted[2]!.replace(/\\(.)/g, '$1')];
  if (text.startsWith('@') || text.startsWith('$')) return parseJsonPath(text);
  if (text === 'true' || text === 'false') return () => [text === 'true'];
  const number = Number(text);
  if (Number.isNaN(number)) throw new Error(`unrecognized identifier ${text}`);
  return () => [number];
}

function child(value: unknown, name: string): unknown[] {
  if (Array.isArray(value)) return /^\d+$/.test(name) && Number(name) < value.length ? [value[Number(name)]] : [];
  return isRecord(value) && Object.hasOwn(value, name) ? [value[name]] : [];
}

const children = (value: unknown): unknown[] =>
  Array.isArray(value) ? value : isRecord(value) ? Object.values(value) : [];

function descend(value: unknown, effort: Effort, found: (value: unknown) => boolean): boolean {
  if (--effort.steps < 0) throw exhausted;
  return found(value) || children(value).some((child) => descend(child, effort, found));
}

/** A value as kubectl prints it; no more than so many characters of it. */
export function printValue(value: unknown, most = Number.POSITIVE_INFINITY): string {
  if (value === null || value === undefined) return '';
  if (typeof value !== 'object') return String(value).slice(0, most);
  if (most === Number.POSITIVE_INFINITY) return JSON.stringify(value);
  const parts: string[] = [];
  let left = most;
  const add = (text: string): boolean => {
    parts.push(text);
    left -= text.length;
    return left > 0;
  };
  const print = (part: unknown): boolean => {
    if (typeof part !== 'object' || part === null) return add(JSON.stringify(part) ?? 'null');
    if (Array.isArray(part)) {
      if (!add('[')) return false;
      for (let index = 0; index < part.length; index++) {
        if (index > 0 && !add(',')) return false;
        if (!print(part[index])) return false;
      }
      return add(']');
    }
    if (!add('{')) return false;
    let isFirst = true;
    for (const key in part) {
      const member = (part as Record<string, unknown>)[key];
      if (member === undefined) continue;
      if (!add(`${isFirst ? '' : ','}${JSON.stringify(key)}:`) || !print(member)) return false;
      isFirst = false;
    }
    return add('}');
  };
  print(value);
  return parts.join('').slice(0, most);
}
