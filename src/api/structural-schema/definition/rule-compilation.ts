import type { Steps } from '../../../base/steps.ts';
import type { Findings } from '../../validation/findings.ts';
import { type CompiledRule, compiledRules } from '../cel/compile.ts';
import { declaredType, maxCardinality } from '../cel/declared-type.ts';
import { isEmbeddedResource, itemsOf, type JsonSchema, type ValidationRule, valuesOf } from '../json-schema.ts';

/** Estimates above these are refused. Source: apiextensions' validation.go. */
const RULE_COST_LIMIT = 10_000_000;
const SCHEMA_COST_LIMIT = 100_000_000;
const MAXIMUM = 2 ** 64;

/** What all rules of a schema cost together, and the few that cost most. */
interface TotalCost {
  sum: number;
  expensive: { path: string; cost: number }[];
}

interface Place {
  path: string;
  /** Where old values cannot be found again: below lists without keys. */
  uncorrelatable: string | undefined;
  /** How often a value may stand here; undefined: as often as it fits into a request. */
  cardinality: number | undefined;
  isRoot: boolean;
}

/** Compiles a sound schema's rules and adds up what they cost at most. `path` is that of the openAPIV3Schema. */
export function* compileRules(schema: JsonSchema, path: string, findings: Findings): Steps<void> {
  const total: TotalCost = { sum: 0, expensive: [] };
  yield* visit(schema, { path, uncorrelatable: undefined, cardinality: 1, isRoot: true }, total, findings);
  if (total.sum <= SCHEMA_COST_LIMIT) return;
  for (const expensive of total.expensive) {
    findings.forbidden(
      expensive.path,
      'contributed to estimated rule cost total exceeding cost limit for entire OpenAPIv3 schema',
    );
  }
  const what = 'x-kubernetes-validations estimated rule cost total for entire OpenAPIv3 schema';
  findings.forbidden(path, costMessage(what, total.sum, SCHEMA_COST_LIMIT));
}

function* visit(schema: JsonSchema, place: Place, total: TotalCost, findings: Findings): Steps<void> {
  const { path, uncorrelatable } = place;
  const most = mostElements(schema);
  const cardinality =
    place.cardinality === undefined || most === undefined ? undefined : times(place.cardinality, most);
  const values = valuesOf(schema);
  if (values !== undefined) {
    const below = { path: `${path}.additionalProperties`, uncorrelatable, cardinality };
    yield* visit(values, { ...below, isRoot: isEmbeddedResource(values) }, total, findings);
  }
  for (const [name, part] of Object.entries(schema.properties ?? {})) {
    const below = { path: `${path}.properties[${name}]`, uncorrelatable, cardinality };
    yield;
    yield* visit(part, { ...below, isRoot: isEmbeddedResource(part) }, total, findings);
  }
  const items = itemsOf(schema);
  if (items !== undefined) {
    const within = uncorrelatable ?? (schema['x-kubernetes-list-type'] === 'map' ? undefined : path);
    const below = { path: `${path}.items`, uncorrelatable: within, cardinality };
    yield* visit(items, { ...below, isRoot: isEmbeddedResource(items) }, total, findings);
  }
  if ((schema['x-kubernetes-validations'] ?? []).length === 0) return;
  const type = declaredType(schema, place.isRoot);
  if (type === undefined) {
    const message =
      'Internal error: internal error: failed to construct type information for x-kubernetes-validations rules: unable to convert structural schema to CEL declarations';
    findings.list.push({ reason: 'InternalError', field: `${path}.x-kubernetes-validations`, message } as never);
    return;
  }
  const often = place.cardinality ?? maxCardinality(type);
  const rules = yield* compiledRules(schema, place.isRoot);
  rules.forEach((compiled, index) => {
    reportRule(compiled, `${path}.x-kubernetes-validations[${index}]`, often, uncorrelatable, total, findings);
  });
}

function reportRule(
  compiled: CompiledRule,
  at: string,
  often: number,
  uncorrelatable: string | undefined,
  total: TotalCost,
  findings: Findings,
): void {
  const { rule, error, usesOldSelf, maxCost, messageError, messageProgram, messageMaxCost } = compiled;
  const cost = times(maxCost, often);
  if (cost > RULE_COST_LIMIT) {
    findings.forbidden(`${at}.rule`, costMessage('estimated rule cost', cost, RULE_COST_LIMIT));
  }
  observe(total, `${at}.rule`, cost);
  if (error !== undefined) findings.invalid(`${at}.rule`, shown(rule), error);
  if (messageError !== undefined) findings.invalid(`${at}.messageExpression`, shown(rule), messageError);
  else if (messageProgram !== undefined) {
    if (messageMaxCost > RULE_COST_LIMIT) {
      const message = costMessage('estimated messageExpression cost', messageMaxCost, RULE_COST_LIMIT);
      findings.forbidden(`${at}.messageExpression`, message);
    }
    observe(total, `${at}.messageExpression`, messageMaxCost);
  }
  if (usesOldSelf) {
    if (uncorrelatable === undefined) return;
    const detail = `oldSelf cannot be used on the uncorrelatable portion of the schema within ${uncorrelatable}`;
    findings.invalid(`${at}.rule`, rule.rule, detail);
  } else if (rule.optionalOldSelf !== undefined && rule.optionalOldSelf !== null) {
    const detail = 'may not be set if oldSelf is not used in rule';
    findings.invalid(`${at}.optionalOldSelf`, rule.optionalOldSelf, detail);
  }
}

/** As upstream prints its internal type. */
const shown = (rule: ValidationRule) => ({
  Rule: rule.rule,
  Message: rule.message ?? '',
  MessageExpression: rule.messageExpression ?? '',
  Reason: rule.reason ?? null,
  FieldPath: rule.fieldPath ?? '',
  OptionalOldSelf: rule.optionalOldSelf ?? null,
});

const times = (a: number, b: number) => (a === 0 || b === 0 ? 0 : Math.min(a * b, MAXIMUM));

function observe(total: TotalCost, path: string, cost: number): void {
  total.sum = Math.min(total.sum + cost, MAXIMUM);
  if (cost < SCHEMA_COST_LIMIT / 100) return;
  total.expensive.push({ path, cost });
  total.expensive.sort((a, b) => b.cost - a.cost).splice(4);
}

/** By how much a schema multiplies what is below it; undefined: without bound. */
function mostElements(schema: JsonSchema): number | undefined {
  switch (schema.type) {
    case 'object':
      if (schema.additionalProperties === undefined) return 1;
      return schema.maxProperties === undefined ? undefined : Math.max(0, schema.maxProperties);
    case 'array':
      return schema.maxItems === undefined ? undefined : Math.max(0, schema.maxItems);
    default:
      return 1;
  }
}

function costMessage(what: string, cost: number, limit: number): string {
  const factor = cost / limit;
  const shown = factor > 100 ? 'more than 100x' : factor < 1.5 ? `${factor.toFixed(6)}x` : `${factor.toFixed(1)}x`;
  return `${what} exceeds budget by factor of ${shown} (try simplifying the rule, or adding maxItems, maxProperties, and maxLength where arrays, maps, and strings are declared)`;
}
