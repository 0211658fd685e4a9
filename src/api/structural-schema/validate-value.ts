import { runAtOnce, type Steps } from '../../base/steps.ts';
import { deepEqual } from '../equality.ts';
import type { FieldError } from '../status.ts';
import { Findings } from '../validation/findings.ts';
import { isAsBefore } from './correlated.ts';
import { isKnownFormat, stringFormatOf } from './formats.ts';
import { isIntOrString, isRecord, itemsOf, type JsonSchema, propertyOf, valuesOf } from './json-schema.ts';
import { TooMuchMatching } from './linear-matcher.ts';
import { compilePattern } from './regular-expression.ts';

/** Nobody reads more findings, or longer ones: an answer shows a thousand. */
const findingsKept = 1000;
const textKept = 1024 * 1024;
/** A value with each alternative of a schema is a step: what takes more was made for it. */
const mostSteps = 10_000_000;
const stepsBetweenYields = 200;

/** What one schema says of one value; `matches` counts the checks that were made, to choose the closest alternative. */
class Result {
  readonly findings = new Findings();
  matches = 0;
  readonly effort: Effort;
  #seen: Set<string> | undefined;
  #textLength = 0;

  constructor(effort: Effort) {
    this.effort = effort;
  }

  add(report: (findings: Findings) => void): void {
    const before = this.findings.list.length;
    report(this.findings);
    for (const finding of this.findings.list.splice(before)) this.#keep(finding);
  }

  merge(other: Result): void {
    for (const finding of other.findings.list) this.#keep(finding);
    this.matches += other.matches;
  }

  #keep(finding: FieldError): void {
    if (this.isFull) return;
    const text = `${finding.field}: ${finding.message}`;
    this.#seen ??= new Set();
    if (this.#seen.has(text)) return;
    this.#seen.add(text);
    this.#textLength += text.length;
    this.findings.list.push(finding);
  }

  get isValid(): boolean {
    return this.findings.isEmpty;
  }

  /** There is nothing more to find out. */
  get isFull(): boolean {
    return this.findings.list.length >= findingsKept || this.#textLength > textKept;
  }
}

class TooMuchToCheck extends Error {}

/** Counts what a whole validation does. */
class Effort {
  #steps = 0;
  #yieldAt = stepsBetweenYields;

  /** Whether others may have their turns now. */
  spend(steps: number): boolean {
    this.#steps += steps;
    if (this.#steps > mostSteps) throw new TooMuchToCheck();
    if (this.#steps < this.#yieldAt) return false;
    this.#yieldAt = this.#steps + stepsBetweenYields;
    return true;
  }
}

/**
 * Holds a value to a schema: everything but structure, which pruning sees to. The findings' words are upstream's; there
 * are a thousand at most. Parts that are as they were in `old` are not held to anything (KEP-4008, ratcheting).
 * Source: kube-openapi's validation/validate.
 */
export function* valueChecks(schema: JsonSchema, value: unknown, old?: unknown): Steps<FieldError[]> {
  const result = new Result(new Effort());
  try {
    yield* check(schema, value, '', old, result);
  } catch (error) {
    if (!(error instanceof TooMuchToCheck)) throw error;
    result.findings.invalidWithoutValue('<nil>', 'the schema takes too long to hold a value of this size to it');
  }
  return result.findings.list;
}

export const validateValue = (schema: JsonSchema, value: unknown, old?: unknown): FieldError[] =>
  runAtOnce(valueChecks(schema, value, old));

/** The same for a part of an object: findings are about `path`, but their words name what is below it only. */
export function* partChecks(schema: JsonSchema, value: unknown, path: string, old?: unknown): Steps<FieldError[]> {
  return (yield* valueChecks(schema, value, old)).map((finding) => ({
    ...finding,
    field: finding.field === '<nil>' ? path : `${path}.${finding.field}`,
  }));
}

const typesOf = (schema: JsonSchema): string[] =>
  isIntOrString(schema) ? ['integer', 'string'] : schema.type ? [schema.type] : [];

/** A text is held to a pattern character by character. */
const stepsOf = (schema: JsonSchema, text: string): number =>
  1 + (schema.pattern === undefined ? 0 : 10 + (text.length * schema.pattern.length) / 100);

const isSimple = (schema: JsonSchema): boolean =>
  schema.anyOf === undefined && schema.oneOf === undefined && schema.allOf === undefined && schema.not === undefined;

/** Adds what is to say of a value to the result. */
function* check(schema: JsonSchema, value: unknown, path: string, old: unknown, result: Result): Steps<void> {
  if (result.effort.spend(typeof value === 'string' ? stepsOf(schema, value) : 1)) yield;
  if (old !== undefined && isAsBefore(schema, value, old)) return;
  if (value === null) {
    checkType(schema, value, path, result);
    checkEnum(schema, value, path, result);
    return;
  }
  checkType(schema, value, path, result);
  if (isSimple(schema)) result.matches += 2;
  else yield* checkAlternatives(schema, value, path, old, result);
  if (typeof value === 'string') {
    yield* checkString(schema, value, path, result);
    checkFormat(schema, value, path, result);
  } else if (typeof value === 'number') checkNumber(schema, value, path, result);
  else if (Array.isArray(value)) yield* checkList(schema, value, path, old, result);
  checkEnum(schema, value, path, result);
  if (isRecord(value)) yield* checkObject(schema, value, path, isRecord(old) ? old : {}, result);
  result.matches++;
}

function* checkApart(
  schema: JsonSchema,
  value: unknown,
  path: string,
  old: unknown,
  { effort }: Result,
): Steps<Result> {
  const result = new Result(effort);
  yield* check(schema, value, path, old, result);
  return result;
}

const typeOf = (value: unknown): string => {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'array';
  if (typeof value === 'number') return isInteger(value, 'int64') ? 'integer' : 'number';
  return typeof value;
};

const isInteger = (value: number, format: string | undefined): boolean =>
  Number.isInteger(value) &&
  (format === 'int32' ? value >= -(2 ** 31) && value < 2 ** 31 : value >= -(2 ** 63) && value < 2 ** 63);

/** What Go's decoder makes of a number; nothing else has a format of its own. */
const formatOfType: Record<string, string> = { integer: 'int64', number: 'float64' };

/** Errors about the root carry no name. */
const nameOf = (path: string): string => (path === '' ? '<nil>' : path.replace(/^\./, ''));

function checkType(schema: JsonSchema, value: unknown, path: string, result: Result): void {
  const types = typesOf(schema);
  if (types.length === 0) return;
  result.matches++;
  const type = typeOf(value);
  if (type === 'null') {
    if (schema.nullable === true) return;
  } else if (types.includes(type) || (type === 'integer' && types.includes('number'))) {
    result.matches++;
    return;
  }
  // A format stands for the type, where the value is one that could have it.
  const byFormat = !['null', 'string', 'array'].includes(type) && isKnownFormat(schema);
  const wanted = byFormat ? schema.format : types.join(',');
  const given = byFormat ? (formatOfType[type] ?? '') : type;
  const before = result.findings.list.length;
  result.add((findings) =>
    findings.invalid(nameOf(path), given, `${path} in body must be of type ${wanted}: ${JSON.stringify(given)}`),
  );
  for (const finding of result.findings.list.slice(before)) finding.reason = 'FieldValueTypeInvalid';
}

function* checkAlternatives(
  schema: JsonSchema,
  value: unknown,
  path: string,
  old: unknown,
  result: Result,
): Steps<void> {
  const composite = (message: string) => result.add((findings) => findings.invalid('<nil>', '', message));
  const quoted = JSON.stringify(path);
  if (schema.anyOf !== undefined && schema.anyOf.length > 0) {
    let best: Result | undefined;
    let valid: Result | undefined;
    for (const alternative of schema.anyOf) {
      const tried = yield* checkApart(alternative, value, path, old, result);
      if (tried.isValid) {
        valid = tried;
        break;
      }
      if (best === undefined || tried.matches > best.matches) best = tried;
    }
    if (valid === undefined) composite(`${quoted} must validate at least one schema (anyOf)`);
    result.merge(valid ?? best!);
  }
  if (schema.oneOf !== undefined && schema.oneOf.length > 0) {
    const tried: Result[] = [];
    for (const alternative of schema.oneOf) tried.push(yield* checkApart(alternative, value, path, old, result));
    const valid = tried.filter(({ isValid }) => isValid);
    if (valid.length === 1) result.merge(valid[0]!);
    else {
      const found = valid.length === 0 ? 'Found none valid' : `Found ${valid.length} valid alternatives`;
      composite(`${quoted} must validate one and only one schema (oneOf). ${found}`);
      if (valid.length === 0) result.merge(tried.reduce((best, one) => (one.matches > best.matches ? one : best)));
    }
  }
  if (schema.allOf !== undefined && schema.allOf.length > 0) {
    let valid = 0;
    for (const part of schema.allOf) {
      const tried = yield* checkApart(part, value, path, old, result);
      if (tried.isValid) valid++;
      result.merge(tried);
    }
    if (valid < schema.allOf.length) {
      composite(`${quoted} must validate all the schemas (allOf)${valid === 0 ? '. None validated' : ''}`);
    }
  }
  if (schema.not !== undefined && (yield* checkApart(schema.not, value, path, undefined, result)).isValid) {
    composite(`${quoted} must not validate the schema (not)`);
  }
  result.matches += 2;
}

function* checkString(schema: JsonSchema, value: string, path: string, result: Result): Steps<void> {
  result.matches++;
  const invalid = (detail: string) =>
    result.add((findings) => findings.invalid(nameOf(path), value, `${path} in body ${detail}`));
  // Characters, not UTF-16 units.
  const length = value.length > 0 && /[\ud800-\udfff]/.test(value) ? [...value].length : value.length;
  if (schema.maxLength !== undefined && length > schema.maxLength) {
    result.add((findings) => findings.tooLong(nameOf(path), schema.maxLength!));
    return;
  }
  if (schema.minLength !== undefined && length < schema.minLength) {
    invalid(`should be at least ${schema.minLength} chars long`);
    return;
  }
  if (!schema.pattern) return;
  try {
    if (!(yield* compilePattern(schema.pattern).testSteps(value))) invalid(`should match '${schema.pattern}'`);
  } catch (error) {
    const { message } = error as Error;
    if (error instanceof TooMuchMatching) invalid(`should match '${schema.pattern}', but ${message}`);
    else invalid(`should match '${schema.pattern}, but pattern is invalid: ${message}'`);
  }
}

function checkFormat(schema: JsonSchema, value: string, path: string, result: Result): void {
  const matches = stringFormatOf(schema);
  if (matches === undefined) return;
  result.matches++;
  if (matches(value)) return;
  const detail = `${path} in body must be of type ${schema.format}: ${JSON.stringify(value)}`;
  const before = result.findings.list.length;
  result.add((findings) => findings.invalid(nameOf(path), value, detail));
  for (const finding of result.findings.list.slice(before)) finding.reason = 'FieldValueTypeInvalid';
}

function isMultiple(value: number, factor: number): boolean {
  if (Number.isInteger(value) && Number.isInteger(factor)) return value % factor === 0;
  const times = factor < 1 ? (1 / factor) * value : value / factor;
  return Math.abs(times - Math.round(times)) <= 1e-9 * Math.max(1, Math.abs(times));
}

function checkNumber(schema: JsonSchema, value: number, path: string, result: Result): void {
  result.matches++;
  const invalid = (detail: string) =>
    result.add((findings) => findings.invalid(nameOf(path), value, `${path} in body should be ${detail}`));
  const { multipleOf, maximum, minimum } = schema;
  const format = isKnownFormat(schema) ? schema.format : undefined;
  // The bounds of integers are integers too.
  const inRange = (what: string, number: number): void => {
    if (schema.type !== 'integer' || isInteger(number, format)) return;
    const named = format === undefined ? '(default format)' : `with format ${format}`;
    result.add((findings) =>
      findings.invalid('<nil>', '', `${what} value must be of type integer ${named} in ${path}`),
    );
  };
  inRange('Checked', value);
  if (multipleOf !== undefined) inRange('MultipleOf', multipleOf);
  if (multipleOf !== undefined && multipleOf <= 0) {
    const detail = `factor MultipleOf declared for ${path} must be positive: ${multipleOf}`;
    result.add((findings) => findings.invalid(nameOf(path), multipleOf, detail));
  } else if (multipleOf !== undefined && !isMultiple(value, multipleOf)) invalid(`a multiple of ${multipleOf}`);
  if (minimum !== undefined) {
    inRange('Minimum boundary', minimum);
    if (schema.exclusiveMinimum === true ? value <= minimum : value < minimum) {
      invalid(`greater than ${schema.exclusiveMinimum === true ? '' : 'or equal to '}${minimum}`);
    }
  }
  if (maximum !== undefined) {
    inRange('Maximum boundary', maximum);
    if (schema.exclusiveMaximum === true ? value >= maximum : value > maximum) {
      invalid(`less than ${schema.exclusiveMaximum === true ? '' : 'or equal to '}${maximum}`);
    }
  }
}

function* checkList(schema: JsonSchema, value: unknown[], path: string, old: unknown, result: Result): Steps<void> {
  const items = itemsOf(schema);
  if (items !== undefined) {
    const before = correlate(schema, old);
    for (let index = 0; index < value.length && !result.isFull; index++) {
      yield* check(items, value[index], `${path}[${index}]`, before?.(value[index]), result);
    }
  }
  if (schema.minItems !== undefined && value.length < schema.minItems) {
    const detail = `${path} in body should have at least ${schema.minItems} items`;
    result.add((findings) => findings.invalid(nameOf(path), value.length, detail));
  }
  if (schema.maxItems !== undefined && value.length > schema.maxItems) {
    result.add((findings) => findings.tooMany(nameOf(path), value.length, schema.maxItems!));
  }
  result.matches++;
}

function checkEnum(schema: JsonSchema, value: unknown, path: string, result: Result): void {
  result.matches++;
  if (schema.enum === undefined || schema.enum.length === 0) return;
  if (allowedBy(schema.enum)(value)) return;
  if (result.isFull) return;
  result.effort.spend(schema.enum.length);
  const supported = schema.enum.map((allowed) => (typeof allowed === 'string' ? allowed : JSON.stringify(allowed)));
  result.add((findings) => findings.notSupported(nameOf(path), value, supported));
}

const allowedValues = new WeakMap<unknown[], (value: unknown) => boolean>();

/** Enumerations are long at times, and texts mostly. */
function allowedBy(values: unknown[]): (value: unknown) => boolean {
  let allows = allowedValues.get(values);
  if (allows === undefined) {
    const texts = new Set(values.filter((value) => typeof value === 'string'));
    const others = values.filter((value) => typeof value !== 'string');
    allows = (value) =>
      typeof value === 'string' ? texts.has(value) : others.some((other) => deepEqual(other, value));
    allowedValues.set(values, allows);
  }
  return allows;
}

function* checkObject(
  schema: JsonSchema,
  value: Record<string, any>,
  path: string,
  old: Record<string, any>,
  result: Result,
): Steps<void> {
  const keys = Object.keys(value);
  const { minProperties, maxProperties, additionalProperties } = schema;
  if (minProperties !== undefined && keys.length < minProperties) {
    const detail = `${path} in body should have at least ${minProperties} properties`;
    result.add((findings) => findings.invalid(nameOf(path), keys.length, detail));
  }
  if (maxProperties !== undefined && keys.length > maxProperties) {
    result.add((findings) => findings.tooMany(nameOf(path), keys.length, maxProperties));
  }
  const values = valuesOf(schema);
  for (const key of keys) {
    if (result.isFull) return;
    const property = propertyOf(schema, key);
    if (property !== undefined) {
      yield* check(property, value[key], path === '' ? key : `${path}.${key}`, old[key], result);
    } else if (additionalProperties === false) {
      const detail = `${path}.${key} in body is a forbidden property`;
      result.add((findings) => findings.invalid(nameOf(path), key, detail));
    } else if (values !== undefined) yield* check(values, value[key], `${path}.${key}`, old[key], result);
  }
  if (schema.required !== undefined && schema.required.length > 16 && result.effort.spend(schema.required.length))
    yield;
  for (const name of schema.required ?? []) {
    if (!Object.hasOwn(value, name)) {
      result.add((findings) => findings.required(path === '' ? name : `${path}.${name}`));
    }
  }
  result.matches++;
}

/** Finds what an item was before: by its keys, in lists that have some. The first of the same keys counts. */
export function correlate(schema: JsonSchema, old: unknown): ((item: unknown) => unknown) | undefined {
  if (schema['x-kubernetes-list-type'] !== 'map' || !Array.isArray(old)) return undefined;
  const keys = schema['x-kubernetes-list-map-keys'] ?? [];
  let byKeys: Map<string, unknown> | undefined;
  const textOf = (item: any) => JSON.stringify(keys.map((key) => item?.[key]));
  return (item) => {
    if (byKeys === undefined) {
      byKeys = new Map();
      for (const before of old) {
        const text = textOf(before);
        if (!byKeys.has(text)) byKeys.set(text, before);
      }
    }
    return byKeys.get(textOf(item));
  };
}
