import { resolveObject } from '../../api/generated-schema.ts';
import type { ResourceDefinition } from '../../api/resource-definition.ts';
import { publishedSchema } from '../../api/structural-schema/open-api.ts';
import { describeType } from './descriptions.ts';
import { listSchemaOf } from './list-schema.ts';
import type { JsonSchema, SchemaMaker } from './schemas.ts';

const meta = 'io.k8s.apimachinery.pkg.apis.meta.v1';

/** Makes what OpenAPI publishes of resources that are not Kubernetes' own: custom ones, and those written by hand. */
export function customSchemas(definitions: ResourceDefinition[]): SchemaMaker {
  const byType = new Map<string, { definition: ResourceDefinition; isList: boolean }>();
  for (const definition of definitions) {
    if (definition.schema.structural === undefined) continue;
    byType.set(definition.schema.name, { definition, isList: false });
    byType.set(listSchemaOf(definition).name, { definition, isList: true });
  }
  return (type, collector) => {
    const known = byType.get(type.name);
    if (known === undefined) return undefined;
    const { definition, isList } = known;
    const { group, version, kind, listKind, schema } = definition;
    const reference = (name: string) => collector.reference(resolveObject({ type: name }));
    const selectable = Object.keys(definition.selectableFields);
    return {
      ...(isList
        ? listOf(definition, collector.version, reference)
        : publishedSchema(schema.structural!, collector.version, reference, commonDescriptions())),
      'x-kubernetes-group-version-kind': [{ group, kind: isList ? listKind : kind, version }],
      ...(selectable.length > 0 && {
        'x-kubernetes-selectable-fields': selectable.map((fieldPath) => ({ fieldPath })),
      }),
    };
  };
}

function listOf(
  { schema }: ResourceDefinition,
  version: 2 | 3,
  reference: (typeName: string) => JsonSchema,
): JsonSchema {
  const prefix = version === 2 ? '#/definitions/' : '#/components/schemas/';
  const { apiVersion, kind } = commonDescriptions();
  const metadata = reference(`${meta}.ListMeta`);
  return {
    type: 'object',
    required: ['items'],
    properties: {
      apiVersion: { ...(apiVersion !== undefined && { description: apiVersion }), type: 'string' },
      items: { type: 'array', items: { $ref: prefix + schema.name } },
      kind: { ...(kind !== undefined && { description: kind }), type: 'string' },
      metadata: version === 2 ? metadata : { allOf: [metadata] },
    },
  };
}

/** What Kubernetes says of the fields that all objects have. */
function commonDescriptions(): { apiVersion?: string; kind?: string; metadata?: string } {
  const { fields } = describeType('io.k8s.api.core.v1.Pod');
  const of = (name: string) => fields.get(name);
  return { apiVersion: of('apiVersion'), kind: of('kind'), metadata: of('metadata') };
}
