import type { Steps } from '../../../base/steps.ts';
import { isQualifiedName } from '../../names.ts';
import type { KubeObject } from '../../object.ts';
import { isKnownFormat } from '../../structural-schema/formats.ts';
import type { JsonSchema } from '../../structural-schema/json-schema.ts';
import { standardFinalizers } from '../metadata.ts';

/** Of a custom resource: finalizers that are new and might be somebody else's too. */
export function warnOfFinalizers(object: KubeObject, old: KubeObject | undefined, warnings: string[]): void {
  const known = new Set(old?.metadata.finalizers);
  const added = (object.metadata.finalizers ?? []).filter((finalizer) => !known.has(finalizer));
  for (const finalizer of [...new Set(added)].sort()) {
    const warn = (why: string) => warnings.push(`metadata.finalizers: ${JSON.stringify(finalizer)}: ${why}`);
    for (const wrong of isQualifiedName(finalizer)) warn(wrong);
    if (finalizer.includes('/') || standardFinalizers.includes(finalizer)) continue;
    const path = finalizer.includes('.') ? ' including a path (/)' : '';
    const why = 'to avoid accidental conflicts with other finalizer writers';
    warn(`prefer a domain-qualified finalizer name${path} ${why}`);
  }
}

/** Of a definition: formats that nothing is held to. */
export function* warnOfFormats(definition: any, old: any, warnings: string[]): Steps<void> {
  const known = new Set(old === undefined ? [] : yield* unknownFormats(old));
  for (const format of yield* unknownFormats(definition)) {
    if (!known.has(format)) warnings.push(`unrecognized format ${JSON.stringify(format)}`);
  }
}

const schemasAtOnce = 256;

function* unknownFormats(definition: any): Steps<string[]> {
  const found: string[] = [];
  let count = 0;
  for (const { schema } of definition.spec.versions) {
    for (const part of schemasIn(schema?.openAPIV3Schema)) {
      if (++count % schemasAtOnce === 0) yield;
      if (part.format && !isKnownFormat(part as JsonSchema)) found.push(part.format);
    }
  }
  return found;
}

const schemaLists = ['allOf', 'anyOf', 'oneOf'] as const;
const schemaMaps = ['properties', 'patternProperties', 'definitions'] as const;

/** One and all within it. */
function* schemasIn(schema: any): Generator<any> {
  if (typeof schema !== 'object' || schema === null) return;
  yield schema;
  for (const item of Array.isArray(schema.items) ? schema.items : [schema.items]) yield* schemasIn(item);
  for (const list of schemaLists) for (const part of schema[list] ?? []) yield* schemasIn(part);
  yield* schemasIn(schema.not);
  for (const map of schemaMaps) for (const name in schema[map]) yield* schemasIn(schema[map][name]);
  yield* schemasIn(schema.additionalProperties);
  yield* schemasIn(schema.additionalItems);
}
