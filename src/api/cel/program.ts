import type { Steps } from '../../base/steps.ts';
import { check, type Declarations } from './checker.ts';
import { type Construct, Frame, plan, type Run } from './interpreter.ts';
import { planSteps, type RunSteps } from './interpreter-steps.ts';
import { CompileError, type Issue } from './issues.ts';
import { checkLiterals } from './syntax/literal-rules.ts';
import { parse } from './syntax/parser.ts';
import { type Node, nodesOf } from './syntax/syntax-tree.ts';
import type { CelType } from './types.ts';
import { EvaluationFailure, EvaluationStop } from './values.ts';

/** What one call may cost. Source: apiserver's pkg/apis/cel. */
export const PER_CALL_LIMIT = 1_000_000;

export interface Environment extends Declarations {
  /** Absent where no objects can be made. */
  construct?: Construct;
  /** `cel.bind` is understood. */
  bindings?: boolean;
}

export type Outcome =
  | { value: unknown; cost: number; error?: undefined; isExceeded?: undefined }
  /** `isExceeded`: the cost limit ended it. */
  | { value?: undefined; cost: number; error: string; isExceeded: boolean };

/** A compiled expression. Safe to share: a run keeps its state to itself. */
export class Program {
  readonly source: string;
  readonly tree: Node;
  readonly #run: Run;
  readonly #planSteps: () => RunSteps;
  #steps: RunSteps | undefined;
  #loops: boolean | undefined;

  constructor(source: string, tree: Node, run: Run, stepsOf: () => RunSteps) {
    this.source = source;
    this.tree = tree;
    this.#run = run;
    this.#planSteps = stepsOf;
  }

  get type(): CelType {
    return this.tree.type!;
  }

  /** Whether a variable of this name occurs. */
  names(variable: string): boolean {
    for (const node of nodesOf(this.tree)) if (node.kind === 'ident' && node.name === variable) return true;
    return false;
  }

  /** `resolve` gives the values of variables; what it throws itself comes through. */
  evaluate(resolve: (name: string) => unknown, limit = PER_CALL_LIMIT): Outcome {
    return this.#runOnce(new Frame(resolve, limit));
  }

  /** As evaluate; undefined where that would take long, and can be done in steps. */
  evaluateQuickly(resolve: (name: string) => unknown, limit = PER_CALL_LIMIT): Outcome | undefined {
    if (!this.#hasLoops) return this.evaluate(resolve, limit);
    const outcome = this.#runOnce(new Frame(resolve, Math.min(limit, quickCost), quickMs));
    return outcome.isExceeded === true ? undefined : outcome;
  }

  /** As evaluate, in steps: for what evaluateQuickly gave up. */
  *evaluateSteps(resolve: (name: string) => unknown, limit = PER_CALL_LIMIT): Steps<Outcome> {
    yield;
    this.#steps ??= this.#planSteps();
    const frame = new Frame(resolve, limit);
    try {
      return { value: yield* this.#steps(frame), cost: frame.cost };
    } catch (error) {
      return whatFailed(error, frame);
    }
  }

  get #hasLoops(): boolean {
    if (this.#loops === undefined) {
      this.#loops = false;
      for (const { kind } of nodesOf(this.tree)) this.#loops ||= kind === 'comprehension';
    }
    return this.#loops;
  }

  #runOnce(frame: Frame): Outcome {
    try {
      return { value: this.#run(frame), cost: frame.cost };
    } catch (error) {
      return whatFailed(error, frame);
    }
  }
}

/** What is run at once though it loops. */
const quickCost = 30_000;
const quickMs = 4;

function whatFailed(error: unknown, { cost }: Frame): Outcome {
  const isExceeded = error instanceof EvaluationStop;
  if (isExceeded || error instanceof EvaluationFailure) return { error: error.message, cost, isExceeded };
  if (error instanceof RangeError) return { error: 'evaluation exceeded its stack', cost, isExceeded: true };
  throw error;
}

const cannotConstruct: Construct = (typeName) => {
  throw new EvaluationFailure(`unknown type: ${typeName}`);
};

function checkedTree(source: string, environment: Environment): Node {
  const tree = parse(source, environment.bindings);
  const issues: Issue[] = [];
  check(tree, environment, issues);
  if (issues.length === 0) checkLiterals(tree, issues);
  if (issues.length > 0) throw new CompileError(source, issues);
  return tree;
}

/** The type an expression evaluates to; a text says what does not compile. */
export function checkProgram(source: string, environment: Environment): CelType | string {
  try {
    return checkedTree(source, environment).type!;
  } catch (error) {
    if (error instanceof CompileError) return error.message;
    throw error;
  }
}

/** Throws a CompileError, or a PlanFailure where a literal can't be converted; their messages are cel-go's. */
export function compileProgram(source: string, environment: Environment): Program {
  const tree = checkedTree(source, environment);
  const construct = environment.construct ?? cannotConstruct;
  const { functions } = environment;
  return new Program(source, tree, plan(tree, functions, construct), () => planSteps(tree, functions, construct));
}
