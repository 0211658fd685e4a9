import { isRecord } from './json-schema.ts';

/**
 * JSONPath as kubectl and CRDs write it (`.status.conditions[?(@.type=="Ready")].status`), compiled. Source:
 * k8s.io/client-go/util/jsonpath.
 */
export type JsonPath = (root: unknown) => unknown[];

type Step = (values: unknown[]) => unknown[];

/** Throws an Error for what is no path. Missing keys give no value, never an error. */
export function parseJsonPath(text: string): JsonPath {
  const steps = new Parser(text).steps();
  return (root) => steps.reduce<unknown[]>((values, step) => step(values), [root]);
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
        steps.push((values) => values.flatMap(withDescendants));
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
      ? (values) => values.flatMap(children)
      : (values) => values.flatMap((value) => child(value, name));
  }

  #bracket(): Step {
    const end = this.#closing();
    const inner = this.#text.slice(this.#at + 1, end).trim();
    this.#at = end + 1;
    if (inner === '*') return (values) => values.flatMap(children);
    const filter = /^\?\((.*)\)$/s.exec(inner);
    if (filter !== null) {
      const holds = parseFilter(filter[1]!.trim());
      return (values) => values.flatMap((value) => (Array.isArray(value) ? value.filter(holds) : []));
    }
    const selectors = splitUnion(inner).map(selectorOf);
    return (values) => values.flatMap((value) => selectors.flatMap((select) => select(value)));
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

function selectorOf(text: string): (value: unknown) => unknown[] {
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
    return (value) => (Array.isArray(value) ? value.slice(Number(first)).slice(0, 1) : []);
  }
  return (value) => {
    if (!Array.isArray(value)) return [];
    const part = value.slice(first === '' ? 0 : Number(first), last === '' ? undefined : Number(last));
    return part.filter((_, index) => index % (Number(step) || 1) === 0);
  };
}

function parseFilter(text: string): (item: unknown) => boolean {
  const match = /^(.+?)\s*(==|!=|<=|>=|<|>)\s*(.+)$/s.exec(text);
  if (match === null) {
    const path = parseJsonPath(text);
    return (item) => path(item).length > 0;
  }
  const left = operandOf(match[1]!);
  const right = operandOf(match[3]!);
  const compare = comparisons[match[2]!]!;
  return (item) => {
    const [a] = left(item);
    const [b] = right(item);
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

function operandOf(text: string): (item: unknown) => unknown[] {
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

const withDescendants = (value: unknown): unknown[] => [value, ...children(value).flatMap(withDescendants)];

/** A value as kubectl prints it. */
export function printValue(value: unknown): string {
  if (value === null || value === undefined) return '';
  return typeof value === 'object' ? JSON.stringify(value) : String(value);
}
