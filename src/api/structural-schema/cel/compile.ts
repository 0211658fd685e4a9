import type { Steps } from '../../../base/steps.ts';
import { estimateCost } from '../../cel/cost/cost-estimate.ts';
import { PlanFailure } from '../../cel/interpreter.ts';
import { CompileError } from '../../cel/issues.ts';
import { kubernetesFunctions } from '../../cel/library.ts';
import { compileProgram, type Environment, type Program } from '../../cel/program.ts';
import { boolType, optionalOf, sameType, stringType } from '../../cel/types.ts';
import type { JsonSchema, ValidationRule } from '../json-schema.ts';
import { type DeclaredType, declaredType, maxSizeAt, SchemaTypes } from './declared-type.ts';
import { rulesCompiled } from './rule-times.ts';

/** One of x-kubernetes-validations. Costs are at most so high, for one value. */
export interface CompiledRule {
  rule: ValidationRule;
  program: Program | undefined;
  /** Why it does not compile. */
  error: string | undefined;
  usesOldSelf: boolean;
  maxCost: number;
  messageProgram: Program | undefined;
  messageError: string | undefined;
  messageMaxCost: number;
}

const kept = new WeakMap<JsonSchema, { isRoot: boolean; rules: CompiledRule[] }>();

/** The rules of one node of a schema, compiled when they are first asked for. Source: apiextensions' cel/compilation.go. */
export function* compiledRules(schema: JsonSchema, isRoot: boolean): Steps<CompiledRule[]> {
  let known = kept.get(schema);
  if (known === undefined || known.isRoot !== isRoot) {
    let tookMs = 0;
    const type = declaredType(schema, isRoot) ?? { maxElements: 0, minSerializedSize: 0, fields: new Map() };
    const rules: CompiledRule[] = [];
    for (const rule of schema['x-kubernetes-validations'] ?? []) {
      const startedMs = performance.now();
      rules.push(compileRule(rule, type));
      tookMs += performance.now() - startedMs;
      yield;
    }
    known = { isRoot, rules };
    kept.set(schema, known);
    rulesCompiled(tookMs);
  }
  return known.rules;
}

/** Undefined where they are to be compiled yet. */
export function knownRules(schema: JsonSchema, isRoot: boolean): CompiledRule[] | undefined {
  const known = kept.get(schema);
  return known?.isRoot === isRoot ? known.rules : undefined;
}

function compileRule(rule: ValidationRule, type: DeclaredType): CompiledRule {
  const made: CompiledRule = {
    rule,
    program: undefined,
    error: undefined,
    usesOldSelf: false,
    maxCost: 0,
    messageProgram: undefined,
    messageError: undefined,
    messageMaxCost: 0,
  };
  if ((rule.rule ?? '').trim() === '') return made;
  const types = new SchemaTypes(type);
  const environment: Environment = {
    functions: kubernetesFunctions(),
    variables: new Map([
      ['self', types.self],
      ['oldSelf', rule.optionalOldSelf === true ? optionalOf(types.self) : types.self],
    ]),
    structs: types,
  };
  const sizes = (path: readonly string[]) => maxSizeAt(type, path);
  try {
    const program = compileProgram(rule.rule, environment);
    if (!sameType(program.type, boolType)) {
      made.error = 'cel expression must evaluate to a bool';
      return made;
    }
    made.usesOldSelf = program.names('oldSelf');
    made.maxCost = estimateCost(program.tree, sizes).max;
    made.program = program;
  } catch (error) {
    made.error = failureOf(error);
    return made;
  }
  if (!rule.messageExpression) return made;
  try {
    const program = compileProgram(rule.messageExpression, environment);
    if (!sameType(program.type, stringType)) made.messageError = 'messageExpression must evaluate to a string';
    else {
      made.messageMaxCost = estimateCost(program.tree, sizes).max;
      made.messageProgram = program;
    }
  } catch (error) {
    made.messageError = `messageExpression ${failureOf(error, 'instantiation')}`;
  }
  return made;
}

function failureOf(error: unknown, planning = 'program instantiation'): string {
  if (error instanceof PlanFailure) return `${planning} failed: ${error.message}`;
  if (error instanceof CompileError) return `compilation failed: ${error.message}`;
  throw error;
}
