import { resolveObject } from '../../api/generated-schema.ts';
import type { FieldSchema, TypeSchema, ValueSchema } from '../../api/schema.ts';
import type { JsonSchema as StructuralSchema } from '../../api/structural-schema/json-schema.ts';
import { publishedSchema } from '../../api/structural-schema/open-api.ts';
import { describeType } from './descriptions.ts';

export type JsonSchema = Record<string, any>;

const apimachinery = 'io.k8s.apimachinery.pkg';
/** Types that are written as one value: referred to by the names upstream gives them. */
const specials: Record<string, { name: string; v2: JsonSchema; v3: JsonSchema }> = {
  quantity: {
    name: `${apimachinery}.api.resource.Quantity`,
    v2: { type: 'string' },
    v3: { oneOf: [{ type: 'string' }, { type: 'number' }] },
  },
  time: {
    name: `${apimachinery}.apis.meta.v1.Time`,
    v2: { type: 'string', format: 'date-time' },
    v3: { type: 'string', format: 'date-time' },
  },
  microTime: {
    name: `${apimachinery}.apis.meta.v1.MicroTime`,
    v2: { type: 'string', format: 'date-time' },
    v3: { type: 'string', format: 'date-time' },
  },
  duration: {
    name: `${apimachinery}.apis.meta.v1.Duration`,
    v2: { type: 'string' },
    v3: { type: 'string' },
  },
  intOrString: {
    name: `${apimachinery}.util.intstr.IntOrString`,
    v2: { type: 'string', format: 'int-or-string' },
    v3: { format: 'int-or-string', oneOf: [{ type: 'integer' }, { type: 'string' }] },
  },
};

/** Collects the schemas a document refers to, each once. */
export class SchemaCollector {
  readonly schemas: Record<string, JsonSchema> = {};
  readonly #version: 2 | 3;
  readonly #prefix: string;

  constructor(version: 2 | 3) {
    this.#version = version;
    this.#prefix = version === 2 ? '#/definitions/' : '#/components/schemas/';
  }

  /** A reference to a type; the type and what it refers to are collected. */
  reference(type: TypeSchema): JsonSchema {
    if (this.schemas[type.name] === undefined) {
      const schema: JsonSchema = {};
      this.schemas[type.name] = schema;
      Object.assign(schema, type.structural === undefined ? this.#object(type) : this.#custom(type.structural));
    }
    return { $ref: `${this.#prefix}${type.name}` };
  }

  #custom(structural: StructuralSchema): JsonSchema {
    const schema = publishedSchema(structural, this.#version, (name) => this.reference(resolveObject({ type: name })));
    // What OpenAPI 2 cannot say of a schema is left out, at the root with all its properties.
    const { properties } = schema;
    if (properties === undefined) return schema;
    const common = describeType(`${apimachinery}.apis.meta.v1.Status`).fields;
    for (const name of ['apiVersion', 'kind']) {
      const description = common.get(name);
      if (description !== undefined) properties[name] = { ...properties[name], description };
    }
    return schema;
  }

  #object(type: TypeSchema): JsonSchema {
    const properties: Record<string, JsonSchema> = {};
    const required: string[] = [];
    const { description, fields } = describeType(type.name);
    for (const [name, field] of Object.entries(type.fields)) {
      properties[name] = this.#field(field, fields.get(name));
      if (field.required) required.push(name);
    }
    return {
      type: 'object',
      ...(description !== undefined && { description }),
      ...(Object.keys(properties).length > 0 && { properties }),
      ...(required.length > 0 && { required: required.sort() }),
      ...(type.preserveUnknownFields === true && { 'x-kubernetes-preserve-unknown-fields': true }),
    };
  }

  #field(field: FieldSchema, description: string | undefined): JsonSchema {
    const schema = this.#value(field.type);
    const extensions: JsonSchema = {
      ...(description !== undefined && { description }),
      ...(field.listType !== undefined && { 'x-kubernetes-list-type': field.listType }),
      ...(field.listMapKeys !== undefined && { 'x-kubernetes-list-map-keys': field.listMapKeys }),
      ...(field.mapType !== undefined && { 'x-kubernetes-map-type': field.mapType }),
      ...(field.patchMergeKey !== undefined && { 'x-kubernetes-patch-merge-key': field.patchMergeKey }),
      ...(field.patchStrategy !== undefined && { 'x-kubernetes-patch-strategy': field.patchStrategy.join(',') }),
      ...(field.enum !== undefined && field.type.kind === 'string' && { enum: field.enum }),
      ...(field.default !== undefined && { default: field.default }),
    };
    if (Object.keys(extensions).length === 0) return schema;
    // Beside a $ref nothing else counts in OpenAPI 3.0.
    return this.#version === 3 && schema['$ref'] !== undefined
      ? { allOf: [schema], ...extensions }
      : { ...schema, ...extensions };
  }

  #value(type: ValueSchema): JsonSchema {
    switch (type.kind) {
      case 'string':
        return { type: 'string' };
      case 'boolean':
        return { type: 'boolean' };
      case 'int32':
      case 'int64':
        return { type: 'integer', format: type.kind };
      case 'double':
        return { type: 'number', format: 'double' };
      case 'bytes':
        return { type: 'string', format: 'byte' };
      case 'array':
        return { type: 'array', items: this.#value(type.items) };
      case 'map':
        return { type: 'object', additionalProperties: this.#value(type.values) };
      case 'object':
        return this.reference(resolveObject(type));
      case 'any':
        return this.#version === 3 ? {} : { type: 'object' };
      default: {
        const special = specials[type.kind]!;
        this.schemas[special.name] = this.#version === 2 ? special.v2 : special.v3;
        return { $ref: `${this.#prefix}${special.name}` };
      }
    }
  }
}
