import type { LabelSelector } from '../generated/meta-v1.ts';
import { isLabelValue, isQualifiedName } from '../names.ts';

type Labels = Record<string, string> | undefined | null;
export type SelectorOperator = '=' | '==' | '!=' | 'in' | 'notin' | 'exists' | '!' | 'gt' | 'lt';

export interface Requirement {
  key: string;
  operator: SelectorOperator;
  /** Sorted, as upstream prints them. */
  values: string[];
}

/** A compiled selector; requirements are all to hold. */
export interface Selector {
  readonly requirements: readonly Requirement[];
  /** Selects nothing at all: what an absent LabelSelector means. */
  readonly nothing: boolean;
  matches(labels: Labels): boolean;
  toString(): string;
}

class CompiledSelector implements Selector {
  readonly requirements: readonly Requirement[];
  readonly nothing: boolean;
  readonly #checks: ((labels: Record<string, string>) => boolean)[];

  constructor(requirements: Requirement[], nothing = false) {
    this.requirements = requirements.sort((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0));
    this.nothing = nothing;
    this.#checks = this.requirements.map(checkOf);
  }

  matches(labels: Labels): boolean {
    if (this.nothing) return false;
    const checks = this.#checks;
    const given = labels ?? none;
    for (let i = 0; i < checks.length; i++) if (!checks[i]!(given)) return false;
    return true;
  }

  toString(): string {
    return this.requirements.map(formatRequirement).join(',');
  }
}

const none: Record<string, string> = {};

// A label may be called like something every object inherits.
const read = (labels: Record<string, string>, key: string): string | undefined =>
  Object.hasOwn(labels, key) ? labels[key] : undefined;

function checkOf({ key, operator, values }: Requirement): (labels: Record<string, string>) => boolean {
  const only = values[0]!;
  const set = new Set(values);
  const get =
    key in {} ? (labels: Record<string, string>) => read(labels, key) : (labels: Record<string, string>) => labels[key];
  switch (operator) {
    case '=':
    case '==':
      return (labels) => get(labels) === only;
    case '!=':
      return (labels) => get(labels) !== only;
    case 'in':
      return (labels) => {
        const value = get(labels);
        return value !== undefined && set.has(value);
      };
    case 'notin':
      return (labels) => {
        const value = get(labels);
        return value === undefined || !set.has(value);
      };
    case 'exists':
      return (labels) => get(labels) !== undefined;
    case '!':
      return (labels) => get(labels) === undefined;
    case 'gt':
    case 'lt': {
      const bound = BigInt(only);
      return (labels) => {
        const value = get(labels);
        if (value === undefined || !/^[+-]?\d+$/.test(value)) return false;
        return operator === 'gt' ? BigInt(value) > bound : BigInt(value) < bound;
      };
    }
  }
}

function formatRequirement({ key, operator, values }: Requirement): string {
  switch (operator) {
    case '!':
      return `!${key}`;
    case 'exists':
      return key;
    case 'in':
    case 'notin':
      return `${key} ${operator} (${values.join(',')})`;
    case 'gt':
      return `${key}>${values[0]}`;
    case 'lt':
      return `${key}<${values[0]}`;
    default:
      return `${key}${operator}${values[0]}`;
  }
}

const selectEverything: Selector = new CompiledSelector([]);
const selectNothing: Selector = new CompiledSelector([], true);

/** Matches objects that carry all of `labels`; an empty map matches everything. */
export const selectorFromLabels = (labels: Labels): Selector =>
  new CompiledSelector(Object.entries(labels ?? {}).map(([key, value]) => ({ key, operator: '=', values: [value] })));

const objectOperators: Record<string, SelectorOperator> = {
  In: 'in',
  NotIn: 'notin',
  Exists: 'exists',
  DoesNotExist: '!',
};

/** A LabelSelector: absent selects nothing, empty selects everything. Throws an Error in upstream's words. */
export function selectorFromLabelSelector(selector: LabelSelector | undefined | null): Selector {
  if (selector === undefined || selector === null) return selectNothing;
  const requirements: Requirement[] = [];
  for (const [key, value] of Object.entries(selector.matchLabels ?? {})) {
    requirements.push(newRequirement(key, '=', [value], ''));
  }
  for (const expression of selector.matchExpressions ?? []) {
    const operator = objectOperators[expression.operator];
    if (operator === undefined) {
      throw new Error(`${JSON.stringify(expression.operator)} is not a valid label selector operator`);
    }
    requirements.push(newRequirement(expression.key, operator, expression.values ?? [], ''));
  }
  return new CompiledSelector(requirements);
}

const byObject = new WeakMap<object, Selector>();

/** The same, compiled once per LabelSelector object: for objects out of caches, which never change. */
export function cachedSelector(selector: LabelSelector | undefined | null): Selector {
  if (selector === undefined || selector === null) return selectNothing;
  let compiled = byObject.get(selector);
  if (compiled === undefined) {
    compiled = selectorFromLabelSelector(selector);
    byObject.set(selector, compiled);
  }
  return compiled;
}

/** How kubectl prints a LabelSelector: `<none>` when it selects everything. */
export function formatLabelSelector(selector: LabelSelector | undefined | null): string {
  try {
    return selectorFromLabelSelector(selector).toString() || '<none>';
  } catch {
    return '<error>';
  }
}

/** A label selector's string form (`a=b,c in (d,e),!f`). Throws an Error in upstream's words. */
export function parseLabelSelector(text: string): Selector {
  if (text.trim() === '') return selectEverything;
  return new CompiledSelector(new Parser(text).parse());
}

function newRequirement(key: string, operator: SelectorOperator, given: string[], path: string): Requirement {
  const values = [...given].sort();
  const at = (child: string) => (path === '' ? child : `${path}.${child}`);
  const errors: string[] = [];
  const keyFindings = isQualifiedName(key);
  if (keyFindings.length > 0) {
    errors.push(`${at('key')}: Invalid value: ${JSON.stringify(key)}: ${keyFindings.join('; ')}`);
  }
  const valuesAre = (what: string) => errors.push(`${at('values')}: Invalid value: ${JSON.stringify(values)}: ${what}`);
  if ((operator === 'in' || operator === 'notin') && values.length === 0) {
    valuesAre("for 'in', 'notin' operators, values set can't be empty");
  }
  if ((operator === 'exists' || operator === '!') && values.length > 0) {
    valuesAre('values set must be empty for exists and does not exist');
  }
  values.forEach((value, index) => {
    if ((operator === 'gt' || operator === 'lt') && !/^[+-]?\d+$/.test(value)) {
      errors.push(
        `${at(`values[${index}]`)}: Invalid value: ${JSON.stringify(value)}: for 'Gt', 'Lt' operators, the value must be an integer`,
      );
    }
    const findings = isLabelValue(value);
    if (findings.length > 0) {
      errors.push(`${at(`values[${index}][${key}]`)}: Invalid value: ${JSON.stringify(value)}: ${findings.join('; ')}`);
    }
  });
  if (errors.length > 0) throw new Error(errors.length === 1 ? errors[0] : `[${errors.join(', ')}]`);
  return { key, operator, values };
}

type Token = 'end' | 'identifier' | 'error' | ')' | ',' | '!' | '==' | '=' | '>' | '<' | '!=' | '(' | 'in' | 'notin';

const tokenPattern = /\s*(?:([=!(),<>]+)|([^=!(),<>\s]+))/y;
const symbols = ['==', '!=', '=', '!', '(', ')', ',', '<', '>'] as const;

/** Upstream's grammar, token by token, so that its error texts come out the same. */
class Parser {
  readonly #tokens: { token: Token; literal: string }[] = [];
  #at = 0;

  constructor(text: string) {
    let rest = 0;
    for (;;) {
      tokenPattern.lastIndex = rest;
      const match = tokenPattern.exec(text);
      if (match === null) break;
      const [whole, symbol, word] = match;
      if (word !== undefined) {
        this.#tokens.push({ token: word === 'in' || word === 'notin' ? word : 'identifier', literal: word });
        rest += whole.length;
      } else {
        const token = symbols.find((candidate) => symbol!.startsWith(candidate))!;
        this.#tokens.push({ token, literal: token });
        rest += whole.length - symbol!.length + token.length;
      }
    }
    this.#tokens.push({ token: 'end', literal: '' });
  }

  parse(): Requirement[] {
    const requirements: Requirement[] = [];
    for (;;) {
      const next = this.#lookahead();
      if (next.token === 'end') return requirements;
      if (next.token !== 'identifier' && next.token !== '!') {
        throw new Error(`found '${next.literal}', expected: !, identifier, or 'end of string'`);
      }
      try {
        requirements.push(this.#requirement());
      } catch (error) {
        throw new Error(`unable to parse requirement: ${(error as Error).message}`);
      }
      const after = this.#consume();
      if (after.token === 'end') return requirements;
      if (after.token !== ',') throw new Error(`found '${after.literal}', expected: ',' or 'end of string'`);
      const following = this.#lookahead();
      if (following.token !== 'identifier' && following.token !== '!') {
        throw new Error(`found '${following.literal}', expected: identifier after ','`);
      }
    }
  }

  #requirement(): Requirement {
    let key = this.#consume();
    const negated = key.token === '!';
    if (negated) key = this.#consume();
    if (key.token !== 'identifier') throw new Error(`found '${key.literal}', expected: identifier`);
    const findings = isQualifiedName(key.literal);
    if (findings.length > 0) {
      throw new Error(`<nil>: Invalid value: ${JSON.stringify(key.literal)}: ${findings.join('; ')}`);
    }
    if (negated) return newRequirement(key.literal, '!', [], '');
    const next = this.#lookahead();
    if (next.token === 'end' || next.token === ',') return newRequirement(key.literal, 'exists', [], '');
    const operator = this.#operator();
    const values = operator === 'in' || operator === 'notin' ? this.#values() : [this.#exactValue()];
    return newRequirement(key.literal, operator, values, '');
  }

  #operator(): SelectorOperator {
    const { token, literal } = this.#tokens[this.#at++]!;
    switch (token) {
      case 'in':
      case 'notin':
      case '=':
      case '==':
      case '!=':
        return token;
      case '>':
        return 'gt';
      case '<':
        return 'lt';
      default:
        throw new Error(`found '${literal}', expected: in, notin, =, ==, !=, gt, lt`);
    }
  }

  #exactValue(): string {
    const next = this.#lookahead();
    if (next.token === 'end' || next.token === ',') return '';
    const value = this.#consume();
    if (value.token !== 'identifier') throw new Error(`found '${value.literal}', expected: identifier`);
    return value.literal;
  }

  #values(): string[] {
    const open = this.#consume();
    if (open.token !== '(') throw new Error(`found '${open.literal}' expected: '('`);
    const first = this.#lookahead();
    if (first.token === ')') {
      this.#consume();
      return [''];
    }
    if (first.token !== 'identifier' && first.token !== ',') {
      throw new Error(`found '${first.literal}', expected: ',', ')' or identifier`);
    }
    const values = this.#identifiers();
    const close = this.#consume();
    if (close.token !== ')') throw new Error(`found '${first.literal}', expected: ')'`);
    return [...values];
  }

  #identifiers(): Set<string> {
    const values = new Set<string>();
    for (;;) {
      const { token, literal } = this.#consume();
      const next = token === 'end' ? undefined : this.#lookahead();
      if (token === 'identifier') {
        values.add(literal);
        if (next!.token === ')') return values;
        if (next!.token !== ',') throw new Error(`found '${next!.literal}', expected: ',' or ')'`);
      } else if (token === ',') {
        if (values.size === 0) values.add('');
        if (next!.token === ')') {
          values.add('');
          return values;
        }
        if (next!.token === ',') values.add('');
      } else {
        throw new Error(`found '${literal}', expected: ',', or identifier`);
      }
    }
  }

  // Where a key or a value is expected, `in` and `notin` are words as any other.
  #word({ token, literal }: { token: Token; literal: string }): { token: Token; literal: string } {
    return token === 'in' || token === 'notin' ? { token: 'identifier', literal } : { token, literal };
  }

  #lookahead(): { token: Token; literal: string } {
    return this.#word(this.#tokens[this.#at]!);
  }

  #consume(): { token: Token; literal: string } {
    return this.#word(this.#tokens[this.#at++]!);
  }
}
