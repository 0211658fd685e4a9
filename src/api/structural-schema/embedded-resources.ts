import { decodeMetadata } from '../decode/compile.ts';
import { DecodeIssues } from '../decode/issues.ts';
import { isDns1035Label, isPathSegmentName } from '../names.ts';
import type { FieldError } from '../status.ts';
import { Findings } from '../validation/findings.ts';
import { validateMetadata } from '../validation/metadata.ts';
import { isEmbeddedResource, isRecord, itemsOf, type JsonSchema, propertyOf, valuesOf } from './json-schema.ts';

/** What an embedded resource must have besides its schema. Source: apiextensions' objectmeta validation. */
export function validateEmbeddedResources(schema: JsonSchema, value: unknown, path = ''): FieldError[] {
  const findings = new Findings();
  walk(schema, value, path, findings);
  return findings.list;
}

function walk(schema: JsonSchema | undefined, value: unknown, path: string, findings: Findings): void {
  if (schema === undefined) return;
  if (Array.isArray(value)) {
    const items = itemsOf(schema);
    if (items === undefined) return;
    value.forEach((item, index) => {
      walk(items, item, `${path}[${index}]`, findings);
    });
  } else if (isRecord(value)) {
    if (isEmbeddedResource(schema)) checkResource(value, path === '' ? '' : `${path}.`, findings);
    const values = valuesOf(schema);
    for (const key in value) {
      const property = propertyOf(schema, key);
      if (property !== undefined) walk(property, value[key], path === '' ? key : `${path}.${key}`, findings);
      else walk(values, value[key], `${path}[${key}]`, findings);
    }
  }
}

function checkResource(value: Record<string, any>, prefix: string, findings: Findings): void {
  for (const field of ['apiVersion', 'kind']) {
    const given = value[field];
    if (!Object.hasOwn(value, field)) findings.required(`${prefix}${field}`);
    else if (typeof given !== 'string') findings.invalid(`${prefix}${field}`, given, 'must be a string');
    else if (given === '') findings.invalid(`${prefix}${field}`, given, 'must not be empty');
    else if (field === 'apiVersion' && given.split('/').length > 2) {
      findings.invalid(`${prefix}${field}`, given, `unexpected GroupVersion string: ${given}`);
    } else if (field === 'kind') {
      const wrong = isDns1035Label(given.toLowerCase());
      if (wrong.length > 0) {
        const detail = `may have mixed case, but should otherwise match: ${wrong.join(',')}`;
        findings.invalid(`${prefix}kind`, given, detail);
      }
    }
  }
  const given = value['metadata'];
  if (given === undefined || given === null) return;
  // Requests bring it decoded, defaults of a definition as it was written.
  const issues = new DecodeIssues(false);
  const metadata = decodeMetadata(given, issues);
  const [wrong] = issues.errors();
  if (wrong !== undefined) {
    findings.invalid(`${prefix}metadata`, given, wrong);
    return;
  }
  metadata.name ||= 'fakename';
  const inner = new Findings();
  const facts = { namespaced: Boolean(metadata.namespace), strategy: { validateName: isPathSegmentName } };
  validateMetadata(facts as Parameters<typeof validateMetadata>[0], metadata, inner);
  for (const finding of inner.list) findings.list.push({ ...finding, field: `${prefix}${finding.field}` });
}
