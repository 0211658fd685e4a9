import { deepEqual } from '../equality.ts';
import type { FieldError } from '../status.ts';
import { Findings } from '../validation/findings.ts';
import { stringFormatOf } from './formats.ts';
import { isIntOrString, isRecord, itemsOf, type JsonSchema, propertyOf, valuesOf } from './json-schema.ts';
import { TooMuchMatching } from './linear-matcher.ts';
import { compilePattern } from './regular-expression.ts';

/** What one schema says of one value; `matches` counts the checks that were made, to choose the closest alternative. */
class Result {
  readonly findings = new Findings();
  matches = 0;
  readonly #seen = new Set<string>();

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
    const text = `${finding.field}: ${finding.message}`;
    if (this.#seen.has(text)) return;
    this.#seen.add(text);
    this.findings.list.push(finding);
  }

  get isValid(): boolean {
    return this.findings.isEmpty;
  }
}

/**
 * Holds a value to a schema: everything but structure, which pruning sees to. The findings' words are upstream's.
 * Parts that are as they were in `old` are not held to anything (KEP-4008, ratcheting).
 * Source: kube-openapi's validation/validate.
 */
export function validateValue(schema: JsonSchema, value: unknown, old?: unknown): FieldError[] {
  return check(schema, value, '', old).findings.list;
}

/** The same for a part of an object: findings are about `path`, but their words name what is below it only. */
export function validatePart(schema: JsonSchema, value: unknown, path: string, old?: unknown): FieldError[] {
  return validateValue(schema, value, old).map((finding) => ({
    ...finding,
    field: finding.field === '<nil>' ? path : `${path}.${finding.field}`,
  }));
}

const typesOf = (schema: JsonSchema): string[] =>
  isIntOrString(schema) ? ['integer', 'string'] : schema.type ? [schema.type] : [];

function check(schema: JsonSchema, value: unknown, path: string, old?: unknown): Result {
  const result = new Result();
  if (old !== undefined && deepEqual(value, old)) return result;
  if (value === null) {
    checkType(schema, value, path, result);
    checkEnum(schema, value, path, result);
    return result;
  }
  checkType(schema, value, path, result);
  checkAlternatives(schema, value, path, old, result);
  if (typeof value === 'string') {
    checkString(schema, value, path, result);
    checkFormat(schema, value, path, result);
  } else if (typeof value === 'number') checkNumber(schema, value, path, result);
  else if (Array.isArray(value)) checkList(schema, value, path, old, result);
  checkEnum(schema, value, path, result);
  if (isRecord(value)) checkObject(schema, value, path, isRecord(old) ? old : {}, result);
  result.matches++;
  return result;
}

const typeOf = (value: unknown): string => {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'array';
  if (typeof value === 'number') return Number.isInteger(value) ? 'integer' : 'number';
  return typeof value;
};

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
  const wanted = types.join(',');
  const before = result.findings.list.length;
  result.add((findings) =>
    findings.invalid(nameOf(path), type, `${path} in body must be of type ${wanted}: ${JSON.stringify(type)}`),
  );
  for (const finding of result.findings.list.slice(before)) finding.reason = 'FieldValueTypeInvalid';
}

function checkAlternatives(schema: JsonSchema, value: unknown, path: string, old: unknown, result: Result): void {
  const composite = (message: string) => result.add((findings) => findings.invalid('<nil>', '', message));
  const quoted = JSON.stringify(path);
  if (schema.anyOf !== undefined && schema.anyOf.length > 0) {
    let best: Result | undefined;
    let valid: Result | undefined;
    for (const alternative of schema.anyOf) {
      const tried = check(alternative, value, path, old);
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
    const tried = schema.oneOf.map((alternative) => check(alternative, value, path, old));
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
      const tried = check(part, value, path, old);
      if (tried.isValid) valid++;
      result.merge(tried);
    }
    if (valid < schema.allOf.length) {
      composite(`${quoted} must validate all the schemas (allOf)${valid === 0 ? '. None validated' : ''}`);
    }
  }
  if (schema.not !== undefined && check(schema.not, value, path).isValid) {
    composite(`${quoted} must not validate the schema (not)`);
  }
  result.matches += 2;
}

function checkString(schema: JsonSchema, value: string, path: string, result: Result): void {
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
    if (!compilePattern(schema.pattern).test(value)) invalid(`should match '${schema.pattern}'`);
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

function checkNumber(schema: JsonSchema, value: number, path: string, result: Result): void {
  result.matches++;
  const invalid = (detail: string) =>
    result.add((findings) => findings.invalid(nameOf(path), value, `${path} in body should be ${detail}`));
  const { format, multipleOf, maximum, minimum } = schema;
  if (schema.type === 'integer' && format === 'int32' && (value < -2147483648 || value > 2147483647)) {
    result.add((findings) =>
      findings.invalid('<nil>', '', `Checked value must be of type integer with format int32 in ${path}`),
    );
  }
  if (multipleOf !== undefined) {
    const times = multipleOf < 1 ? (1 / multipleOf) * value : value / multipleOf;
    if (Math.abs(times - Math.round(times)) > 1e-9 * Math.max(1, Math.abs(times))) {
      invalid(`a multiple of ${multipleOf}`);
    }
  }
  if (maximum !== undefined) {
    if (schema.exclusiveMaximum === true ? value >= maximum : value > maximum) {
      invalid(`less than ${schema.exclusiveMaximum === true ? '' : 'or equal to '}${maximum}`);
    }
  }
  if (minimum !== undefined) {
    if (schema.exclusiveMinimum === true ? value <= minimum : value < minimum) {
      invalid(`greater than ${schema.exclusiveMinimum === true ? '' : 'or equal to '}${minimum}`);
    }
  }
}

function checkList(schema: JsonSchema, value: unknown[], path: string, old: unknown, result: Result): void {
  const items = itemsOf(schema);
  if (items !== undefined) {
    const before = correlate(schema, old);
    for (let index = 0; index < value.length; index++) {
      result.merge(check(items, value[index], `${path}[${index}]`, before?.(value[index])));
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
  if (schema.enum.some((allowed) => deepEqual(allowed, value))) return;
  const supported = schema.enum.map((allowed) => (typeof allowed === 'string' ? allowed : JSON.stringify(allowed)));
  result.add((findings) => findings.notSupported(nameOf(path), value, supported));
}

function checkObject(
  schema: JsonSchema,
  value: Record<string, any>,
  path: string,
  old: Record<string, any>,
  result: Result,
): void {
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
    const property = propertyOf(schema, key);
    if (property !== undefined) {
      result.merge(check(property, value[key], path === '' ? key : `${path}.${key}`, old[key]));
    } else if (additionalProperties === false) {
      const detail = `${path}.${key} in body is a forbidden property`;
      result.add((findings) => findings.invalid(nameOf(path), key, detail));
    } else if (values !== undefined) result.merge(check(values, value[key], `${path}.${key}`, old[key]));
  }
  for (const name of schema.required ?? []) {
    if (!Object.hasOwn(value, name)) {
      result.add((findings) => findings.required(path === '' ? name : `${path}.${name}`));
    }
  }
  result.matches++;
}

/** Finds what an item was before: by its keys, in lists that have some. */
export function correlate(schema: JsonSchema, old: unknown): ((item: unknown) => unknown) | undefined {
  if (schema['x-kubernetes-list-type'] !== 'map' || !Array.isArray(old)) return undefined;
  const keys = schema['x-kubernetes-list-map-keys'] ?? [];
  return (item: any) => old.find((before) => keys.every((key) => deepEqual(before?.[key], item?.[key])));
}
