import { runAtOnce, type Steps } from '../../../base/steps.ts';
import type { Outcome } from '../../cel/program.ts';
import { Optional } from '../../cel/values.ts';
import type { FieldError } from '../../status.ts';
import { isAsBefore } from '../correlated.ts';
import {
  isEmbeddedResource,
  isRecord,
  itemsOf,
  type JsonSchema,
  partsOf,
  propertyOf,
  type ValidationRule,
  valuesOf,
} from '../json-schema.ts';
import { correlate } from '../validate-value.ts';
import { type CompiledRule, compiledRules, knownRules } from './compile.ts';
import { rulesEvaluated } from './rule-times.ts';
import { celValue } from './values.ts';

/** What all rules of one write may cost. Source: apiserver's pkg/apis/cel. */
const RUNTIME_BUDGET = 10_000_000;
const LONGEST_MESSAGE = 5 * 1024;

const withRules = new WeakMap<JsonSchema, boolean>();

export function hasRules(schema: JsonSchema): boolean {
  let known = withRules.get(schema);
  if (known === undefined) {
    known = (schema['x-kubernetes-validations'] ?? []).length > 0 || partsOf(schema).some(hasRules);
    withRules.set(schema, known);
  }
  return known;
}

/** More findings, and more text of them, nobody reads. */
const findingsKept = 1000;
const textKept = 1024 * 1024;
const stepsBetweenYields = 100;
const costBetweenYields = 2000;

interface Walk {
  budget: number;
  findings: FieldError[];
  steps: number;
  textLength: number;
  /** What was wrong before and stays as it is, is told and not refused. */
  ratchets: boolean;
  /** A rule was met that may ask whether there was anything before. */
  metOptional: boolean;
}

const newWalk = (ratchets: boolean): Walk => ({
  budget: RUNTIME_BUDGET,
  findings: [],
  steps: 0,
  textLength: 0,
  ratchets,
  metOptional: false,
});

/** Nothing more is evaluated: the budget is spent, or enough is found. */
class BudgetSpent {}

/** One value and what it was; `isUnchanged` counts for what cannot be found again among the old, too. */
interface Subject {
  value: unknown;
  old: unknown;
  isUnchanged: boolean;
}

/**
 * Holds an object to its schema's x-kubernetes-validations; `old` is there on updates. Rules about what has not
 * changed are not enforced again. Source: apiextensions' schema/cel/validation.go, KEP-2876, KEP-4008.
 */
export function* ruleChecks(schema: JsonSchema, value: unknown, old?: unknown): Steps<FieldError[]> {
  if (!hasRules(schema)) return [];
  const walk = newWalk(true);
  yield* visitWithin(walk, schema, { value, old, isUnchanged: isUnchanged(walk, schema, value, old) }, '', true);
  return walk.findings;
}

/** @returns whether there is budget left. */
function* visitWithin(walk: Walk, schema: JsonSchema, subject: Subject, path: string, isRoot: boolean): Steps<boolean> {
  try {
    yield* visit(schema, subject, path, isRoot, walk);
    return true;
  } catch (error) {
    if (!(error instanceof BudgetSpent)) throw error;
    return false;
  }
}

/** Holds all defaults of one schema to its rules, within one budget. Source: apiextensions' defaulting/validation.go. */
export class DefaultRules {
  readonly #walk = newWalk(false);
  #isSpent = false;

  /** Nothing more will be found. */
  get isSpent(): boolean {
    return this.#isSpent;
  }

  /** A default has to be right as what has long been there, and, for rules that ask, as what is new. */
  *check(schema: JsonSchema, path: string, isRoot: boolean): Steps<FieldError[]> {
    if (this.#isSpent || !hasRules(schema)) return [];
    const walk = this.#walk;
    const [budget, before] = [walk.budget, walk.findings.length];
    const value = schema.default;
    walk.metOptional = false;
    const asKept = { value, old: value, isUnchanged: false };
    this.#isSpent = !(yield* visitWithin(walk, schema, asKept, path, isRoot));
    if (walk.metOptional && walk.findings.length === before && !this.#isSpent) {
      const left = walk.budget;
      walk.budget = budget;
      const asNew = { value, old: undefined, isUnchanged: false };
      this.#isSpent = !(yield* visitWithin(walk, schema, asNew, path, isRoot));
      walk.budget = Math.min(walk.budget, left);
    }
    return walk.findings.slice(before);
  }
}

export const validateRules = (schema: JsonSchema, value: unknown, old?: unknown): FieldError[] =>
  runAtOnce(ruleChecks(schema, value, old));

const isUnchanged = (walk: Walk, schema: JsonSchema | undefined, value: unknown, old: unknown): boolean =>
  walk.ratchets && old !== undefined && isAsBefore(schema, value, old);

function* visit(schema: JsonSchema, subject: Subject, path: string, isRoot: boolean, walk: Walk): Steps<void> {
  const { value, old } = subject;
  if (value === null || value === undefined || !hasRules(schema)) return;
  if (++walk.steps % stepsBetweenYields === 0) yield;
  if ((schema['x-kubernetes-validations'] ?? []).length > 0)
    yield* applyAll(schema, schema, subject, path, isRoot, walk);
  for (const part of schema.allOf ?? []) yield* visitAllOf(part, schema, subject, path, isRoot, walk);
  if (Array.isArray(value)) {
    const items = itemsOf(schema);
    if (items === undefined || !hasRules(items)) return;
    const before = correlate(schema, old);
    for (const [index, item] of value.entries()) {
      const was = before?.(item);
      const part = { value: item, old: was, isUnchanged: subject.isUnchanged || isUnchanged(walk, items, item, was) };
      yield* visit(items, part, `${path}[${index}]`, isEmbeddedResource(items), walk);
    }
  } else if (isRecord(value)) {
    const values = valuesOf(schema);
    const oldRecord = isRecord(old) ? old : {};
    for (const key in value) {
      const property = propertyOf(schema, key);
      const was = Object.hasOwn(oldRecord, key) ? oldRecord[key] : undefined;
      const part = {
        value: value[key],
        old: was,
        isUnchanged: subject.isUnchanged || isUnchanged(walk, property ?? values, value[key], was),
      };
      if (property !== undefined) {
        yield* visit(property, part, path === '' ? key : `${path}.${key}`, isEmbeddedResource(property), walk);
      } else if (values !== undefined) yield* visit(values, part, `${path}[${key}]`, isEmbeddedResource(values), walk);
    }
  }
}

/** Rules within allOf speak of values as the schema around them types them. */
function* visitAllOf(
  part: JsonSchema,
  around: JsonSchema,
  subject: Subject,
  path: string,
  isRoot: boolean,
  walk: Walk,
): Steps<void> {
  if (!hasRules(part)) return;
  let typed = typedParts.get(part);
  if (typed === undefined) {
    typed = typedAs(part, around);
    typedParts.set(part, typed);
  }
  yield* visit(typed, subject, path, isRoot, walk);
}

const typedParts = new WeakMap<JsonSchema, JsonSchema>();

function typedAs(part: JsonSchema, around: JsonSchema): JsonSchema {
  const { allOf: _allOf, 'x-kubernetes-validations': _rules, ...structure } = around;
  const typed: JsonSchema = { ...structure, ...withoutUndefined(part) };
  const [partItems, items] = [itemsOf(part), itemsOf(around)];
  if (partItems !== undefined && items !== undefined) typed.items = typedAs(partItems, items);
  else if (items !== undefined) typed.items = bare(items);
  const [partValues, values] = [valuesOf(part), valuesOf(around)];
  if (partValues !== undefined && values !== undefined) typed.additionalProperties = typedAs(partValues, values);
  else if (values !== undefined) typed.additionalProperties = bare(values);
  if (around.properties !== undefined) {
    typed.properties = Object.fromEntries(
      Object.entries(around.properties).map(([name, property]) => {
        const own = propertyOf(part, name);
        return [name, own === undefined ? bare(property) : typedAs(own, property)];
      }),
    );
  }
  return typed;
}

const withoutUndefined = (schema: JsonSchema): JsonSchema =>
  Object.fromEntries(Object.entries(schema).filter(([, value]) => value !== undefined && value !== ''));

/** The same types without rules: those are held to elsewhere. */
function bare(schema: JsonSchema): JsonSchema {
  return typedAs({}, schema);
}

function* applyAll(
  schema: JsonSchema,
  typed: JsonSchema,
  subject: Subject,
  path: string,
  isRoot: boolean,
  walk: Walk,
): Steps<void> {
  const { value, old } = subject;
  let self: unknown;
  let oldSelf: unknown;
  const values = (name: string, isOptional: boolean): unknown => {
    if (name === 'self') {
      self ??= celValue(typed, value, isRoot);
      return self;
    }
    if (old === undefined || old === null) return isOptional ? Optional.none : undefined;
    oldSelf ??= celValue(typed, old, isRoot);
    return isOptional ? Optional.of(oldSelf) : oldSelf;
  };
  if (walk.budget <= 0) {
    throw budgetSpent(walk, schema, path);
  }
  let tookMs = 0;
  try {
    for (const compiled of knownRules(schema, isRoot) ?? (yield* compiledRules(schema, isRoot))) {
      const isOptional = compiled.rule.optionalOldSelf === true;
      walk.metOptional ||= isOptional;
      const budget = walk.budget;
      if (walk.findings.length >= findingsKept || walk.textLength > textKept) throw new BudgetSpent();
      const resolve = (name: string) => values(name, isOptional);
      const startedMs = performance.now();
      let outcome = outcomeOf(compiled, subject, resolve);
      tookMs += performance.now() - startedMs;
      if (outcome === 'none') continue;
      outcome ??= yield* compiled.program!.evaluateSteps(resolve);
      if (outcome.value === true && outcome.cost <= walk.budget) walk.budget -= outcome.cost;
      else yield* apply(compiled, outcome, schema, subject, resolve, path, walk);
      if (budget - walk.budget > costBetweenYields) yield;
    }
  } finally {
    rulesEvaluated(tookMs);
  }
}

const nameOf = (path: string) => (path === '' ? '<nil>' : path);

function refuse(walk: Walk, { type = '' }: JsonSchema, path: string, detail: string): void {
  const message = `Invalid value: ${JSON.stringify(type)}: ${detail}`;
  walk.textLength += message.length;
  walk.findings.push({ reason: 'FieldValueInvalid', field: nameOf(path), message });
}

function budgetSpent(walk: Walk, schema: JsonSchema, path: string): BudgetSpent {
  const detail = 'validation failed due to running out of cost budget, no further validation rules will be run';
  refuse(walk, schema, path, detail);
  return new BudgetSpent();
}

/** 'none': the rule is not asked; undefined: it takes long. */
function outcomeOf(
  { rule, program, error, usesOldSelf }: CompiledRule,
  { old }: Subject,
  resolve: (name: string) => unknown,
): Outcome | 'none' | undefined {
  if (error !== undefined) return notCompiled;
  if (program === undefined) return 'none';
  if (usesOldSelf && (old === undefined || old === null) && rule.optionalOldSelf !== true) return 'none';
  return program.evaluateQuickly(resolve);
}
const notCompiled: Outcome = { error: '', cost: 0, isExceeded: false };

/** What a rule came to. */
function* apply(
  compiled: CompiledRule,
  outcome: Outcome,
  schema: JsonSchema,
  { value, isUnchanged }: Subject,
  resolve: (name: string) => unknown,
  path: string,
  walk: Walk,
): Steps<void> {
  const { rule, error, usesOldSelf } = compiled;
  if (error !== undefined) {
    refuse(walk, schema, path, `rule compile error: ${error}`);
    return;
  }
  if (outcome.cost > walk.budget) {
    throw budgetSpent(walk, schema, path);
  }
  walk.budget -= outcome.cost;
  if (outcome.error !== undefined) {
    refuse(walk, schema, path, failureText(outcome.error, outcome.isExceeded, rule));
    if (outcome.isExceeded) throw new BudgetSpent();
    return;
  }
  if (outcome.value === true) return;
  const detail = yield* detailOf(compiled, schema, resolve, path, walk);
  const before = walk.findings.length;
  report(rule, schema, value, path, detail, walk);
  // What was wrong before and stays as it is, is told and not refused.
  if (isUnchanged && !usesOldSelf) for (const finding of walk.findings.slice(before)) finding.isWarning = true;
}

const ruleText = (rule: ValidationRule) => (rule.message || rule.rule).trim();

function failureText(error: string, isExceeded: boolean, rule: ValidationRule): string {
  if (isExceeded) {
    return `'${error}': no further validation rules will be run due to call cost exceeds limit for rule: ${ruleText(rule)}`;
  }
  if (error.startsWith('no such overload')) {
    return `'${error}': call arguments did not match a supported operator, function or macro signature for rule: ${ruleText(rule)}`;
  }
  return `${error} evaluating rule: ${ruleText(rule)}`;
}

/** The rule's own expression, when it gives a good text; else its message; else the rule. */
function* detailOf(
  { rule, messageProgram }: CompiledRule,
  schema: JsonSchema,
  resolve: (name: string) => unknown,
  path: string,
  walk: Walk,
): Steps<string> {
  if (messageProgram !== undefined) {
    const { value, cost, isExceeded } =
      messageProgram.evaluateQuickly(resolve) ?? (yield* messageProgram.evaluateSteps(resolve));
    if (cost > walk.budget) {
      refuse(
        walk,
        schema,
        path,
        'messageExpression evaluation failed due to running out of cost budget, no further validation rules will be run',
      );
      throw new BudgetSpent();
    }
    if (isExceeded === true) {
      refuse(
        walk,
        schema,
        path,
        `no further validation rules will be run due to call cost exceeds limit for messageExpression: ${JSON.stringify(rule.messageExpression)}`,
      );
      throw new BudgetSpent();
    }
    walk.budget -= cost;
    const text = typeof value === 'string' ? value.trim() : '';
    if (text !== '' && !text.includes('\n') && Buffer.byteLength(text) <= LONGEST_MESSAGE) return text;
  }
  return rule.message ? rule.message.trim() : `failed rule: ${rule.rule.trim()}`;
}

function report(
  rule: ValidationRule,
  schema: JsonSchema,
  value: unknown,
  path: string,
  detail: string,
  walk: Walk,
): void {
  const below = rule.fieldPath ? (path === '' ? rule.fieldPath.replace(/^\./, '') : rule.fieldPath) : '';
  const field = below === '' ? nameOf(path) : `${path}${below}`;
  const isContainer = schema.type === 'object' || schema.type === 'array';
  const shown = isContainer ? '' : `: ${JSON.stringify(value)}`;
  const push = (reason: FieldError['reason'], message: string) => {
    walk.textLength += message.length;
    walk.findings.push({ reason, field, message });
  };
  switch (rule.reason) {
    case 'FieldValueForbidden':
      push('FieldValueForbidden', `Forbidden: ${detail}`);
      break;
    case 'FieldValueRequired':
      push('FieldValueRequired', `Required value: ${detail}`);
      break;
    case 'FieldValueDuplicate':
      push('FieldValueDuplicate', `Duplicate value${shown}`);
      break;
    default:
      push('FieldValueInvalid', `Invalid value${shown}: ${detail}`);
  }
}
