import { resolveObject, schemaOfKind } from '../../../api/generated-schema.ts';
import type { GroupVersionKind } from '../../../api/object.ts';
import type { ResourceDefinition } from '../../../api/resource-definition.ts';
import { publishedSchema } from '../../../api/structural-schema/open-api.ts';
import { listSchemaOf } from '../operations/list-schema.ts';
import { describeType } from './descriptions.ts';
import type { JsonSchema, OtherTypes } from './schema-collector.ts';

const meta = 'io.k8s.apimachinery.pkg.apis.meta.v1';

/** What OpenAPI publishes of resources that are not Kubernetes' own: custom ones, and those written by hand. */
export function otherTypes(definitions: ResourceDefinition[]): OtherTypes {
  const byType = new Map<string, { definition: ResourceDefinition; isList: boolean }>();
  for (const definition of definitions) {
    if (schemaOfKind(definition.group, definition.version, definition.kind) !== undefined) continue;
    byType.set(definition.schema.name, { definition, isList: false });
    byType.set(listSchemaOf(definition).name, { definition, isList: true });
  }
  const kindOf = (typeName: string): GroupVersionKind | undefined => {
    const known = byType.get(typeName);
    if (known === undefined) return undefined;
    const { group, version, kind, listKind } = known.definition;
    return { group, kind: known.isList ? listKind : kind, version };
  };
  const make: OtherTypes['make'] = (type, collector) => {
    const known = byType.get(type.name);
    const structural = known?.definition.schema.structural;
    if (known === undefined || structural === undefined) return undefined;
    const { definition, isList } = known;
    const reference = (name: string) => collector.reference(resolveObject({ type: name }));
    const selectable = Object.keys(definition.selectableFields);
    return {
      ...(isList
        ? listOf(definition, collector.version, reference)
        : publishedSchema(structural, collector.version, reference, commonDescriptions())),
      'x-kubernetes-group-version-kind': [kindOf(type.name)],
      ...(selectable.length > 0 && {
        'x-kubernetes-selectable-fields': selectable.map((fieldPath) => ({ fieldPath })),
      }),
    };
  };
  return { make, kindOf };
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

/** The client library has no words for fields that are of another type; people who ask kubectl to explain one find these. */
const metadataDescription = "Standard object's metadata: its name, labels and the like.";

/** What Kubernetes says of the fields that all objects have. */
function commonDescriptions(): { apiVersion?: string; kind?: string; metadata?: string } {
  const { fields } = describeType('io.k8s.api.core.v1.Pod');
  const of = (name: string) => fields.get(name);
  return { apiVersion: of('apiVersion'), kind: of('kind'), metadata: of('metadata') ?? metadataDescription };
}
