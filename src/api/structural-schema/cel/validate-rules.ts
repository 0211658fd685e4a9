import { deepEqual } from '../../equality.ts';
import type { FieldError } from '../../status.ts';
import {
  isRecord,
  itemsOf,
  type JsonSchema,
  nodesOf,
  propertyOf,
  type ValidationRule,
  valuesOf,
} from '../json-schema.ts';
import { correlate } from '../validate-value.ts';
import { Budget, BudgetExceeded } from './budget.ts';
import { compile, optionalOf } from './program.ts';
import { celValue } from './values.ts';

const withRules = new WeakMap<JsonSchema, boolean>();

export function hasRules(schema: JsonSchema): boolean {
  let known = withRules.get(schema);
  if (known === undefined) {
    known = [...nodesOf(schema)].some((node) => (node['x-kubernetes-validations'] ?? []).length > 0);
    withRules.set(schema, known);
  }
  return known;
}

interface Walk {
  budget: Budget;
  findings: FieldError[];
}

/**
 * Holds an object to its schema's x-kubernetes-validations; `old` is there on updates. Rules about what has not
 * changed are not enforced again. Source: apiextensions' schema/cel/validation.go, KEP-2876.
 */
export function validateRules(schema: JsonSchema, value: unknown, old?: unknown): FieldError[] {
  if (!hasRules(schema)) return [];
  const walk: Walk = { budget: new Budget(), findings: [] };
  try {
    visit(schema, value, old, '', true, walk);
  } catch (error) {
    if (!(error instanceof BudgetExceeded)) throw error;
  }
  return walk.findings;
}

function visit(schema: JsonSchema, value: unknown, old: unknown, path: string, isRoot: boolean, walk: Walk): void {
  if (value === null || value === undefined || !hasRules(schema)) return;
  const rules = schema['x-kubernetes-validations'] ?? [];
  if (rules.length > 0) {
    const self = celValue(schema, value, isRoot);
    const oldSelf = old === undefined || old === null ? null : celValue(schema, old, isRoot);
    const isUnchanged = oldSelf !== null && deepEqual(value, old);
    for (const rule of rules) apply(rule, schema, { value, self, oldSelf, isUnchanged }, path, walk);
  }
  for (const part of schema.allOf ?? []) visit(part, value, old, path, isRoot, walk);
  if (Array.isArray(value)) {
    const items = itemsOf(schema);
    const before = correlate(schema, old);
    if (items === undefined) return;
    value.forEach((item, index) => {
      visit(items, item, before?.(item), `${path}[${index}]`, false, walk);
    });
  } else if (isRecord(value)) {
    const values = valuesOf(schema);
    const oldRecord = isRecord(old) ? old : {};
    for (const key in value) {
      const property = propertyOf(schema, key);
      if (property !== undefined) {
        visit(property, value[key], oldRecord[key], path === '' ? key : `${path}.${key}`, false, walk);
      } else if (values !== undefined) visit(values, value[key], oldRecord[key], `${path}[${key}]`, false, walk);
    }
  }
}

interface Subject {
  value: unknown;
  self: unknown;
  oldSelf: unknown;
  isUnchanged: boolean;
}

function apply(rule: ValidationRule, schema: JsonSchema, subject: Subject, path: string, walk: Walk): void {
  const name = path === '' ? '<nil>' : path;
  const type = JSON.stringify(schema.type ?? '');
  const report = (field: string, message: string, reason: FieldError['reason'] = 'FieldValueInvalid') =>
    walk.findings.push({ reason, field, message });
  let program: ReturnType<typeof compile>;
  try {
    program = compile(rule.rule, 'bool');
  } catch (error) {
    report(name, `Invalid value: ${type}: rule compile error: ${(error as Error).message}`);
    return;
  }
  const isOptional = rule.optionalOldSelf === true;
  if (program.usesOldSelf && subject.oldSelf === null && !isOptional) return;
  const oldSelf = isOptional ? optionalOf(subject.oldSelf) : subject.oldSelf;
  let holds: unknown;
  try {
    holds = program.run({ self: subject.self, oldSelf }, walk.budget);
  } catch (error) {
    report(name, `Invalid value: ${type}: ${evaluationFailure(error as Error, rule)}`);
    if (error instanceof BudgetExceeded) throw error;
    return;
  }
  if (holds === true || (subject.isUnchanged && !program.usesOldSelf)) return;
  const detail = messageOf(rule, { self: subject.self, oldSelf }, walk.budget);
  const field = rule.fieldPath ? `${path}${path === '' ? rule.fieldPath.replace(/^\./, '') : rule.fieldPath}` : name;
  const isContainer = schema.type === 'object' || schema.type === 'array';
  const shown = isContainer ? '' : `: ${JSON.stringify(subject.value)}`;
  switch (rule.reason) {
    case 'FieldValueForbidden':
      report(field, `Forbidden: ${detail}`, 'FieldValueForbidden');
      break;
    case 'FieldValueRequired':
      report(field, `Required value: ${detail}`, 'FieldValueRequired');
      break;
    case 'FieldValueDuplicate':
      report(field, `Duplicate value${shown}`, 'FieldValueDuplicate');
      break;
    default:
      report(field, `Invalid value${shown}: ${detail}`);
  }
}

const textOf = (rule: ValidationRule) => (rule.message || rule.rule).trim();

function evaluationFailure(error: Error, rule: ValidationRule): string {
  const { summary = error.message } = error as { summary?: string };
  if (error instanceof BudgetExceeded) {
    return `'${summary}': no further validation rules will be run due to call cost exceeds limit for rule: ${textOf(rule)}`;
  }
  if (/^no such overload/i.test(summary)) {
    return `'${summary}': call arguments did not match a supported operator, function or macro signature for rule: ${textOf(rule)}`;
  }
  return `${summary.replace(/^No such key/, 'no such key')} evaluating rule: ${textOf(rule)}`;
}

/** The rule's own expression, when it gives a good text; else its message; else the rule. */
function messageOf(rule: ValidationRule, values: { self: unknown; oldSelf: unknown }, budget: Budget): string {
  if (rule.messageExpression) {
    try {
      const text = compile(rule.messageExpression, 'string').run(values, budget);
      const isGood = typeof text === 'string' && text.trim() !== '' && !/[\n\r]/.test(text);
      if (isGood && Buffer.byteLength(text as string) <= 5120) return (text as string).trim();
    } catch (error) {
      if (error instanceof BudgetExceeded) throw error;
    }
  }
  return rule.message ? rule.message.trim() : `failed rule: ${rule.rule.trim()}`;
}
