import type { CustomResourceSubresourceScale } from '../../api/generated/apiextensions-v1.ts';
import type { FieldError } from '../../api/status.ts';
import { isRecord } from '../../api/structural-schema/json-schema.ts';
import { Findings } from '../../api/validation/findings.ts';

const largestReplicas = 2147483647;

/**
 * What a scale's paths lead to must be counts and a selector; for a status alone, what those of the status lead to.
 * Source: apiextensions' registry/customresource/validator.go.
 */
export function validateScale(
  scale: CustomResourceSubresourceScale | undefined,
  object: object,
  part?: 'status',
): FieldError[] {
  const findings = new Findings();
  if (scale === undefined || scale === null) return findings.list;
  const count = (path: string) => {
    const { value, error } = valueAt(object, path, 'int64', Number.isInteger);
    if (error !== undefined) findings.invalid(path, 0, error);
    else if (value === undefined) return;
    else if ((value as number) < 0) findings.invalid(path, value, 'should be a non-negative integer');
    else if ((value as number) > largestReplicas)
      findings.invalid(path, value, `should be less than or equal to ${largestReplicas}`);
  };
  if (part === undefined) count(scale.specReplicasPath);
  count(scale.statusReplicasPath);
  const selectorPath = scale.labelSelectorPath;
  if (selectorPath === undefined || selectorPath === null) return findings.list;
  const { error } = valueAt(object, selectorPath, 'string', (value) => typeof value === 'string');
  if (error !== undefined) findings.invalid(selectorPath, '', error);
  return findings.list;
}

/** The value at a path; neither value nor error where nothing is. Source: apimachinery's unstructured.NestedFieldNoCopy. */
function valueAt(
  object: object,
  path: string,
  expected: string,
  isExpected: (value: unknown) => boolean,
): { value?: unknown; error?: string } {
  const segments = path.replace(/^\./, '').split('.');
  const unlike = (value: unknown, count: number, wanted: string) =>
    `.${segments.slice(0, count).join('.')} accessor error: ${printGo(value)} is of the type ${goType(value)}, expected ${wanted}`;
  let value: unknown = object;
  for (const [index, segment] of segments.entries()) {
    if (value === null) return {};
    if (!isRecord(value)) return { error: unlike(value, index + 1, 'map[string]interface{}') };
    if (!Object.hasOwn(value, segment)) return {};
    value = value[segment];
  }
  return isExpected(value) ? { value } : { error: unlike(value, segments.length, expected) };
}

/** As Go's `%v`. */
function printGo(value: unknown): string {
  if (value === null || value === undefined) return '<nil>';
  if (Array.isArray(value)) return `[${value.map(printGo).join(' ')}]`;
  if (!isRecord(value)) return String(value);
  const members = Object.keys(value).sort();
  return `map[${members.map((key) => `${key}:${printGo(value[key])}`).join(' ')}]`;
}

function goType(value: unknown): string {
  if (value === null || value === undefined) return '<nil>';
  if (Array.isArray(value)) return '[]interface {}';
  if (typeof value === 'number') return Number.isInteger(value) ? 'int64' : 'float64';
  const types: Record<string, string> = { boolean: 'bool', object: 'map[string]interface {}' };
  return types[typeof value] ?? typeof value;
}
