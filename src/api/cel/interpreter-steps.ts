import type { Steps } from '../../base/steps.ts';
import type { Functions } from './declarations.ts';
import {
  type Construct,
  decided,
  type Frame,
  finishLoop,
  isAttribute,
  type LoopKind,
  loopKindOf,
  loopScopes,
  Planner,
  type Run,
  type Scope,
  startLoop,
  turns,
} from './interpreter.ts';
import type { CallNode, ComprehensionNode, Node } from './syntax/syntax-tree.ts';
import { partsOf } from './syntax/syntax-tree.ts';
import { EvaluationFailure, noSuchOverload, Optional } from './values.ts';

export type RunSteps = (frame: Frame) => Steps<unknown>;

/** So many turns of a loop are taken between two steps. */
const turnsAtOnce = 16;

/**
 * As `plan`, of a tree that holds loops, so that others may have their turns meanwhile. What holds none is run as ever;
 * around it, parts are evaluated one after the other into places of their own, and what is made of them is run then:
 *
 *     size(list.map(a, f(a))) > 3    ->    @1 := list.map(a, f(a)), in steps;  size(@1) > 3
 */
export function planSteps(tree: Node, functions: Functions, construct: Construct): RunSteps {
  return new StepsPlanner(functions, construct).plan(tree, undefined);
}

/** One of both: most parts of a tree hold no loop. */
type Part = { run: Run; steps?: undefined } | { run?: undefined; steps: RunSteps };

class StepsPlanner {
  readonly #planner: Planner;
  readonly #loops = new Map<Node, boolean>();

  constructor(functions: Functions, construct: Construct) {
    this.#planner = new Planner(functions, construct);
  }

  plan(node: Node, scope: Scope | undefined): RunSteps {
    const { run, steps } = this.#part(node, scope);
    return steps ?? ((frame) => runOnly(run, frame));
  }

  #part(node: Node, scope: Scope | undefined): Part {
    if (!this.#hasLoops(node)) return { run: this.#planner.plan(node, scope) };
    if (node.kind === 'comprehension') return { steps: this.#comprehension(node, scope) };
    if (node.kind === 'call') {
      const steps = this.#lazyCall(node, scope);
      if (steps !== undefined) return { steps };
    }
    return { steps: this.#strict(node, scope) };
  }

  #hasLoops(node: Node): boolean {
    let known = this.#loops.get(node);
    if (known === undefined) {
      known = node.kind === 'comprehension' || partsOf(node).some((part) => this.#hasLoops(part));
      this.#loops.set(node, known);
    }
    return known;
  }

  /** What may leave a part of it alone. */
  #lazyCall(node: CallNode, scope: Scope | undefined): RunSteps | undefined {
    const parts = node.target === undefined ? node.arguments : [node.target, ...node.arguments];
    const name = node.function;
    if (!lazyCalls.has(name)) return undefined;
    const [first, second, third] = parts.map((part) => this.#part(part, scope)) as [Part, Part, Part];
    switch (name) {
      case '_&&_':
      case '_||_':
        return function* (frame) {
          const decisive = name === '_||_';
          const outcomes: unknown[] = [];
          for (const side of [first, second]) {
            const outcome = yield* caught(side, frame);
            if (outcome === decisive) return decisive;
            outcomes.push(outcome);
          }
          return decided(outcomes, decisive);
        };
      case '_?_:_':
        return function* (frame) {
          const condition = yield* evaluated(first, frame);
          if (typeof condition !== 'boolean') throw noSuchOverload();
          return yield* evaluated(condition ? second : third, frame);
        };
      case '@not_strictly_false':
        return function* (frame) {
          const value = yield* caught(first, frame);
          frame.spend(1);
          return typeof value === 'boolean' ? value : true;
        };
      default:
        return function* (frame) {
          const value = yield* evaluated(first, frame);
          if (!(value instanceof Optional)) throw noSuchOverload();
          if (!value.hasValue) return yield* evaluated(second, frame);
          return name === 'or' ? value : value.value;
        };
    }
  }

  /** All of its parts are needed: those up to the last that loops are evaluated first, each into its place. */
  #strict(node: Node, scope: Scope | undefined): RunSteps {
    const parts = partsOf(node);
    const last = parts.findLastIndex((part) => this.#hasLoops(part));
    const places = new Map<Node, Node>();
    const before: { part: Part; slot: number }[] = [];
    let inner = scope;
    for (const part of parts.slice(0, last + 1)) {
      if (part.kind === 'literal') continue;
      const slot = inner === undefined ? 0 : inner.slot + 1;
      before.push({ part: this.#part(part, inner), slot });
      inner = { name: `@${slot}`, slot, outer: inner };
      places.set(part, {
        kind: 'ident',
        name: '',
        offset: part.offset,
        place: { slot, isAttribute: isAttribute(part) },
      });
    }
    const run = this.#planner.plan(withParts(node, places), inner);
    return function* (frame) {
      for (const { part, slot } of before) {
        const value = yield* evaluated(part, frame);
        frame.locals[slot] = value;
      }
      return run(frame);
    };
  }

  #comprehension(node: ComprehensionNode, scope: Scope | undefined): RunSteps {
    const { slot, outer, inner } = loopScopes(node, scope);
    const range = this.#part(node.range, scope);
    const initial = this.#part(node.initial, scope);
    const condition = this.#part(node.condition, inner);
    const step = this.#part(node.step, inner);
    const result = this.#part(node.result, outer);
    const kind: LoopKind = loopKindOf(node);
    return function* (frame) {
      const { locals } = frame;
      const over = yield* evaluated(range, frame);
      startLoop(kind, locals, slot, yield* evaluated(initial, frame));
      let count = 0;
      for (const [key, value] of turns(over, kind.hasTwo)) {
        if (++count % turnsAtOnce === 0) {
          const beganMs = performance.now();
          yield;
          frame.rested(performance.now() - beganMs);
        }
        locals[slot + 1] = key;
        locals[slot + 2] = value;
        if (kind.isEndless) {
          if (locals[slot] instanceof EvaluationFailure) break;
        } else if ((yield* evaluated(condition, frame)) === false) break;
        try {
          locals[slot] = step.run !== undefined ? step.run(frame) : yield* step.steps(frame);
        } catch (error) {
          if (!(error instanceof EvaluationFailure)) throw error;
          locals[slot] = error;
        }
      }
      finishLoop(locals, slot);
      return yield* evaluated(result, frame);
    };
  }
}

const lazyCalls = new Set(['_&&_', '_||_', '_?_:_', '@not_strictly_false', 'or', 'orValue']);

// biome-ignore lint/correctness/useYield: what holds no loop is not cut.
function* runOnly(run: Run, frame: Frame): Steps<unknown> {
  return run(frame);
}

const evaluated = (part: Part, frame: Frame): Steps<unknown> =>
  part.run === undefined ? part.steps(frame) : runOnly(part.run, frame);

/** A failure is a value for those who may do without. */
function* caught(part: Part, frame: Frame): Steps<unknown> {
  try {
    return yield* evaluated(part, frame);
  } catch (error) {
    if (!(error instanceof EvaluationFailure)) throw error;
    return error;
  }
}

/** The node with other nodes in the places of its parts. */
function withParts(node: Node, places: ReadonlyMap<Node, Node>): Node {
  const placed = (part: Node): Node => places.get(part) ?? part;
  switch (node.kind) {
    case 'literal':
    case 'ident':
    case 'comprehension':
      return node;
    case 'select':
      return { ...node, operand: placed(node.operand) };
    case 'call':
      return {
        ...node,
        ...(node.target !== undefined && { target: placed(node.target) }),
        arguments: node.arguments.map(placed),
      };
    case 'list':
      return { ...node, elements: node.elements.map(placed) };
    case 'map':
      return {
        ...node,
        entries: node.entries.map((one) => ({ ...one, key: placed(one.key), value: placed(one.value) })),
      };
    case 'struct':
      return { ...node, fields: node.fields.map((field) => ({ ...field, value: placed(field.value) })) };
  }
}
