import type { CallNode, ComprehensionNode, Node } from '../syntax/syntax-tree.ts';
import { isScalar } from '../types.ts';
import { sizeOf } from '../values.ts';
import { estimateCall } from './cost-of-calls.ts';
import {
  add,
  type Cost,
  type EntrySizes,
  type EstimatedNode,
  fixed,
  type KnownSizes,
  MAXIMUM,
  multiply,
  type Range,
  type SizeEstimator,
  union,
  unknownSize,
} from './cost-ranges.ts';
import { LIST_COST, MAP_COST, STRUCT_COST } from './runtime-cost.ts';

interface Local {
  path: string[] | undefined;
  size: Range | undefined;
  entries: EntrySizes | undefined;
}

/** What a checked expression costs at least and at most, given how large values may be. Source: cel-go's checker/cost.go. */
export function estimateCost(tree: Node, sizes: SizeEstimator): Cost {
  return new Coster(sizes).cost(tree);
}

class Coster implements KnownSizes {
  readonly #estimator: SizeEstimator;
  readonly #paths = new Map<Node, string[] | undefined>();
  readonly #sizes = new Map<Node, Range>();
  readonly #entries = new Map<Node, EntrySizes>();
  readonly #locals = new Map<string, Local[]>();

  constructor(estimator: SizeEstimator) {
    this.#estimator = estimator;
  }

  cost(node: Node): Cost {
    switch (node.kind) {
      case 'literal':
        return fixed(0);
      case 'ident': {
        const local = this.#locals.get(node.name)?.at(-1);
        this.#paths.set(node, local === undefined ? [node.name] : local.path);
        return fixed(1);
      }
      case 'select': {
        const operand = this.cost(node.operand);
        if (node.isTest) return operand;
        this.#paths.set(node, this.#pathOf(node.operand, node.field));
        const { kind } = node.operand.type!;
        return kind === 'map' || kind === 'struct' || kind === 'typeParameter' ? add(operand, fixed(1)) : operand;
      }
      case 'call':
        return this.#call(node);
      case 'list': {
        const cost = this.#sum(node.elements);
        this.#entries.set(node, { kind: 'list', key: fixed(1), value: this.#unionOf(node.elements) });
        return add(cost, fixed(LIST_COST));
      }
      case 'map': {
        const keys = node.entries.map(({ key }) => key);
        const values = node.entries.map(({ value }) => value);
        const cost = add(this.#sum(keys), this.#sum(values));
        this.#entries.set(node, { kind: 'map', key: this.#unionOf(keys), value: this.#unionOf(values) });
        return add(cost, fixed(MAP_COST));
      }
      case 'struct':
        return add(this.#sum(node.fields.map(({ value }) => value)), fixed(STRUCT_COST));
      case 'comprehension':
        return isBinding(node) ? this.#binding(node) : this.#comprehension(node);
    }
  }

  #sum(nodes: readonly Node[]): Cost {
    return nodes.reduce((sum, node) => add(sum, this.cost(node)), fixed(0));
  }

  #unionOf(nodes: readonly Node[]): Range {
    if (nodes.length === 0) return fixed(0);
    return nodes.map((node) => this.#sizeOrUnknown(node)).reduce(union);
  }

  #pathOf(node: Node, part: string): string[] | undefined {
    const path = this.#path(node);
    return path === undefined ? [part] : [...path, part];
  }

  #path(node: Node): string[] | undefined {
    if (node.kind === 'ident') {
      const local = this.#locals.get(node.name)?.at(-1);
      if (local !== undefined) return local.path;
    }
    return this.#paths.get(node);
  }

  #call(node: CallNode): Cost {
    if (node.function === 'dyn') {
      const argument = node.arguments[0]!;
      const cost = add(this.cost(argument), fixed(1));
      this.#copySizes(node, argument);
      return cost;
    }
    const costs = node.arguments.map((argument) => this.cost(argument));
    const given = node.arguments.map((argument) => this.#estimated(argument));
    const overloads = node.overloads ?? [];
    if (overloads.length === 0) return fixed(0);
    let sum = fixed(0);
    let target: EstimatedNode | undefined;
    if (node.target !== undefined) {
      sum = this.cost(node.target);
      target = this.#estimated(node.target);
    }
    let most: Cost | undefined;
    let size: Range | undefined;
    for (const id of overloads) {
      const estimate = estimateCall(this, node, id, target, given, costs);
      most = most === undefined ? estimate.cost : union(most, estimate.cost);
      if (estimate.size !== undefined) size = size === undefined ? estimate.size : union(size, estimate.size);
      if (id === 'index_list' || id === 'index_map') {
        const container = node.arguments[0]!;
        size = this.entrySizes(container)?.value;
        this.#paths.set(node, this.#pathOf(container, id === 'index_list' ? '@items' : '@values'));
      }
      size ??= this.#size(node);
    }
    if (size !== undefined) this.#sizes.set(node, size);
    return add(sum, most!);
  }

  #estimated(node: Node): EstimatedNode {
    const path = this.#path(node);
    const isAccumulator = path?.[0] === '@result' || path?.[0] === '__result__';
    return { path: isAccumulator ? undefined : path, type: node.type!, node, size: this.#size(node) };
  }

  #comprehension(node: ComprehensionNode): Cost {
    let sum = add(this.cost(node.range), this.cost(node.initial));
    this.#push(node.accumulator, {
      path: this.#path(node.initial),
      size: this.#size(node.initial),
      entries: this.entrySizes(node.initial),
    });
    const entries = this.entrySizes(node.range);
    const isList = (entries?.kind ?? node.range.type!.kind) === 'list';
    const local = (part: string, size: Range | undefined): Local => ({
      path: this.#pathOf(node.range, part),
      size,
      entries: undefined,
    });
    const value = local(isList ? '@items' : '@values', entries?.value);
    if (node.variable2 !== undefined) {
      this.#push(node.variable, local(isList ? '@indices' : '@keys', entries?.key));
      this.#push(node.variable2, value);
    } else this.#push(node.variable, isList ? value : local('@keys', entries?.key));
    const turn = add(this.cost(node.condition), this.cost(node.step));
    this.#pop(node.variable);
    if (node.variable2 !== undefined) this.#pop(node.variable2);
    sum = add(sum, this.cost(node.result));
    this.#pop(node.accumulator);
    const turns = this.#sizeOrUnknown(node.range);
    sum = add(sum, multiply(turns, turn));
    if (node.initial.kind === 'literal') {
      const size = this.#size(node.initial);
      if (size !== undefined) this.#sizes.set(node, size);
    } else if (node.initial.kind === 'list' || node.initial.kind === 'map') {
      this.#sizes.set(node, turns);
      const made = this.entrySizes(node.step);
      if (made !== undefined) this.#entries.set(node, made);
    }
    return sum;
  }

  #binding(node: ComprehensionNode): Cost {
    const sum = add(this.cost(node.range), this.cost(node.initial));
    this.#push(node.accumulator, {
      path: this.#path(node.initial),
      size: this.#size(node.initial),
      entries: this.entrySizes(node.initial),
    });
    const cost = add(sum, this.cost(node.result));
    this.#pop(node.accumulator);
    this.#copySizes(node, node.result);
    return cost;
  }

  #push(name: string, local: Local): void {
    const stack = this.#locals.get(name);
    if (stack === undefined) this.#locals.set(name, [local]);
    else stack.push(local);
  }

  #pop(name: string): void {
    this.#locals.get(name)!.pop();
  }

  #copySizes(to: Node, from: Node): void {
    const size = this.#size(from);
    if (size !== undefined) this.#sizes.set(to, size);
    this.setEntrySizes(to, this.entrySizes(from));
  }

  setEntrySizes(node: Node, sizes: EntrySizes | undefined): void {
    if (sizes !== undefined) this.#entries.set(node, sizes);
  }

  entrySizes(node: Node): EntrySizes | undefined {
    const known = this.#entries.get(node);
    if (known !== undefined || node.kind !== 'ident') return known;
    return this.#locals.get(node.name)?.at(-1)?.entries;
  }

  #sizeOrUnknown(node: Node): Range {
    return this.#size(node) ?? unknownSize;
  }

  #size(node: Node): Range | undefined {
    const known = this.#sizes.get(node) ?? ownSize(node);
    if (known !== undefined) return known;
    const estimated = this.estimateSize(this.#path(node));
    if (estimated !== undefined) {
      this.#sizes.set(node, estimated);
      return estimated;
    }
    if (isScalar(node.type!)) return fixed(1);
    return node.kind === 'ident' ? this.#locals.get(node.name)?.at(-1)?.size : undefined;
  }

  estimateSize(path: string[] | undefined): Range | undefined {
    if (path === undefined || path.length === 0) return undefined;
    const most = this.#estimator(path);
    return most === undefined ? undefined : { min: 0, max: Math.min(most, MAXIMUM) };
  }
}

/** `optMap` and its like: a name for a value, no loop. */
const isBinding = ({ range, condition, accumulator }: ComprehensionNode) =>
  range.kind === 'list' &&
  range.elements.length === 0 &&
  condition.kind === 'literal' &&
  condition.value === false &&
  accumulator !== '@result';

function ownSize(node: Node): Range | undefined {
  if (node.kind === 'literal') return fixed(sizeOf(node.value));
  if (node.kind === 'list') return fixed(node.elements.length);
  return node.kind === 'map' ? fixed(node.entries.length) : undefined;
}
