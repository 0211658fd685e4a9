import type { JsonSchema } from './structural-schema/json-schema.ts';

/**
 * The facts the generator reads from k8s.io/api, and what a CustomResourceDefinition's structural schema becomes:
 * decode, strict field validation, defaulting, patches, server-side apply, OpenAPI and protobuf all work from it.
 */
export interface TypeSchema {
  /** `io.k8s.api.core.v1.Pod` */
  name: string;
  fields: Record<string, FieldSchema>;
  /** A custom resource's x-kubernetes-preserve-unknown-fields: fields outside `fields` are kept as they are. */
  preserveUnknownFields?: boolean;
  /** A custom resource's own schema: decode prunes by it and leaves the types of values to validation. */
  structural?: JsonSchema;
}

export interface FieldSchema {
  type: ValueSchema;
  /** Protobuf field number; 0 when there is none. */
  number: number;
  required: boolean;
  /** Go type is a pointer or omitempty is set: an absent value stays absent. */
  optional: boolean;
  default?: unknown;
  patchStrategy?: ('merge' | 'replace' | 'retainKeys')[];
  patchMergeKey?: string;
  listType?: 'atomic' | 'set' | 'map';
  listMapKeys?: string[];
  mapType?: 'atomic' | 'granular';
  /**
   * What Kubernetes' own encoder writes, decode does alike: `always` even when unset (a struct as {}, a list as null),
   * `nonzero` only what differs from the zero value, `set` (also when absent here) whatever was given.
   */
  emitted?: 'always' | 'nonzero' | 'set';
  /** The Go type is a pointer: unset is null, not the zero value. */
  pointer?: boolean;
  /** The Go type as errors print it (`v1.PodPhase`), where it differs from what `type` implies. */
  goType?: string;
  /** Protobuf numbers of the messages the field is embedded through: [1] for EphemeralContainer.name. */
  embedded?: number[];
  /** Go names of those messages: ["EphemeralContainerCommon"]. */
  embeddedIn?: string[];
  /** Values a closed string type knows, for OpenAPI. */
  enum?: string[];
}

export type ValueSchema =
  | { kind: 'string' | 'boolean' | 'int32' | 'int64' | 'double' | 'bytes' }
  /** Written as a string with a meaning of its own. */
  | { kind: 'quantity' | 'time' | 'microTime' | 'duration' | 'intOrString' }
  /** Any JSON (RawExtension, JSON, FieldsV1). */
  | { kind: 'any' }
  | { kind: 'array'; items: ValueSchema }
  /** `atomic`: so it is wherever it stands, in lists and maps too (x-kubernetes-map-type of a custom resource). */
  | { kind: 'map'; values: ValueSchema; atomic?: boolean }
  /** `schema` is the type itself where it has no global name (custom resources); otherwise schemaOf(type). */
  | { kind: 'object'; type: string; schema?: TypeSchema; atomic?: boolean };

/** What Go has for a plain value that is not set; undefined for kinds whose zero value depends on who asks. */
export function zeroScalar({ kind }: ValueSchema): string | boolean | number | undefined {
  switch (kind) {
    case 'string':
      return '';
    case 'boolean':
      return false;
    case 'int32':
    case 'int64':
    case 'double':
      return 0;
    default:
      return undefined;
  }
}
