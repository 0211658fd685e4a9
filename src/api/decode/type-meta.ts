/**
 * What Go's reader says of an object whose `kind` or `apiVersion` is no string; undefined when both are, or are absent.
 * Source: SimpleMetaFactory.Interpret in apimachinery/pkg/runtime/serializer/json.
 */
export function wrongTypeMeta(value: { kind?: unknown; apiVersion?: unknown }): string | undefined {
  for (const field of ['kind', 'apiVersion'] as const) {
    const given = value[field];
    if (given === undefined || given === null || typeof given === 'string') continue;
    const type = Array.isArray(given) ? 'array' : typeof given === 'boolean' ? 'bool' : typeof given;
    return `couldn't get version/kind; json parse error: json: cannot unmarshal ${type} into Go struct field .${field} of type string`;
  }
  return undefined;
}
