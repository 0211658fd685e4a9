import type { ResourceDefinition } from '../../../api/resource-definition.ts';
import type { FieldSchema, TypeSchema, ValueSchema } from '../../../api/schema.ts';

const field = (type: ValueSchema, more: Partial<FieldSchema> = {}): FieldSchema => ({
  type,
  number: 0,
  required: false,
  optional: true,
  emitted: 'nonzero',
  ...more,
});

/** The list of a resource whose types are written by hand: generated lists are types of their own. */
export function listSchemaOf({ schema, kind, listKind }: ResourceDefinition): TypeSchema {
  return {
    name: `${schema.name.slice(0, -kind.length)}${listKind}`,
    fields: {
      apiVersion: field({ kind: 'string' }),
      kind: field({ kind: 'string' }),
      metadata: field({ kind: 'object', type: 'io.k8s.apimachinery.pkg.apis.meta.v1.ListMeta' }),
      items: field({ kind: 'array', items: { kind: 'object', type: schema.name, schema } }, { required: true }),
    },
  };
}
