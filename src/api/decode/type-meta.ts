const wholeStruct =
  'Go value of type struct { APIVersion string "json:\\"apiVersion,omitempty\\""; Kind string "json:\\"kind,omitempty\\"" }';

/**
 * What Go's reader says of a value that is no object, or whose `kind` or `apiVersion` is no string; undefined when both
 * are, or are absent. Source: SimpleMetaFactory.Interpret in apimachinery/pkg/runtime/serializer/json.
 */
export function wrongTypeMeta(value: unknown): string | undefined {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return wrongType(value, wholeStruct);
  for (const field of ['kind', 'apiVersion'] as const) {
    const given: unknown = (value as Record<string, unknown>)[field];
    if (given === undefined || given === null || typeof given === 'string') continue;
    return wrongType(given, `Go struct field .${field} of type string`);
  }
  return undefined;
}

function wrongType(value: unknown, target: string): string {
  const type = Array.isArray(value)
    ? 'array'
    : value === null
      ? 'null'
      : typeof value === 'boolean'
        ? 'bool'
        : typeof value;
  return `couldn't get version/kind; json parse error: json: cannot unmarshal ${type} into ${target}`;
}
