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
export function warnOfFormats(definition: any, old: any, warnings: string[]): void {
  const known = new Set(old === undefined ? [] : unknownFormats(old));
  for (const format of unknownFormats(definition)) {
    if (!known.has(format)) warnings.push(`unrecognized format ${JSON.stringify(format)}`);
  }
}

const unknownFormats = (definition: any): string[] =>
  definition.spec.versions.flatMap(({ schema }: any) => [...unknownFormatsIn(schema?.openAPIV3Schema)]);

const schemaLists = ['allOf', 'anyOf', 'oneOf'] as const;
const schemaMaps = ['properties', 'patternProperties', 'definitions'] as const;

function* unknownFormatsIn(schema: any): Generator<string> {
  if (typeof schema !== 'object' || schema === null) return;
  if (schema.format && !isKnownFormat(schema as JsonSchema)) yield schema.format;
  for (const item of Array.isArray(schema.items) ? schema.items : [schema.items]) yield* unknownFormatsIn(item);
  for (const list of schemaLists) for (const part of schema[list] ?? []) yield* unknownFormatsIn(part);
  yield* unknownFormatsIn(schema.not);
  for (const map of schemaMaps) for (const part of Object.values(schema[map] ?? {})) yield* unknownFormatsIn(part);
  yield* unknownFormatsIn(schema.additionalProperties);
  yield* unknownFormatsIn(schema.additionalItems);
}
