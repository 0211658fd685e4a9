import { Optional } from '@marcbachmann/cel-js';
import type { JsonSchema } from '../json-schema.ts';
import { type Budget, meter } from './budget.ts';
import { ruleEnvironment } from './environment.ts';
import { undefinedFieldOf } from './fields.ts';

/** A compiled expression over self and oldSelf. */
export interface Program {
  usesOldSelf: boolean;
  /** A field it selects that the schema of self does not have. */
  undefinedField(schema: JsonSchema, isRoot: boolean): string | undefined;
  /** Throws an Error for what goes wrong while evaluating, BudgetExceeded among them. */
  run(values: { self: unknown; oldSelf: unknown }, budget: Budget): unknown;
}

const kept = new Map<string, Program | Error>();

/** Compiled once for all tenants. Throws an Error that tells what does not compile. */
export function compile(expression: string, wanted: 'bool' | 'string'): Program {
  const key = `${wanted}:${expression}`;
  let known = kept.get(key);
  if (known === undefined) {
    try {
      known = build(expression, wanted);
    } catch (error) {
      known = error as Error;
    }
    // Expressions come from tenants: the bound keeps them from filling memory.
    if (kept.size >= 4096) kept.clear();
    kept.set(key, known);
  }
  if (known instanceof Error) throw known;
  return known;
}

function build(expression: string, wanted: 'bool' | 'string'): Program {
  const parsed = ruleEnvironment().parse(expression);
  const checked = parsed.check();
  if (!checked.valid) throw checked.error;
  if (checked.type !== wanted && checked.type !== 'dyn') {
    throw new Error(`cel expression must evaluate to a ${wanted}`);
  }
  const { usesOldSelf, nodes, spendOn } = meter(parsed.ast);
  return {
    usesOldSelf,
    undefinedField: (schema, isRoot) => undefinedFieldOf(nodes, schema, isRoot),
    run(values, budget) {
      const result = spendOn(budget, () => parsed(values));
      if (result instanceof Promise) throw new Error('no such overload');
      return result;
    },
  };
}

/** What `optionalOldSelf` makes of the old value. */
export const optionalOf = (value: unknown): unknown =>
  value === undefined || value === null ? Optional.none() : Optional.of(value);
