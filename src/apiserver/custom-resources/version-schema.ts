import type { CustomResourceDefinitionVersion } from '../../api/generated/apiextensions-v1.ts';
import type { JsonSchema } from '../../api/structural-schema/json-schema.ts';

const preserving: JsonSchema = { type: 'object', 'x-kubernetes-preserve-unknown-fields': true };

/** A version without a schema keeps everything. */
export const schemaOfVersion = (version: CustomResourceDefinitionVersion): JsonSchema =>
  (version.schema?.openAPIV3Schema as JsonSchema | undefined) ?? preserving;
