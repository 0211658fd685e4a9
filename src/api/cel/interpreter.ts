import { callCost, LIST_COST, MAP_COST, STRUCT_COST } from './cost/runtime-cost.ts';
import { type Functions, implementationOf } from './declarations.ts';
import { find, index, insert } from './libraries/arithmetic.ts';
import type {
  CallNode,
  ComprehensionNode,
  ListNode,
  MapNode,
  Node,
  SelectNode,
  StructNode,
} from './syntax/syntax-tree.ts';
import {
  ArrayList,
  CelList,
  CelMap,
  EntryMap,
  EvaluationFailure,
  EvaluationStop,
  equal,
  keyText,
  noSuchOverload,
  Optional,
  TypeValue,
  typeOfValue,
} from './values.ts';

/**
 * Costs are upstream's, and some of them say little of the time: whether a list holds a value costs one where the types
 * are not known. Everybody waits meanwhile, so a run that takes far longer than any that costs what it may is ended,
 * and has cost what everything about a request may cost.
 */
const longestRunMs = 1000;
const stepsBetweenLooks = 16;
const OVERTIME_COST = 10_000_000;

/** The state of one run. */
export class Frame {
  readonly resolve: (name: string) => unknown;
  readonly locals: unknown[] = [];
  readonly #limit: number;
  #untilMs: number;
  #steps = 0;
  cost = 0;

  /** `resolve` gives undefined for names that have no value this time. */
  constructor(resolve: (name: string) => unknown, limit: number, longestMs = longestRunMs) {
    this.resolve = resolve;
    this.#limit = limit;
    this.#untilMs = performance.now() + longestMs;
  }

  /** Others had their turns meanwhile. */
  rested(ms: number): void {
    this.#untilMs += ms;
  }

  spend(amount: number): void {
    this.cost += amount;
    if (this.cost > this.#limit) throw new EvaluationStop('operation cancelled: actual cost limit exceeded');
    if (++this.#steps % stepsBetweenLooks === 0 && performance.now() > this.#untilMs) {
      this.cost = Math.max(this.cost, OVERTIME_COST);
      throw new EvaluationStop('operation cancelled: actual cost limit exceeded');
    }
  }
}

export type Run = (frame: Frame) => unknown;

/** A conversion of a literal that can never succeed: the expression is refused as a whole. */
export class PlanFailure extends Error {}

/** Their cost does not depend on their result. */
const slowFunctions = new Set([
  'matches',
  'find',
  'findAll',
  'distinct',
  'sort',
  'sets.contains',
  'sets.equivalent',
  'sets.intersects',
]);

/** Of a literal they are made once. Source: cel-go's common/overloads. */
const conversions = new Set('bool bytes double duration dyn int string timestamp type uint'.split(' '));

/** Makes an object out of `Name{field: value}`. */
export type Construct = (typeName: string, fields: Map<string, unknown>) => unknown;

/** A checked tree as nested functions. Costs are counted as cel-go counts them. */
export function plan(tree: Node, functions: Functions, construct: Construct): Run {
  return new Planner(functions, construct).plan(tree, undefined);
}

export interface Scope {
  name: string;
  slot: number;
  outer: Scope | undefined;
}

/** Grows in place while a loop runs: only the loop's own step can reach it. */
class GrowingList extends ArrayList {
  override plus(other: CelList): CelList {
    for (const item of other) this.items.push(item);
    return this;
  }
}
class GrowingMap extends EntryMap {}

export class Planner {
  readonly #functions: Functions;
  readonly #construct: Construct;
  /** What is the same in every run, and free. */
  readonly #constants = new Map<Run, unknown>();

  constructor(functions: Functions, construct: Construct) {
    this.#functions = functions;
    this.#construct = construct;
  }

  plan(node: Node, scope: Scope | undefined): Run {
    switch (node.kind) {
      case 'literal': {
        return this.#constant(node.value);
      }
      case 'ident': {
        const { name, typeValue, place } = node;
        if (place !== undefined) return (frame) => frame.locals[place.slot];
        if (typeValue !== undefined) {
          const value = new TypeValue(typeValue);
          return () => value;
        }
        return this.#name(name, scope);
      }
      case 'select':
        return this.#select(node, scope);
      case 'call':
        return this.#call(node, scope);
      case 'list':
        return this.#list(node, scope);
      case 'map':
        return this.#map(node, scope);
      case 'struct':
        return this.#struct(node, scope);
      case 'comprehension':
        return this.#comprehension(node, scope);
    }
  }

  #constant(value: unknown): Run {
    const run = () => value;
    this.#constants.set(run, value);
    return run;
  }

  #name(name: string, scope: Scope | undefined): Run {
    for (let at = scope; at !== undefined; at = at.outer) {
      if (at.name !== name) continue;
      const { slot } = at;
      return (frame) => {
        frame.spend(1);
        const value = frame.locals[slot];
        if (value instanceof EvaluationFailure) throw value;
        return value;
      };
    }
    return (frame) => {
      frame.spend(1);
      const value = frame.resolve(name);
      if (value === undefined) throw new EvaluationFailure(`no such attribute(s): ${name}`);
      return value;
    };
  }

  #select({ operand, field, isTest }: SelectNode, scope: Scope | undefined): Run {
    const from = this.plan(operand, scope);
    if (isTest) {
      return (frame) => {
        const value = from(frame);
        if (value instanceof Optional) return value.hasValue && hasField(value.value, field);
        return hasField(value, field);
      };
    }
    const cost = isAttribute(operand) ? 1 : 2;
    return (frame) => {
      const value = from(frame);
      frame.spend(cost);
      if (value instanceof CelMap) {
        const found = value.get(field);
        if (found === undefined) throw new EvaluationFailure(`no such key: ${field}`);
        return found;
      }
      if (value instanceof Optional) return optionalField(frame, value, field, 0);
      return index(value, field);
    };
  }

  #call(node: CallNode, scope: Scope | undefined): Run {
    const given = (node.target === undefined ? node.arguments : [node.target, ...node.arguments]).map((part) =>
      this.plan(part, scope),
    );
    const [first, second, third] = given as [Run, Run, Run];
    switch (node.function) {
      case '_&&_':
        return (frame) => logic(frame, first, second, false);
      case '_||_':
        return (frame) => logic(frame, first, second, true);
      case '_?_:_':
        return (frame) => {
          const condition = first(frame);
          if (typeof condition !== 'boolean') throw noSuchOverload();
          return condition ? second(frame) : third(frame);
        };
      case '@not_strictly_false':
        return (frame) => {
          let value: unknown;
          try {
            value = first(frame);
          } catch (error) {
            if (!(error instanceof EvaluationFailure)) throw error;
          }
          frame.spend(1);
          return typeof value === 'boolean' ? value : true;
        };
      case '_?._':
        return (frame) => {
          const value = first(frame);
          const field = second(frame) as string;
          return optionalField(frame, value instanceof Optional ? value : Optional.of(value), field, 1);
        };
      case 'or':
      case 'orValue':
        return (frame) => {
          const value = first(frame);
          if (!(value instanceof Optional)) throw noSuchOverload();
          if (!value.hasValue) return second(frame);
          return node.function === 'or' ? value : value.value;
        };
    }
    const run = implementationOf(this.#functions.find(node.function)!, node.overloads ?? []);
    // Where only the value tells which overload runs, cel-go knows none for costs.
    const id = node.overloads?.length === 1 ? node.overloads[0]! : node.function === '_==_' ? 'equals' : '';
    const name = node.function;
    if (given.length === 1 && conversions.has(name) && this.#constants.has(first)) {
      try {
        return this.#constant(run(this.#constants.get(first)));
      } catch (error) {
        if (!(error instanceof EvaluationFailure)) throw error;
        throw new PlanFailure(error.message);
      }
    }
    if (id === 'in_list' && this.#constants.has(second))
      return membership(first, this.#constants.get(second) as CelList);
    const isSlow = slowFunctions.has(name);
    const extra = name === '_[_]' && !isAttribute(node.arguments[0]!) ? 1 : 0;
    return (frame) => {
      const values = given.map((part) => part(frame));
      let result: unknown;
      // What takes long is paid for before.
      if (isSlow) frame.spend(callCost(name, id, values, undefined));
      try {
        result =
          name === 'cel.@mapInsert' && values[0] instanceof GrowingMap
            ? grow(values[0], values.slice(1))
            : run(...values);
      } catch (error) {
        if (!isSlow && error instanceof EvaluationFailure) frame.spend(callCost(name, id, values, undefined));
        throw error;
      }
      // Looking for what may be missing is free when it is.
      const isMissing = name === '_[?_]' && result === Optional.none;
      if (!isMissing && !isSlow) frame.spend(callCost(name, id, values, result) + extra);
      return result;
    };
  }

  #list({ elements, optionals }: ListNode, scope: Scope | undefined): Run {
    const parts = elements.map((element) => this.plan(element, scope));
    if (optionals.size === 0 && parts.every((part) => this.#constants.has(part))) {
      return this.#constant(new ArrayList(parts.map((part) => this.#constants.get(part))));
    }
    return (frame) => {
      const items: unknown[] = [];
      for (let at = 0; at < parts.length; at++) {
        const value = parts[at]!(frame);
        if (!optionals.has(at)) items.push(value);
        else if (!(value instanceof Optional)) throw noSuchOverload();
        else if (value.hasValue) items.push(value.value);
      }
      frame.spend(LIST_COST);
      return new ArrayList(items);
    };
  }

  #map({ entries }: MapNode, scope: Scope | undefined): Run {
    const parts = entries.map(({ key, value, isOptional }) => ({
      key: this.plan(key, scope),
      value: this.plan(value, scope),
      isOptional,
    }));
    if (
      parts.every(({ key, value, isOptional }) => !isOptional && this.#constants.has(key) && this.#constants.has(value))
    ) {
      const made = new EntryMap();
      for (const { key, value } of parts) {
        const constant = this.#constants.get(key);
        const text = keyText(constant);
        if (text === undefined) throw new PlanFailure('unsupported key type');
        made.entries.set(text, [constant, this.#constants.get(value)]);
      }
      return this.#constant(made);
    }
    return (frame) => {
      const made = new Map<string, [unknown, unknown]>();
      for (const part of parts) {
        const key = part.key(frame);
        let value = part.value(frame);
        if (part.isOptional) {
          if (!(value instanceof Optional)) throw noSuchOverload();
          if (!value.hasValue) continue;
          value = value.value;
        }
        const text = keyText(key);
        if (text === undefined) throw new EvaluationFailure('unsupported key type');
        made.set(text, [key, value]);
      }
      frame.spend(MAP_COST);
      return new EntryMap(made);
    };
  }

  #struct({ typeName, fields }: StructNode, scope: Scope | undefined): Run {
    const parts = fields.map(({ name, value, isOptional }) => ({ name, value: this.plan(value, scope), isOptional }));
    return (frame) => {
      const made = new Map<string, unknown>();
      for (const { name, value: part, isOptional } of parts) {
        let value = part(frame);
        if (isOptional) {
          if (!(value instanceof Optional)) throw noSuchOverload();
          if (!value.hasValue) continue;
          value = value.value;
        }
        made.set(name, value);
      }
      frame.spend(STRUCT_COST);
      return this.#construct(typeName, made);
    };
  }

  #comprehension(node: ComprehensionNode, scope: Scope | undefined): Run {
    const { slot, outer, inner } = loopScopes(node, scope);
    const range = this.plan(node.range, scope);
    const initial = this.plan(node.initial, scope);
    const condition = this.plan(node.condition, inner);
    const step = this.plan(node.step, inner);
    const result = this.plan(node.result, outer);
    const kind = loopKindOf(node);
    const { isEndless, hasTwo } = kind;
    return (frame) => {
      const { locals } = frame;
      const over = range(frame);
      startLoop(kind, locals, slot, initial(frame));
      for (const [key, value] of turns(over, hasTwo)) {
        locals[slot + 1] = key;
        locals[slot + 2] = value;
        if (isEndless ? locals[slot] instanceof EvaluationFailure : condition(frame) === false) break;
        try {
          locals[slot] = step(frame);
        } catch (error) {
          if (!(error instanceof EvaluationFailure)) throw error;
          locals[slot] = error;
        }
      }
      finishLoop(locals, slot);
      return result(frame);
    };
  }
}

/** Where a loop keeps what it makes (`slot`) and its variables (the next ones). */
export function loopScopes(node: ComprehensionNode, scope: Scope | undefined) {
  const slot = scope === undefined ? 0 : scope.slot + 1;
  const outer: Scope = { name: node.accumulator, slot, outer: scope };
  let inner: Scope = { name: node.variable, slot: slot + 1, outer };
  if (node.variable2 !== undefined) inner = { name: node.variable2, slot: slot + 2, outer: inner };
  return { slot, outer, inner };
}

export interface LoopKind {
  isEndless: boolean;
  hasTwo: boolean;
  growsList: boolean;
  growsMap: boolean;
}

export const loopKindOf = ({ condition, variable2, initial }: ComprehensionNode): LoopKind => ({
  isEndless: condition.kind === 'literal' && condition.value === true,
  hasTwo: variable2 !== undefined,
  growsList: initial.kind === 'list' && initial.elements.length === 0,
  growsMap: initial.kind === 'map' && initial.entries.length === 0,
});

export function startLoop({ growsList, growsMap }: LoopKind, locals: unknown[], slot: number, initial: unknown): void {
  locals[slot] = growsList ? new GrowingList([]) : growsMap ? new GrowingMap() : initial;
}

export function finishLoop(locals: unknown[], slot: number): void {
  const made = locals[slot];
  if (made instanceof GrowingList) locals[slot] = new ArrayList(made.items);
  if (made instanceof GrowingMap) locals[slot] = new EntryMap(made.entries);
}

/** A way from a variable; what is selected from anything else costs one more. */
export function isAttribute(node: Node): boolean {
  if (node.kind === 'ident') return node.place?.isAttribute ?? true;
  if (node.kind === 'select') return isAttribute(node.operand);
  const isIndex = node.kind === 'call' && ['_[_]', '_[?_]', '_?._'].includes(node.function);
  return isIndex && isAttribute(node.arguments[0]!);
}

function grow(map: GrowingMap, added: unknown[]): GrowingMap {
  for (const [text, entry] of (insert(new EntryMap(), ...added) as EntryMap).entries) {
    if (map.entries.has(text)) throw new EvaluationFailure(`insert failed: key ${String(entry[0])} already exists`);
    map.entries.set(text, entry);
  }
  return map;
}

export function* turns(range: unknown, hasTwo: boolean): Generator<[unknown, unknown]> {
  if (range instanceof CelList) {
    for (let at = 0; at < range.size; at++) yield hasTwo ? [BigInt(at), range.at(at)] : [range.at(at), undefined];
  } else if (range instanceof CelMap) {
    for (const key of range.keys()) yield [key, hasTwo ? range.get(key) : undefined];
  } else throw new EvaluationFailure(`got 'types.${goTypeOf(range)}', expected iterable type`);
}

function goTypeOf(value: unknown): string {
  const { kind } = typeOfValue(value);
  return kind[0]!.toUpperCase() + kind.slice(1);
}

const hasField = (value: unknown, field: string): boolean => value instanceof CelMap && value.has(field);

/** Costs `cost` when it is there. */
function optionalField(frame: Frame, from: Optional, field: string, cost: number): Optional {
  if (!from.hasValue) return Optional.none;
  const found = find(from.value, field);
  if (found === undefined) return Optional.none;
  frame.spend(cost);
  return Optional.of(found);
}

/** In a list of literals: looked up, and free. */
function membership(item: Run, list: CelList): Run {
  const keys = new Set(list.toArray().map(keyText));
  if (!keys.has(undefined)) {
    return (frame) => {
      const key = keyText(item(frame));
      return key !== undefined && keys.has(key);
    };
  }
  return (frame) => {
    const value = item(frame);
    frame.spend(list.size);
    return list.toArray().some((one) => equal(one, value));
  };
}

/** Either side may decide alone: what goes wrong on the other then does not matter. */
function logic(frame: Frame, left: Run, right: Run, decisive: boolean): boolean {
  let failure: EvaluationFailure | undefined;
  for (const side of [left, right]) {
    try {
      const value = side(frame);
      if (value === decisive) return decisive;
      if (typeof value !== 'boolean') failure ??= noSuchOverload();
    } catch (error) {
      if (!(error instanceof EvaluationFailure)) throw error;
      failure ??= error;
    }
  }
  if (failure !== undefined) throw failure;
  return !decisive;
}

/** What two sides come to of which neither decided: values, or failures. */
export function decided(outcomes: readonly unknown[], decisive: boolean): boolean {
  for (const outcome of outcomes) {
    if (outcome instanceof EvaluationFailure) throw outcome;
    if (typeof outcome !== 'boolean') throw noSuchOverload();
  }
  return !decisive;
}
