import type { StructTypes } from './checker.ts';
import { type CelType, dynType, stringType, structOf } from './types.ts';
import { CelList, type CelMap, EntryMap, EvaluationFailure } from './values.ts';

export const objectType = structOf('Object');
export const jsonPatchType = structOf('JSONPatch');

const isObject = (name: string) => name === 'Object' || name.startsWith('Object.');
const patchFields: Record<string, CelType> = { op: stringType, path: stringType, from: stringType, value: dynType };

/** `Object{...}`, `Object.spec{...}` with any field, and `JSONPatch{...}`. Source: apiserver's pkg/cel/mutation. */
export const mutationTypes: StructTypes = {
  has: (name) => isObject(name) || name === 'JSONPatch',
  fieldOf: (name, field) =>
    isObject(name) ? dynType : Object.hasOwn(patchFields, field) ? patchFields[field] : undefined,
};

/** An object as an expression wrote it. */
export class MadeObject extends EntryMap {
  readonly #typeName: string;
  constructor(typeName: string, fields: Map<string, unknown>) {
    super(new Map([...fields].map(([name, value]) => [`s${name}`, [name, value]])));
    this.#typeName = typeName;
  }
  override get typeName(): string {
    return this.#typeName;
  }
  override equals(other: CelMap): boolean {
    return other instanceof MadeObject && other.typeName === this.typeName && super.equals(other);
  }
}

export function constructMutation(typeName: string, fields: Map<string, unknown>): MadeObject {
  if (typeName === 'JSONPatch') {
    for (const name of ['op', 'path', 'from']) {
      const value = fields.get(name);
      if (value !== undefined && typeof value !== 'string') {
        throw new EvaluationFailure(`unexpected type ${typeof value} for JSONPatchType '${name}' field`);
      }
    }
  }
  return new MadeObject(typeName, fields);
}

/**
 * Where types do not fit the fields they stand in: `Object{spec: Object.metadata{}}`. One line each, in upstream's words.
 */
export function mismatchedTypes(value: unknown, path = objectType.name): string[] {
  if (value instanceof MadeObject) {
    const found: string[] = [];
    if (value.typeName !== path) {
      found.push(
        `unexpected type name ${JSON.stringify(value.typeName)}, expected ${JSON.stringify(path)}, which matches field name path from root Object type`,
      );
    }
    for (const name of value.keys()) found.push(...mismatchedTypes(value.get(name), `${path}.${name}`));
    return found;
  }
  if (value instanceof CelList) return value.toArray().flatMap((item) => mismatchedTypes(item, path));
  if (value instanceof EntryMap) return [...value.keys()].flatMap((key) => mismatchedTypes(value.get(key), path));
  return [];
}
