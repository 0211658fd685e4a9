/**
 * The facts the generator reads from k8s.io/api, and what a CustomResourceDefinition's structural schema becomes:
 * decode, strict field validation, defaulting, patches, server-side apply, OpenAPI and protobuf all work from it.
 */
export interface TypeSchema {
  /** `io.k8s.api.core.v1.Pod` */
  name: string;
  fields: Record<string, FieldSchema>;
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
}

export type ValueSchema =
  | { kind: 'string' | 'boolean' | 'int32' | 'int64' | 'double' | 'bytes' }
  /** Written as a string with a meaning of its own. */
  | { kind: 'quantity' | 'time' | 'microTime' | 'duration' | 'intOrString' }
  /** Any JSON (RawExtension, JSON, FieldsV1). */
  | { kind: 'any' }
  | { kind: 'array'; items: ValueSchema }
  | { kind: 'map'; values: ValueSchema }
  | { kind: 'object'; type: string };
