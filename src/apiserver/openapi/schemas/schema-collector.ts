import { resolveObject, structureFactsOf } from '../../../api/generated-schema.ts';
import type { GroupVersionKind } from '../../../api/object.ts';
import { type FieldSchema, type TypeSchema, type ValueSchema, zeroScalar } from '../../../api/schema.ts';
import type { Steps } from '../../../base/steps.ts';
import { describeType } from './descriptions.ts';
import { type GroupVersion, groupVersionKindsOf } from './group-version-kinds.ts';
import { specialType } from './special-types.ts';

export type JsonSchema = Record<string, any>;

export type OpenApiVersion = 2 | 3;

/** What an operation takes and gives: a type, or text. */
export type Payload = TypeSchema | 'string';

/** Types that the table of Kubernetes' own does not have, or knows no kind of. */
export interface OtherTypes {
  /** A custom resource's; undefined for a type that is made from its fields. */
  make(type: TypeSchema, collector: SchemaCollector): JsonSchema | undefined;
  kindOf(typeName: string): GroupVersionKind | undefined;
}

const jsonSchema = 'io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaProps';
/** Fields that refer to a type and of which upstream says nothing. */
const undescribed = new Set([
  ...['additionalItems', 'additionalProperties', 'example', 'externalDocs', 'items', 'not'].map(
    (name) => `${jsonSchema}.${name}`,
  ),
  'io.k8s.api.networking.v1.IngressRule.http',
]);

/**
 * Collects the schemas a document refers to, each once. Source: kube-openapi's generators and builders: version 3 says
 * defaults and wraps references that have more beside them, version 2 does neither.
 */
export class SchemaCollector {
  readonly version: OpenApiVersion;
  readonly #schemas = new Map<string, JsonSchema>();
  readonly #pending: { type: TypeSchema; schema: JsonSchema }[] = [];
  readonly #prefix: string;
  readonly #others: OtherTypes | undefined;
  readonly #of: GroupVersion | 'custom' | undefined;

  /** @param of what a document of version 3 is about. */
  constructor(version: OpenApiVersion, others?: OtherTypes, of?: GroupVersion | 'custom') {
    this.version = version;
    this.#of = of;
    this.#others = others;
    this.#prefix = version === 2 ? '#/definitions/' : '#/components/schemas/';
  }

  /** What was referred to, and what that refers to, in the order of the names. */
  *collect(): Steps<Record<string, JsonSchema>> {
    for (let next = this.#pending.pop(); next !== undefined; next = this.#pending.pop()) {
      const { type, schema } = next;
      Object.assign(schema, this.#others?.make(type, this) ?? this.#object(type));
      yield;
    }
    return Object.fromEntries([...this.#schemas].sort(([a], [b]) => (a < b ? -1 : 1)));
  }

  payload(payload: Payload): JsonSchema {
    return payload === 'string' ? { type: 'string' } : this.reference(payload);
  }

  /** A reference to a type, which is collected when its turn comes. */
  reference(type: TypeSchema): JsonSchema {
    if (!this.#schemas.has(type.name)) {
      const schema: JsonSchema = {};
      this.#schemas.set(type.name, schema);
      this.#pending.push({ type, schema });
    }
    return { $ref: this.#prefix + type.name };
  }

  /** A reference to a type that has no fields of its own. */
  #referenceTo(name: string, schema: JsonSchema): JsonSchema {
    if (!this.#schemas.has(name)) {
      const { description } = describeType(name);
      this.#schemas.set(name, { ...(description !== undefined && { description }), ...schema });
    }
    return { $ref: this.#prefix + name };
  }

  #object(type: TypeSchema): JsonSchema {
    const properties: [string, JsonSchema][] = [];
    const required: string[] = [];
    const { description, fields } = describeType(type.name);
    for (const [name, field] of Object.entries(type.fields)) {
      const isDescribed = !undescribed.has(`${type.name}.${name}`);
      const words = isDescribed ? (fields.get(name) ?? describeHeld(field.type)) : undefined;
      properties.push([name, this.#field(field, words, isDescribed)]);
      if (field.required) required.push(name);
    }
    properties.sort(([a], [b]) => (a < b ? -1 : 1));
    const other = this.#others?.kindOf(type.name);
    const kinds = other === undefined ? groupVersionKindsOf(type.name, this.#of) : [other];
    const { mapType, union } = structureFactsOf(type.name) ?? {};
    return {
      ...(description !== undefined && { description }),
      type: 'object',
      ...(required.length > 0 && { required }),
      ...(properties.length > 0 && { properties: Object.fromEntries(properties) }),
      ...(kinds.length > 0 && { 'x-kubernetes-group-version-kind': kinds }),
      ...(mapType !== undefined && { 'x-kubernetes-map-type': mapType }),
      ...(type.preserveUnknownFields === true && { 'x-kubernetes-preserve-unknown-fields': true }),
      ...(union !== undefined && {
        'x-kubernetes-unions': [
          {
            ...(union.discriminator !== undefined && { discriminator: union.discriminator }),
            'fields-to-discriminateBy': union.members,
          },
        ],
      }),
    };
  }

  /** @param isDescribed upstream describes it, whether we have its words or not. */
  #field(field: FieldSchema, description: string | undefined, isDescribed: boolean): JsonSchema {
    const { type, listType, listMapKeys, patchMergeKey, patchStrategy } = field;
    const ofStructure = type.kind === 'object' ? structureFactsOf(type.type)?.mapType : undefined;
    const mapType = field.mapType === ofStructure ? undefined : field.mapType;
    const said = field.default ?? (field.pointer === true ? undefined : zeroOf(type, field.emitted !== 'always'));
    return this.#said(
      {
        ...(description !== undefined && { description }),
        ...this.#value(type, field.goType, field.enum),
        ...(listMapKeys !== undefined && { 'x-kubernetes-list-map-keys': listMapKeys }),
        ...(listType !== undefined && { 'x-kubernetes-list-type': listType }),
        ...(mapType !== undefined && { 'x-kubernetes-map-type': mapType }),
        ...(patchMergeKey !== undefined && { 'x-kubernetes-patch-merge-key': patchMergeKey }),
        ...(patchStrategy !== undefined && { 'x-kubernetes-patch-strategy': patchStrategy.join(',') }),
      },
      said,
      isDescribed,
    );
  }

  /** A list's or map's member: never absent, so its zero value is its default. */
  #member(type: ValueSchema, goType: string | undefined, values: string[] | undefined): JsonSchema {
    const isPointer = goType?.startsWith('*') === true;
    return this.#said(this.#value(type, goType, values), isPointer ? undefined : zeroOf(type, false), false);
  }

  /**
   * With its default, in the order of upstream's. A reference that upstream describes never stands alone.
   */
  #said(schema: JsonSchema, standard: unknown, isDescribed: boolean): JsonSchema {
    if (this.version === 2) return schema;
    const { description, type, format, $ref, ...rest } = schema;
    const isAlone = !isDescribed && Object.keys(schema).length === 1 && standard === undefined;
    return {
      ...(description !== undefined && { description }),
      ...(type !== undefined && { type }),
      ...(format !== undefined && { format }),
      ...(standard !== undefined && { default: standard }),
      // Beside a $ref nothing else counts in OpenAPI 3.0.
      ...($ref !== undefined && (isAlone ? { $ref } : { allOf: [{ $ref }] })),
      ...rest,
    };
  }

  #value(type: ValueSchema, goType: string | undefined, values: string[] | undefined): JsonSchema {
    switch (type.kind) {
      case 'string':
        return { type: 'string', ...(values !== undefined && { enum: values }) };
      case 'boolean':
        return { type: 'boolean' };
      case 'int32':
        return { type: 'integer', format: 'int32' };
      case 'int64':
        return { type: 'integer', format: goType === 'int' || goType === 'uint16' ? 'int32' : 'int64' };
      case 'double':
        return { type: 'number', format: 'double' };
      case 'bytes':
        return { type: 'string', format: 'byte' };
      case 'array':
        return { type: 'array', items: this.#member(type.items, goType?.replace(/^\[\]/, ''), values) };
      case 'map': {
        const ofValues = goType?.replace(/^map\[[^\]]*\]/, '');
        return { type: 'object', additionalProperties: this.#member(type.values, ofValues, values) };
      }
      case 'object':
        return this.reference(resolveObject(type));
      default: {
        const { name, schema } = specialType(type.kind, goType, this.version);
        return name === undefined ? schema : this.#referenceTo(name, schema);
      }
    }
  }
}

/** The library has no words for fields that hold another type: the type's own say more than none. */
const describeHeld = (type: ValueSchema): string | undefined =>
  type.kind === 'object' ? describeType(type.type).description : undefined;

/** What a value is when nothing is said: a Go struct or, unless it may be left out, a Go scalar always has one. */
function zeroOf(type: ValueSchema, mayBeAbsent: boolean): unknown {
  if (type.kind === 'object') return {};
  return mayBeAbsent ? undefined : zeroScalar(type);
}
