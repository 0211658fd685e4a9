import type { CustomResourceSubresourceScale } from '../../api/generated/apiextensions-v1.ts';
import type { KubeObject } from '../../api/object.ts';
import type { ResourceStrategy } from '../../api/resource-definition.ts';
import { type FieldError, StatusError } from '../../api/status.ts';
import { hasRules, ruleChecks } from '../../api/structural-schema/cel/validate-rules.ts';
import { applySchemaDefaults, TooManyDefaults } from '../../api/structural-schema/defaults.ts';
import { validateEmbeddedResources } from '../../api/structural-schema/embedded-resources.ts';
import { type JsonSchema, propertyOf } from '../../api/structural-schema/json-schema.ts';
import { listTypeChecks } from '../../api/structural-schema/list-types.ts';
import { partChecks, valueChecks } from '../../api/structural-schema/validate-value.ts';
import { Findings } from '../../api/validation/findings.ts';
import type { Steps } from '../../base/steps.ts';

/** What all custom resources do, by the schema of one version. Source: apiextensions' registry/customresource. */
export function customResourceStrategy(
  schema: JsonSchema,
  scale: CustomResourceSubresourceScale | undefined,
): ResourceStrategy {
  return {
    requiresResourceVersion: true,
    setDefaults(object) {
      try {
        applySchemaDefaults(schema, object);
      } catch (error) {
        if (!(error instanceof TooManyDefaults)) throw error;
        throw new StatusError(413, 'RequestEntityTooLarge', `Request entity too large: ${error.message}`);
      }
    },
    checks: {
      *create(object) {
        const found = [
          ...(yield* valueChecks(schema, object)),
          ...validateScale(scale, object),
          ...validateEmbeddedResources(schema, object),
          ...(yield* listTypeChecks(schema, object)),
        ];
        return yield* withRules(schema, object, undefined, found);
      },
      *update(object, old) {
        const found = [
          ...(yield* valueChecks(schema, object, old)),
          ...validateScale(scale, object),
          ...validateEmbeddedResources(schema, object),
          ...(yield* ratchetedListTypes(schema, object, old)),
        ];
        return yield* withRules(schema, object, old, found);
      },
      *statusUpdate(object, old) {
        const status = propertyOf(schema, 'status');
        const found = [
          ...(status === undefined || object['status'] === undefined
            ? []
            : yield* partChecks(status, object['status'], 'status', old['status'])),
          ...validateScale(scale, object, 'status'),
          ...(yield* ratchetedListTypes(schema, object, old)),
        ];
        return yield* withRules(schema, object, old, found);
      },
    },
  };
}

const blocking = new Set([
  'FieldValueNotSupported',
  'FieldValueRequired',
  'FieldValueTooLong',
  'FieldValueTooMany',
  'FieldValueTypeInvalid',
]);

/** Rules need values of the right form to speak of. */
function* withRules(
  schema: JsonSchema,
  object: KubeObject,
  old: KubeObject | undefined,
  found: FieldError[],
): Steps<FieldError[]> {
  if (!hasRules(schema)) return found;
  if (!found.some(({ reason }) => blocking.has(reason))) {
    return [...found, ...(yield* ruleChecks(schema, object, old))];
  }
  const message =
    'Invalid value: null: some validation rules were not checked because the object was invalid; correct the existing errors to complete validation';
  return [...found, { reason: 'FieldValueInvalid', field: '<nil>', message }];
}

/** Who had duplicates before may keep them. */
function* ratchetedListTypes(schema: JsonSchema, object: KubeObject, old: KubeObject): Steps<FieldError[]> {
  const found = yield* listTypeChecks(schema, object);
  return found.length > 0 && (yield* listTypeChecks(schema, old)).length > 0 ? [] : found;
}

const largestReplicas = 2147483647;

function validateScale(
  scale: CustomResourceSubresourceScale | undefined,
  object: KubeObject,
  part?: 'status',
): FieldError[] {
  const findings = new Findings();
  if (scale === undefined || scale === null) return findings.list;
  const count = (path: string) => {
    const value = valueAt(object, path);
    if (value === undefined) return;
    if (typeof value !== 'number' || !Number.isInteger(value)) {
      findings.invalid(
        path,
        0,
        `${path} accessor error: ${printGo(value)} is of the type ${goType(value)}, expected int64`,
      );
    } else if (value < 0) findings.invalid(path, value, 'should be a non-negative integer');
    else if (value > largestReplicas)
      findings.invalid(path, value, `should be less than or equal to ${largestReplicas}`);
  };
  if (part === undefined) count(scale.specReplicasPath);
  count(scale.statusReplicasPath);
  const selectorPath = scale.labelSelectorPath;
  if (!selectorPath) return findings.list;
  const selector = valueAt(object, selectorPath);
  if (selector !== undefined && typeof selector !== 'string') {
    const detail = `${selectorPath} accessor error: ${printGo(selector)} is of the type ${goType(selector)}, expected string`;
    findings.invalid(selectorPath, '', detail);
  }
  return findings.list;
}

const valueAt = (object: any, path: string): unknown =>
  path
    .split('.')
    .filter((segment) => segment !== '')
    .reduce((at, segment) => at?.[segment], object);

const printGo = (value: unknown) => (typeof value === 'object' ? JSON.stringify(value) : String(value));

function goType(value: unknown): string {
  if (value === null) return '<nil>';
  if (Array.isArray(value)) return '[]interface {}';
  const types: Record<string, string> = { boolean: 'bool', number: 'float64', object: 'map[string]interface {}' };
  return types[typeof value] ?? typeof value;
}
