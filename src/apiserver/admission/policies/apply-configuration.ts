import { mismatchedTypes } from '../../../api/cel/mutation-types.ts';
import { toJson } from '../../../api/cel/values.ts';
import { schemaOfKind } from '../../../api/generated-schema.ts';
import {
  alternativeOf,
  type MergeType,
  mergeObjects,
  mergeTypeOf,
  typeOfField,
  validateConfiguration,
} from '../../../api/managed-fields/index.ts';
import type { KubeObject } from '../../../api/object.ts';
import type { MatchedForm } from '../webhooks/forms.ts';

/**
 * An object with the configuration an expression made merged in, as server-side apply merges, but owned by nobody. Throws
 * an Error in upstream's words. Source: policy/mutating/patch/smd.go.
 */
export function applyMade(object: KubeObject, made: unknown, form: MatchedForm, isOwnKind: boolean): KubeObject {
  const mismatches = mismatchedTypes(made);
  if (mismatches.length > 0) throw new Error(`type mismatch: ${mismatches.join('\n')}`);
  const { group, version, kind } = form.kind;
  const schema = isOwnKind ? form.definition.schema : schemaOfKind(group, version, kind);
  if (schema === undefined) throw new Error(`Resource kind ${group}/${version}, Kind=${kind} not found`);
  const type = mergeTypeOf(schema);
  const configuration = {
    ...(toJson(made) as Record<string, unknown>),
    kind: object.kind,
    apiVersion: object.apiVersion,
  };
  const fault = validateConfiguration(type, configuration);
  if (fault !== undefined) {
    throw new Error(`error applying patch: failed to convert patch object to typed object: ${fault}`);
  }
  const atomics = atomicsOf(type, configuration, '');
  if (atomics.length > 0) {
    throw new Error(
      `error applying patch: invalid ApplyConfiguration: may not mutate atomic arrays, maps or structs: ${atomics.join(', ')}`,
    );
  }
  return mergeObjects(type, object, configuration);
}

/** What is replaced as a whole: an expression that means one part of it would take the others away. */
function atomicsOf(type: MergeType, value: any, path: string): string[] {
  const as = alternativeOf(type, value);
  if (as === 'map') {
    const found = type.map!.atomic ? [path] : [];
    for (const name of Object.keys(value)) {
      // Only fields that have a name of their own in the schema are looked into.
      if (!type.map!.fields.has(name)) continue;
      found.push(...atomicsOf(typeOfField(type.map!, name)!, value[name], `${path}.${name}`));
    }
    return found;
  }
  if (as !== 'list') return [];
  const found = type.list!.atomic ? [path] : [];
  (value as unknown[]).forEach((item, index) => {
    found.push(...atomicsOf(type.list!.items, item, `${path}[${index}]`));
  });
  return found;
}
