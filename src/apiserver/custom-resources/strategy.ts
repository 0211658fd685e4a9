import type { CustomResourceSubresourceScale } from '../../api/generated/apiextensions-v1.ts';
import type { KubeObject } from '../../api/object.ts';
import type { ResourceStrategy } from '../../api/resource-definition.ts';
import { type FieldError, StatusError } from '../../api/status.ts';
import { hasRules, ruleChecks } from '../../api/structural-schema/cel/validate-rules.ts';
import { schemaDefaultsSteps, TooManyDefaults } from '../../api/structural-schema/defaults.ts';
import { validateEmbeddedResources } from '../../api/structural-schema/embedded-resources.ts';
import { type JsonSchema, propertyOf } from '../../api/structural-schema/json-schema.ts';
import { listTypeChecks } from '../../api/structural-schema/list-types.ts';
import { partChecks, valueChecks } from '../../api/structural-schema/validate-value.ts';
import { runAtOnce, type Steps } from '../../base/steps.ts';
import { validateScale } from './scale-paths.ts';

/** What all custom resources do, by the schema of one version. Source: apiextensions' registry/customresource. */
export function customResourceStrategy(
  schema: JsonSchema,
  scale: CustomResourceSubresourceScale | undefined,
): ResourceStrategy {
  return {
    requiresResourceVersion: true,
    setDefaults: (object) => runAtOnce(defaultsSteps(schema, object)),
    defaultsSteps: (object) => defaultsSteps(schema, object),
    checks: {
      *create(object, ofMetadata) {
        const found = [
          ...(yield* valueChecks(schema, object)),
          ...validateScale(scale, object),
          ...validateEmbeddedResources(schema, object),
          ...(yield* listTypeChecks(schema, object)),
        ];
        return yield* withRules(schema, object, undefined, found, ofMetadata);
      },
      *update(object, old, ofMetadata) {
        const found = [
          ...(yield* valueChecks(schema, object, old)),
          ...validateScale(scale, object),
          ...validateEmbeddedResources(schema, object),
          ...(yield* ratchetedListTypes(schema, object, old)),
        ];
        return yield* withRules(schema, object, old, found, ofMetadata);
      },
      *statusUpdate(object, old, ofMetadata) {
        const status = propertyOf(schema, 'status');
        const found = [
          ...(status === undefined || object['status'] === undefined
            ? []
            : yield* partChecks(status, object['status'], 'status', old['status'])),
          ...validateScale(scale, object, 'status'),
          ...(yield* ratchetedListTypes(schema, object, old)),
        ];
        return yield* withRules(schema, object, old, found, ofMetadata);
      },
    },
  };
}

function* defaultsSteps(schema: JsonSchema, object: KubeObject): Steps<void> {
  try {
    yield* schemaDefaultsSteps(schema, object);
  } catch (error) {
    if (!(error instanceof TooManyDefaults)) throw error;
    throw new StatusError(413, 'RequestEntityTooLarge', `Request entity too large: ${error.message}`);
  }
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
  ofMetadata: readonly FieldError[],
): Steps<FieldError[]> {
  if (!hasRules(schema)) return found;
  const isBlocking = ({ reason }: FieldError) => blocking.has(reason);
  if (!found.some(isBlocking) && !ofMetadata.some(isBlocking)) {
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
