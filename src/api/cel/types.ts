/** The types of the Common Expression Language, as its checker sees them. Source: cel-go's common/types. */
export interface CelType {
  readonly kind: TypeKind;
  /** Of structs and opaque types: the declared name; of type parameters: the parameter's. */
  readonly name: string;
  readonly parameters: readonly CelType[];
}

export type TypeKind =
  | 'any'
  | 'bool'
  | 'bytes'
  | 'double'
  | 'duration'
  | 'dyn'
  | 'error'
  | 'int'
  | 'list'
  | 'map'
  | 'null'
  | 'opaque'
  | 'string'
  | 'struct'
  | 'timestamp'
  | 'type'
  | 'typeParameter'
  | 'uint';

const simple = (kind: TypeKind, name: string = kind): CelType => ({ kind, name, parameters: [] });

export const anyType = simple('any', 'google.protobuf.Any');
export const boolType = simple('bool');
export const bytesType = simple('bytes');
export const doubleType = simple('double');
export const durationType = simple('duration', 'google.protobuf.Duration');
export const dynType = simple('dyn');
export const errorType = simple('error', '!error!');
export const intType = simple('int');
export const nullType = simple('null', 'null_type');
export const stringType = simple('string');
export const timestampType = simple('timestamp', 'google.protobuf.Timestamp');
export const uintType = simple('uint');
export const typeType = simple('type');

export const listOf = (item: CelType): CelType => ({ kind: 'list', name: 'list', parameters: [item] });
export const mapOf = (key: CelType, value: CelType): CelType => ({
  kind: 'map',
  name: 'map',
  parameters: [key, value],
});
export const structOf = (name: string): CelType => ({ kind: 'struct', name, parameters: [] });
export const opaqueOf = (name: string, ...parameters: CelType[]): CelType => ({ kind: 'opaque', name, parameters });
export const optionalOf = (value: CelType): CelType => opaqueOf('optional_type', value);
export const typeOf = (type: CelType): CelType => ({ kind: 'type', name: 'type', parameters: [type] });
export const typeParameter = (name: string): CelType => ({ kind: 'typeParameter', name, parameters: [] });

export const isDyn = (type: CelType) => type.kind === 'dyn' || type.kind === 'any';
export const isOptional = (type: CelType) => type.kind === 'opaque' && type.name === 'optional_type';

/** What is in an optional, and whether it is one. */
export const unwrapOptional = (type: CelType): [CelType, boolean] =>
  isOptional(type) ? [type.parameters[0]!, true] : [type, false];

const shortNames: Partial<Record<TypeKind, string>> = {
  any: 'any',
  duration: 'duration',
  error: '!error!',
  null: 'null',
  timestamp: 'timestamp',
};

/** As the checker's messages name a type. */
export function formatType(type: CelType): string {
  const short = shortNames[type.kind];
  if (short !== undefined) return short;
  if (type.kind === 'typeParameter' || type.parameters.length === 0) return type.name;
  return `${type.name}(${type.parameters.map(formatType).join(', ')})`;
}

/** As messages about an expression's result name a type. */
export const resultTypeName = (type: CelType): string =>
  type.parameters.length === 0 ? type.name : `${type.name}(${type.parameters.map(resultTypeName).join(', ')})`;

export const sameType = (a: CelType, b: CelType): boolean =>
  a === b ||
  (a.kind === b.kind &&
    a.name === b.name &&
    a.parameters.length === b.parameters.length &&
    a.parameters.every((parameter, index) => sameType(parameter, b.parameters[index]!)));

/** Neither a string, a list nor a map: its size is one. */
export const isScalar = (type: CelType): boolean =>
  ['bool', 'double', 'duration', 'int', 'timestamp', 'uint'].includes(type.kind) ||
  (isOptional(type) && isScalar(type.parameters[0]!));
