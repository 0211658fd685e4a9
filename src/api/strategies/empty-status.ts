import { decodeObject } from '../decode/decode.ts';
import { applyTypeDefaults } from '../defaults.ts';
import { resolveObject } from '../generated-schema.ts';
import type { KubeObject } from '../object.ts';
import type { TypeSchema } from '../schema.ts';

/**
 * The status a new object starts with: what Go's zero value is written as, with the defaults of its type (`phase` of a
 * claim). undefined for kinds whose status is absent until someone sets it, and for those that have none.
 */
export function emptyStatusOf(schema: TypeSchema): (() => KubeObject['status']) | undefined {
  const field = schema.fields['status'];
  if (field?.type.kind !== 'object' || field.emitted !== 'always') return undefined;
  const type = resolveObject(field.type);
  return () => applyTypeDefaults(type, decodeObject(type, {}).object);
}
