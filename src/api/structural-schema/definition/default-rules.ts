import type { Steps } from '../../../base/steps.ts';
import { DecodeIssues } from '../../decode/issues.ts';
import { deepEqual } from '../../equality.ts';
import type { Findings } from '../../validation/findings.ts';
import { DefaultRules, hasRules } from '../cel/validate-rules.ts';
import { validateEmbeddedResources } from '../embedded-resources.ts';
import { isEmbeddedResource, itemsOf, type JsonSchema, nodesOf } from '../json-schema.ts';
import { prune } from '../prune.ts';
import { partChecks } from '../validate-value.ts';

const metadataFields = new Set(['metadata', 'kind', 'apiVersion']);
/** So many are looked at between two looks at the clock. */
const nodesAtOnce = 64;

/** Defaults must be values that anyone could have written. Source: apiextensions' defaulting/validation.go. */
export function* validateDefaults(schema: JsonSchema, path: string, findings: Findings): Steps<void> {
  if (!(yield* findRules(schema))) return;
  yield* walk(schema, path, { isResource: true, around: undefined, rules: new DefaultRules() }, findings);
}

/** Inner ones first, so that no question whether there are rules below is a long one. @returns whether there are defaults. */
function* findRules(schema: JsonSchema): Steps<boolean> {
  const nodes: JsonSchema[] = [];
  let hasDefaults = false;
  for (const node of nodesOf(schema)) {
    hasDefaults ||= node.default !== undefined;
    if (nodes.push(node) % nodesAtOnce === 0) yield;
  }
  if (!hasDefaults) return false;
  for (const [index, node] of nodes.reverse().entries()) {
    hasRules(node);
    if (index % nodesAtOnce === 0) yield;
  }
  return true;
}

interface Scope {
  /** The outermost resource, or one that is embedded. */
  isResource: boolean;
  /** Within a resource's metadata: makes a whole resource of what stands here, to be looked at in its place. */
  around: Around | undefined;
  rules: DefaultRules;
}

interface Around {
  resource: JsonSchema;
  put(value: unknown): object;
}

const aroundMetadata = (resource: JsonSchema, name: string): Around => ({
  resource: { ...resource, 'x-kubernetes-embedded-resource': true },
  put: (value) => ({ apiVersion: 'validation/v1', kind: 'Validation', [name]: value }),
});

const within = (around: Around | undefined, put: (value: unknown) => unknown): Around | undefined =>
  around && { ...around, put: (value) => around.put(put(value)) };

function* walk(schema: JsonSchema, path: string, scope: Scope, findings: Findings): Steps<void> {
  const { rules } = scope;
  const isResource = scope.isResource || isEmbeddedResource(schema);
  const around = isResource ? undefined : scope.around;
  if (schema.default !== undefined && schema.default !== null) {
    yield* checkDefault(schema, `${path}.default`, { isResource, around, rules }, findings);
  }
  const items = itemsOf(schema);
  if (items !== undefined && !rules.isSpent) {
    const inside = { isResource: false, around: within(around, (value) => [value]), rules };
    yield* walk(items, `${path}.items`, inside, findings);
  }
  for (const [name, part] of Object.entries(schema.properties ?? {})) {
    if (rules.isSpent) return;
    yield;
    const isMetadata = isResource && metadataFields.has(name);
    const inside = isMetadata ? aroundMetadata(schema, name) : within(around, (value) => ({ [name]: value }));
    yield* walk(part, `${path}.properties[${name}]`, { isResource: false, around: inside, rules }, findings);
  }
}

function* checkDefault(schema: JsonSchema, path: string, scope: Scope, findings: Findings): Steps<void> {
  const value = schema.default;
  const { around, rules } = scope;
  if (around !== undefined) {
    const found = validateEmbeddedResources(around.resource, around.put(value));
    if (found.length > 0) {
      const texts = found.map(({ field, message }) => `${field}: ${message}`);
      const told = texts.length === 1 ? texts[0] : `[${texts.join(', ')}]`;
      findings.invalid(path, value, `must result in valid metadata: ${told}`);
      return;
    }
  } else {
    const pruned = prune(schema, value, new DecodeIssues(false), (metadata) => metadata);
    if (!deepEqual(pruned, value)) findings.invalid(path, value, 'must not have unknown fields');
    const embedded = validateEmbeddedResources(schema, value, path);
    if (embedded.length > 0) {
      findings.list.push(...embedded);
      return;
    }
  }
  const found = yield* partChecks(schema, value, path);
  // Rules need values of the right form to speak of.
  findings.list.push(...(found.length > 0 ? found : yield* rules.check(schema, path, scope.isResource)));
}
