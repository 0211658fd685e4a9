/** So much may one rule, and all rules of one write, cost. Source: apiserver's pkg/apis/cel. */
export const PER_CALL_LIMIT = 1_000_000;
export const RUNTIME_BUDGET = 10_000_000;

export class BudgetExceeded extends Error {}

export class Budget {
  left: number;
  #callLeft = 0;

  constructor(total = RUNTIME_BUDGET) {
    this.left = total;
  }

  beginCall(): void {
    this.#callLeft = Math.min(PER_CALL_LIMIT, this.left);
  }

  get isExceeded(): boolean {
    return this.#callLeft < 0;
  }

  spend(amount: number): void {
    this.left -= amount;
    this.#callLeft -= amount;
    if (this.#callLeft < 0) throw new BudgetExceeded('operation cancelled: actual cost limit exceeded');
  }
}

/** What we touch of the evaluator's syntax tree. */
interface Node {
  op: string;
  args: any;
  meta: { alternate?: Node; macro?: any; evaluate: Evaluate };
  evaluate: Evaluate;
}
type Evaluate = (evaluator: unknown, node: Node, context: unknown) => unknown;

const isNode = (value: any): value is Node =>
  typeof value === 'object' && value !== null && typeof value.op === 'string' && typeof value.meta === 'object';

/**
 * Makes every turn of a loop in a checked tree spend what it evaluates: only loops let a short expression take long.
 * The tree is changed in place. Costs are counted in evaluated nodes, roughly upstream's unit.
 */
export function meter(root: unknown): {
  usesOldSelf: boolean;
  nodes: Iterable<Node>;
  spendOn<T>(budget: Budget, run: () => T): T;
} {
  let current: Budget | undefined;
  let usesOldSelf = false;
  const nodes = reachable(root);
  for (const node of nodes) {
    if (node.op === 'id' && node.args === 'oldSelf') usesOldSelf = true;
    if (node.op !== 'comprehension') continue;
    const { step, condition } = node.args as { step: Node; condition?: (accumulated: unknown) => boolean };
    const cost = reachable(step).size;
    const { alternate, macro, evaluate } = step.meta;
    step.evaluate = (evaluator, _node, context) => {
      current?.spend(cost);
      if (alternate !== undefined) return alternate.evaluate(evaluator, alternate, context);
      return macro !== undefined ? macro.evaluate(evaluator, macro, context) : evaluate(evaluator, step, context);
    };
    // A quantifier goes on after errors: it must not after this one.
    if (condition)
      node.args.condition = (accumulated: unknown) => current?.isExceeded !== true && condition(accumulated);
  }
  const size = nodes.size;
  return {
    usesOldSelf,
    nodes,
    spendOn(budget, run) {
      current = budget;
      budget.beginCall();
      try {
        budget.spend(size);
        const result = run();
        budget.spend(0);
        return result;
      } finally {
        current = undefined;
      }
    },
  };
}

function reachable(root: unknown): Set<Node> {
  const nodes = new Set<Node>();
  const seen = new Set<unknown>();
  const visit = (value: unknown, depth: number) => {
    if (typeof value !== 'object' || value === null || seen.has(value) || depth > 500) return;
    seen.add(value);
    if (isNode(value)) {
      nodes.add(value);
      visit(value.args, depth + 1);
      visit(value.meta.alternate, depth + 1);
      if (value.meta.macro !== undefined)
        for (const part of Object.values(value.meta.macro)) visitPart(part, depth + 1);
    } else visitPart(value, depth);
  };
  const visitPart = (value: unknown, depth: number) => {
    if (Array.isArray(value)) for (const part of value) visit(part, depth + 1);
    else if (isNode(value)) visit(value, depth + 1);
    else if (typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Object.prototype) {
      for (const part of Object.values(value)) visit(part, depth + 1);
    }
  };
  visit(root, 0);
  return nodes;
}
