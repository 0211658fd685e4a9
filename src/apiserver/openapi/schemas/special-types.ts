import type { ValueSchema } from '../../../api/schema.ts';

type SpecialKind = Exclude<
  ValueSchema['kind'],
  'string' | 'boolean' | 'int32' | 'int64' | 'double' | 'bytes' | 'array' | 'map' | 'object'
>;

interface Special {
  /** Absent: it is written where it stands. */
  name?: string;
  schema: Record<string, unknown>;
}

const apimachinery = 'io.k8s.apimachinery.pkg';
const apiextensions = 'io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1';

/** Types that write themselves in a way of their own. */
const byKind: Record<Exclude<SpecialKind, 'any'>, (version: 2 | 3) => Special> = {
  quantity: (version) => ({
    name: `${apimachinery}.api.resource.Quantity`,
    schema: version === 2 ? { type: 'string' } : { oneOf: [{ type: 'string' }, { type: 'number' }] },
  }),
  time: () => ({ name: `${apimachinery}.apis.meta.v1.Time`, schema: { type: 'string', format: 'date-time' } }),
  microTime: () => ({
    name: `${apimachinery}.apis.meta.v1.MicroTime`,
    schema: { type: 'string', format: 'date-time' },
  }),
  duration: () => ({ name: `${apimachinery}.apis.meta.v1.Duration`, schema: { type: 'string' } }),
  intOrString: (version) => ({
    name: `${apimachinery}.util.intstr.IntOrString`,
    schema:
      version === 2
        ? { type: 'string', format: 'int-or-string' }
        : { format: 'int-or-string', oneOf: [{ type: 'integer' }, { type: 'string' }] },
  }),
};

/** What may be any JSON has a name by its Go type. */
const anyByGoType: Record<string, Special> = {
  'v1.FieldsV1': { name: `${apimachinery}.apis.meta.v1.FieldsV1`, schema: { type: 'object' } },
  'runtime.RawExtension': { name: `${apimachinery}.runtime.RawExtension`, schema: { type: 'object' } },
  ...Object.fromEntries(
    ['JSON', 'JSONSchemaPropsOrArray', 'JSONSchemaPropsOrBool', 'JSONSchemaPropsOrStringArray'].map((name) => [
      `v1.${name}`,
      { name: `${apiextensions}.${name}`, schema: {} },
    ]),
  ),
  // The values of this map.
  'v1.JSONSchemaDependencies': { name: `${apiextensions}.JSONSchemaPropsOrStringArray`, schema: {} },
};

export function specialType(kind: SpecialKind, goType: string | undefined, version: 2 | 3): Special {
  if (kind !== 'any') return byKind[kind](version);
  return anyByGoType[goType ?? ''] ?? { schema: version === 3 ? {} : { type: 'object' } };
}
