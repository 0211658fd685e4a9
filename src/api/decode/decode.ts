import type { TypeSchema } from '../schema.ts';
import { compiledType } from './compile.ts';
import { DecodeIssues, strictErrorsKept } from './issues.ts';

export interface DecodeResult<T = any> {
  /** A copy that shares nothing with the input: unknown fields dropped, scalars in canonical form. */
  object: T;
  /** `unknown field "spec.foo"`, in document order, sorted for custom resources; empty unless strict. */
  unknownFields: string[];
  /** Wrong types, in Go's words. Kubernetes reports the first: a 400 BadRequest. */
  errors: string[];
}

/**
 * One walk over a JSON value: checks types against the schema, drops and reports unknown fields, brings quantities and
 * times into the form they are stored in, and adds and leaves out zero values as Kubernetes' encoder does. (One
 * difference: a list or map that Go would write as null is written empty, which every client reads alike.)
 * `strict` asks for the unknown fields' names.
 */
export function decodeObject<T = any>(
  target: TypeSchema | { schema: TypeSchema },
  value: unknown,
  options: { strict?: boolean } = {},
): DecodeResult<T> {
  const schema = 'schema' in target ? target.schema : target;
  const type = compiledType(schema);
  const issues = new DecodeIssues(
    options.strict ?? false,
    schema.structural === undefined ? strictErrorsKept : undefined,
  );
  const object = type.decode(value, issues) ?? type.decode({}, new DecodeIssues(false));
  const unknownFields = issues.unknownFields();
  // Pruning upstream finds fields in the order of a Go map.
  if (schema.structural !== undefined && unknownFields.length > 1) unknownFields.sort(metadataFirst);
  return { object, unknownFields, errors: issues.errors() };
}

const inMetadata = (finding: string) => finding.startsWith('unknown field "metadata.');
const metadataFirst = (a: string, b: string): number => {
  const [first, second] = [inMetadata(a), inMetadata(b)];
  if (first || second) return Number(second) - Number(first);
  return a < b ? -1 : 1;
};

/** The message Kubernetes gives for findings of fieldValidation=Strict. */
export const strictDecodingError = (findings: string[]): string => `strict decoding error: ${findings.join(', ')}`;
