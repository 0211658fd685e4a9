import type { Steps } from '../../../base/steps.ts';
import { DecodeIssues } from '../../decode-issues.ts';
import { deepEqual } from '../../equality.ts';
import type { Findings } from '../../validation/findings.ts';
import { validateEmbeddedResources } from '../embedded-resources.ts';
import { isEmbeddedResource, itemsOf, type JsonSchema } from '../json-schema.ts';
import { prune } from '../prune.ts';
import { validatePart } from '../validate-value.ts';

const metadataFields = new Set(['metadata', 'kind', 'apiVersion']);

/** Defaults must be values that anyone could have written. Source: apiextensions' defaulting/validation.go. */
export function* validateDefaults(schema: JsonSchema, path: string, findings: Findings): Steps<void> {
  yield* walk(schema, path, true, false, findings);
}

function* walk(
  schema: JsonSchema,
  path: string,
  isResource: boolean,
  isInMetadata: boolean,
  findings: Findings,
): Steps<void> {
  if (schema.default !== undefined) checkDefault(schema, `${path}.default`, isInMetadata, findings);
  const isInside = isInMetadata && !isEmbeddedResource(schema);
  const items = itemsOf(schema);
  if (items !== undefined) yield* walk(items, `${path}.items`, false, isInside, findings);
  for (const [name, part] of Object.entries(schema.properties ?? {})) {
    const isMetadata = (isResource || isEmbeddedResource(schema)) && metadataFields.has(name);
    yield;
    yield* walk(part, `${path}.properties[${name}]`, false, isInside || isMetadata, findings);
  }
}

function checkDefault(schema: JsonSchema, path: string, isInMetadata: boolean, findings: Findings): void {
  const value = schema.default;
  if (!isInMetadata) {
    const pruned = prune(schema, value, new DecodeIssues(false), (metadata) => metadata);
    if (!deepEqual(pruned, value)) findings.invalid(path, value, 'must not have unknown fields');
    const embedded = validateEmbeddedResources(schema, value, path);
    if (embedded.length > 0) {
      findings.list.push(...embedded);
      return;
    }
  }
  findings.list.push(...validatePart(schema, value, path));
}
