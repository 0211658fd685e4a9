import {
  isEmbeddedResource,
  isIntOrString,
  itemsOf,
  type JsonSchema,
  preservesUnknownFields,
  valuesOf,
} from './json-schema.ts';

const meta = 'io.k8s.apimachinery.pkg.apis.meta.v1';
const apiVersion = {
  type: 'string',
  description: 'The version of the API that defines the form of this object.',
};
const metadataDescription = "Standard object's metadata: its name, labels and the like.";
const kind = { type: 'string', description: 'The kind of object, in CamelCase.' };

/**
 * A custom resource's schema as OpenAPI publishes it; `reference` gives the `$ref` to another type's schema. Version 2
 * leaves out what its clients cannot read. Source: apiextensions' openapi builder.
 */
export function publishedSchema(
  structural: JsonSchema,
  version: 2 | 3,
  reference: (typeName: string) => Record<string, unknown>,
): Record<string, any> {
  if (version === 2 && preservesUnknownFields(structural)) return { type: 'object' };
  const metadata = () =>
    version === 3
      ? { allOf: [reference(`${meta}.ObjectMeta`)], default: {}, description: metadataDescription }
      : { ...reference(`${meta}.ObjectMeta`), description: metadataDescription };
  const schema = version === 2 ? node2(structural, metadata) : node3(structural, metadata);
  schema['properties'] = { ...schema['properties'], apiVersion, kind, metadata: metadata() };
  return schema;
}

type Reference = () => Record<string, unknown>;

function withChildren(
  schema: JsonSchema,
  out: Record<string, any>,
  publish: (part: JsonSchema) => Record<string, any>,
): void {
  const items = itemsOf(schema);
  const values = valuesOf(schema);
  if (items !== undefined && out['items'] !== undefined) out['items'] = publish(items);
  if (values !== undefined) out['additionalProperties'] = publish(values);
  if (out['properties'] !== undefined) {
    out['properties'] = Object.fromEntries(
      Object.entries(schema.properties ?? {}).map(([name, part]) => [name, publish(part)]),
    );
  }
}

function asResource(schema: JsonSchema, out: Record<string, any>, metadata: Reference): void {
  if (!isEmbeddedResource(schema)) return;
  out['properties'] = { ...out['properties'], apiVersion, kind, metadata: metadata() };
  const required: string[] = out['required'] ?? [];
  out['required'] = [...required, ...['kind', 'apiVersion'].filter((name) => !required.includes(name))];
}

function node3(schema: JsonSchema, metadata: Reference): Record<string, any> {
  const out: Record<string, any> = { ...schema };
  if (isIntOrString(schema) && schema.anyOf === undefined) {
    out['oneOf'] = [...(schema.oneOf ?? []), { type: 'integer' }, { type: 'string' }].slice(-2);
  }
  withChildren(schema, out, (part) => node3(part, metadata));
  asResource(schema, out, metadata);
  return out;
}

function node2(schema: JsonSchema, metadata: Reference): Record<string, any> {
  const { allOf: _allOf, anyOf: _anyOf, oneOf: _oneOf, not: _not, nullable, ...rest } = schema;
  const out: Record<string, any> = rest;
  const preserve = preservesUnknownFields(schema);
  // kubectl reads "untyped" only where there is neither type nor parts.
  if (nullable === true || preserve) {
    delete out['items'];
    delete out['properties'];
    if (nullable === true || out['type'] === 'object') delete out['type'];
  }
  if (out['type'] === 'array' && out['items'] === undefined) delete out['type'];
  if (typeof out['required'] === 'object') {
    const required = schema.required!.filter((name) => schema.properties?.[name]?.nullable !== true);
    const values = valuesOf(schema);
    if (required.length > 0 && values?.nullable !== true) out['required'] = required;
    else delete out['required'];
  }
  withChildren(schema, out, (part) => node2(part, metadata));
  if (!preserve) asResource(schema, out, metadata);
  return out;
}
