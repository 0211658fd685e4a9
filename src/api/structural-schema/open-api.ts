import {
  isEmbeddedResource,
  isIntOrString,
  itemsOf,
  type JsonSchema,
  preservesUnknownFields,
  valuesOf,
} from './json-schema.ts';

const meta = 'io.k8s.apimachinery.pkg.apis.meta.v1';

/** What is said of the fields that every object has. */
export interface CommonDescriptions {
  apiVersion?: string;
  kind?: string;
  metadata?: string;
}

/**
 * A custom resource's schema as OpenAPI publishes it; `reference` gives the `$ref` to another type's schema. Version 2
 * leaves out what its clients cannot read. Source: apiextensions' openapi builder.
 */
export function publishedSchema(
  structural: JsonSchema,
  version: 2 | 3,
  reference: (typeName: string) => Record<string, unknown>,
  descriptions: CommonDescriptions = {},
): Record<string, any> {
  if (version === 2 && preservesUnknownFields(structural)) return { type: 'object' };
  const described = (name: keyof CommonDescriptions, schema: Record<string, unknown>) => ({
    ...(descriptions[name] !== undefined && { description: descriptions[name] }),
    ...schema,
  });
  const common: Common = () => {
    const metadata = reference(`${meta}.ObjectMeta`);
    return {
      apiVersion: described('apiVersion', { type: 'string' }),
      kind: described('kind', { type: 'string' }),
      metadata: described('metadata', version === 3 ? { allOf: [metadata] } : metadata),
    };
  };
  const schema = version === 2 ? node2(structural, common) : node3(structural, common);
  schema['properties'] = { ...schema['properties'], ...common() };
  return schema;
}

/** The fields that every object has. */
type Common = () => Record<string, unknown>;

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

function asResource(schema: JsonSchema, out: Record<string, any>, common: Common): void {
  if (!isEmbeddedResource(schema)) return;
  out['properties'] = { ...out['properties'], ...common() };
  const required: string[] = out['required'] ?? [];
  out['required'] = [...required, ...['kind', 'apiVersion'].filter((name) => !required.includes(name))];
}

const intOrString: JsonSchema[] = [{ type: 'integer' }, { type: 'string' }];

const saysIntOrString = (schemas: JsonSchema[] | undefined) =>
  schemas?.length === 2 && intOrString.every(({ type }, at) => schemas[at]!.type === type);

function node3(schema: JsonSchema, common: Common): Record<string, any> {
  const out: Record<string, any> = { ...schema };
  if (isIntOrString(schema) && !saysIntOrString(schema.anyOf) && !saysIntOrString(schema.allOf?.[0]?.anyOf)) {
    if (schema.anyOf === undefined) out['anyOf'] = intOrString;
    else out['allOf'] = [{ anyOf: intOrString }, ...(schema.allOf ?? [])];
  }
  withChildren(schema, out, (part) => node3(part, common));
  asResource(schema, out, common);
  return out;
}

function node2(schema: JsonSchema, common: Common): Record<string, any> {
  const { allOf: _allOf, anyOf: _anyOf, oneOf: _oneOf, not: _not, default: _default, nullable, ...rest } = schema;
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
  withChildren(schema, out, (part) => node2(part, common));
  if (!preserve) asResource(schema, out, common);
  return out;
}
