import type { FieldSchema, TypeSchema, ValueSchema } from '../schema.ts';
import {
  isEmbeddedResource,
  isIntOrString,
  itemsOf,
  type JsonSchema,
  preservesUnknownFields,
  valuesOf,
} from './json-schema.ts';

const string: ValueSchema = { kind: 'string' };
const metadata: ValueSchema = { kind: 'object', type: 'io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta' };

/**
 * A structural schema in the form built-in types have, for what merges and owns fields. Required fields, defaults and
 * everything about values stay with `structural`.
 */
export function typeSchemaOf(name: string, structural: JsonSchema): TypeSchema {
  return { ...objectOf(name, structural, true), structural };
}

/** `keys` are those of the list whose item it is: what they are when left out counts before defaults are filled in. */
function objectOf(name: string, schema: JsonSchema, isResource: boolean, keys: readonly string[] = []): TypeSchema {
  const fields: Record<string, FieldSchema> = {};
  for (const [property, part] of Object.entries(schema.properties ?? {})) {
    const field = fieldOf(valueSchemaOf(`${name}.${property}`, part), part);
    if (part.default !== undefined && keys.includes(property)) field.default = part.default;
    fields[property] = field;
  }
  if (isResource) {
    fields['apiVersion'] = fieldOf(string, {});
    fields['kind'] = fieldOf(string, {});
    fields['metadata'] = fieldOf(metadata, {});
  }
  return { name, fields, ...(preservesUnknownFields(schema) && { preserveUnknownFields: true }) };
}

function fieldOf(type: ValueSchema, schema: JsonSchema): FieldSchema {
  const listType = type.kind === 'array' ? (schema['x-kubernetes-list-type'] ?? 'atomic') : undefined;
  const listMapKeys = schema['x-kubernetes-list-map-keys'];
  const mapType = schema['x-kubernetes-map-type'];
  return {
    type,
    number: 0,
    required: false,
    optional: true,
    emitted: 'set',
    ...(listType !== undefined && { listType }),
    ...(listType === 'map' && listMapKeys !== undefined && { listMapKeys }),
    ...(mapType !== undefined && { mapType }),
  };
}

function valueSchemaOf(name: string, schema: JsonSchema, keys?: readonly string[]): ValueSchema {
  if (isIntOrString(schema)) return { kind: 'intOrString' };
  switch (schema.type) {
    case 'string':
      return string;
    case 'boolean':
      return { kind: 'boolean' };
    case 'integer':
      return { kind: 'int64' };
    case 'number':
      return { kind: 'double' };
    case 'array': {
      const items = itemsOf(schema);
      if (items === undefined) return { kind: 'array', items: { kind: 'any' } };
      const itemKeys = schema['x-kubernetes-list-map-keys'];
      return { kind: 'array', items: valueSchemaOf(`${name}.items`, items, itemKeys) };
    }
    case 'object': {
      const values = valuesOf(schema);
      const atomic = schema['x-kubernetes-map-type'] === 'atomic' && { atomic: true };
      if (values !== undefined && schema.properties === undefined) {
        return { kind: 'map', values: valueSchemaOf(`${name}.values`, values), ...atomic };
      }
      return {
        kind: 'object',
        type: name,
        schema: objectOf(name, schema, isEmbeddedResource(schema), keys),
        ...atomic,
      };
    }
    default:
      return { kind: 'any' };
  }
}
