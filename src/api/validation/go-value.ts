import type { LabelSelector } from '../generated/meta-v1.ts';
import { resolveObject, schemaOf } from '../generated-schema.ts';
import { type FieldSchema, type TypeSchema, type ValueSchema, zeroScalar } from '../schema.ts';

/** What Go's names have in capitals. */
const initialisms: Record<string, string> = {
  api: 'API',
  apiGroup: 'APIGroup',
  apiVersion: 'APIVersion',
  seLinuxOptions: 'SELinuxOptions',
  seLinuxChangePolicy: 'SELinuxChangePolicy',
  gmsaCredentialSpec: 'GMSACredentialSpec',
  gmsaCredentialSpecName: 'GMSACredentialSpecName',
};
const SELECTOR = 'io.k8s.apimachinery.pkg.apis.meta.v1.LabelSelector';
const goName = (field: string) => initialisms[field] ?? field[0]!.toUpperCase() + field.slice(1);

/**
 * A value as upstream shows it in findings: its own types have no JSON names, so all fields are there under Go's. Right for
 * types whose internal form has the same fields.
 */
export function goValue(schema: TypeSchema, value: any): unknown {
  const fields = Object.entries(schema.fields).map(([name, field]) => [goName(name), shown(field, value?.[name])]);
  return Object.fromEntries(fields);
}

/** The same of a type by its name: `io.k8s.api.core.v1.SeccompProfile`. */
export const goValueOf = (typeName: string, value: object): unknown => goValue(schemaOf(typeName)!, value);

/** As Go writes one, whose type has JSON names: its fields in their order, those that say something. */
export function goSelector({ matchLabels = {}, matchExpressions = [] }: LabelSelector): object {
  const expressions = matchExpressions.map(({ key, operator, values }) => ({
    key,
    operator,
    ...(values !== undefined && values.length > 0 && { values }),
  }));
  return {
    ...(Object.keys(matchLabels).length > 0 && { matchLabels }),
    ...(expressions.length > 0 && { matchExpressions: expressions }),
  };
}

/** As Go writes what has JSON names: fields in the order of the type, where there are any. */
export function inOrder(typeName: string, value: object): object {
  return ordered(schemaOf(typeName)!, value);
}

function ordered(schema: TypeSchema, value: any): object {
  const entries: [string, unknown][] = [];
  for (const [name, { type }] of Object.entries(schema.fields)) {
    if (value[name] !== undefined && value[name] !== null) entries.push([name, orderedInside(type, value[name])]);
  }
  return Object.fromEntries(entries);
}

function orderedInside(type: ValueSchema, value: any): unknown {
  if (type.kind === 'object') return ordered(resolveObject(type), value);
  return type.kind === 'array' ? value.map((item: unknown) => orderedInside(type.items, item)) : value;
}

function shown(field: FieldSchema, value: unknown): unknown {
  if (value === undefined || value === null) return field.pointer === true ? null : zero(field.type);
  return inside(field.type, value);
}

function inside(type: ValueSchema, value: any): unknown {
  if (type.kind === 'object') {
    const schema = resolveObject(type);
    return schema.name === SELECTOR ? goSelector(value) : goValue(schema, value);
  }
  if (type.kind === 'array') return value.map((item: unknown) => inside(type.items, item));
  return value;
}

function zero(type: ValueSchema): unknown {
  return type.kind === 'object' ? goValue(resolveObject(type), {}) : (zeroScalar(type) ?? null);
}
