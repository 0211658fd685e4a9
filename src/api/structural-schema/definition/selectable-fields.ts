import { deepEqual } from '../../equality.ts';
import type { CustomResourceDefinitionVersion } from '../../generated/apiextensions-v1.ts';
import type { Findings } from '../../validation/findings.ts';
import { type JsonSchema, propertyOf, valuesOf } from '../json-schema.ts';

const most = 8;

export function validateSelectableFields(
  version: CustomResourceDefinitionVersion,
  old: CustomResourceDefinitionVersion | undefined,
  path: string,
  findings: Findings,
): void {
  const root = version.schema?.openAPIV3Schema as JsonSchema | undefined;
  if (root === undefined || root === null) {
    const why = path.startsWith('spec.versions')
      ? 'may only be set when `version.schema.openAPIV3Schema` is not included'
      : 'may only be set when validations.schema is included';
    findings.invalid(path, '', why);
    return;
  }
  const seen = new Set<string>();
  version.selectableFields!.forEach(({ jsonPath }, index) => {
    const at = `${path}[${index}].jsonPath`;
    if (!jsonPath) {
      findings.required(at);
      return;
    }
    const found = findField(root, jsonPath);
    if ('error' in found) {
      findings.invalid(at, jsonPath, `is an invalid path: ${found.error}`);
      return;
    }
    const [first] = found.segments;
    if (first === 'metadata') findings.invalid(at, jsonPath, 'must not point to fields in metadata');
    if (!['string', 'boolean', 'integer'].includes(found.schema.type ?? '')) {
      const detail =
        'must point to a field of type string, boolean or integer. Enum string fields and strings with formats are allowed.';
      findings.invalid(at, jsonPath, detail);
    }
    const canonical = found.segments.join('.');
    if (seen.has(canonical)) findings.duplicate(at, jsonPath);
    seen.add(canonical);
  });
  const mayStay =
    (old?.selectableFields?.length ?? 0) > most && deepEqual(old!.selectableFields, version.selectableFields);
  if (seen.size > most && !mayStay) findings.tooMany(path, seen.size, most);
}

/** The schema a path of plain fields (`.spec.color`, `.spec['a.b']`) leads to. Source: cel.ValidFieldPath. */
export function findField(
  root: JsonSchema,
  path: string,
): { schema: JsonSchema; segments: string[] } | { error: string } {
  const segments: string[] = [];
  let schema: JsonSchema | undefined = root;
  let rest = path;
  while (rest !== '') {
    const match = /^(?:\.([A-Za-z_$][\w$]*)|\['([^']*)'\])/.exec(rest);
    if (match === null) {
      return {
        error:
          rest === path
            ? `expected [ or . but got: ${rest.split(/[.[]/, 1)[0]}`
            : `unexpected end of JSON path or character at ${JSON.stringify(rest)}`,
      };
    }
    const name = match[1] ?? match[2]!;
    const parent: JsonSchema = schema!;
    schema = propertyOf(parent, name) ?? valuesOf(parent);
    if (schema === undefined) return { error: `does not refer to a valid field` };
    segments.push(name);
    rest = rest.slice(match[0].length);
  }
  return { schema: schema!, segments };
}
