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

function objectOf(name: string, schema: JsonSchema, isResource: boolean): TypeSchema {
  const fields: Record<string, FieldSchema> = {};
  for (const [property, part] of Object.entries(schema.properties ?? {})) {
    fields[property] = fieldOf(valueSchemaOf(`${name}.${property}`, part), part);
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
    // What a list's key is when an item leaves it out: merging goes by it before defaults are filled in.
    ...(schema.default !== undefined && { default: schema.default }),
  };
}

function valueSchemaOf(name: string, schema: JsonSchema): ValueSchema {
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
      return { kind: 'array', items: items === undefined ? { kind: 'any' } : valueSchemaOf(`${name}.items`, items) };
    }
    case 'object': {
      const values = valuesOf(schema);
      if (values !== undefined && schema.properties === undefined) {
        return { kind: 'map', values: valueSchemaOf(`${name}.values`, values) };
      }
      return { kind: 'object', type: name, schema: objectOf(name, schema, isEmbeddedResource(schema)) };
    }
    default:
      return { kind: 'any' };
  }
}
