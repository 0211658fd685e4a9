import { resolveObject } from '../generated-schema.ts';
import type { TypeSchema, ValueSchema } from '../schema.ts';
import type { StructTypes } from './checker.ts';
import {
  boolType,
  bytesType,
  type CelType,
  doubleType,
  dynType,
  intType,
  listOf,
  mapOf,
  stringType,
  structOf,
  timestampType,
} from './types.ts';

/** A built-in type as expressions see it where it is known: what policies are checked against. */
export class KnownSchemaTypes implements StructTypes {
  readonly root: CelType;
  readonly #byName = new Map<string, TypeSchema>();

  /** Types are named for where they stand below `name`. */
  constructor(schema: TypeSchema, name: string) {
    this.#byName.set(name, schema);
    this.root = structOf(name);
  }

  has(name: string): boolean {
    return this.#byName.has(name);
  }

  fieldOf(name: string, field: string): CelType | undefined {
    const fields = this.#byName.get(name)?.fields;
    const unescaped = field.replace(/^__([a-z]+)__$/, '$1');
    const found = fields === undefined ? undefined : (own(fields, field) ?? own(fields, unescaped));
    return found === undefined ? undefined : this.#typeOf(found.type, `${name}.${field}`);
  }

  #typeOf(value: ValueSchema, name: string): CelType {
    switch (value.kind) {
      case 'string':
      case 'quantity':
      case 'duration':
        return stringType;
      case 'boolean':
        return boolType;
      case 'int32':
      case 'int64':
        return intType;
      case 'double':
        return doubleType;
      case 'bytes':
        return bytesType;
      case 'time':
      case 'microTime':
        return timestampType;
      case 'array':
        return listOf(this.#typeOf(value.items, `${name}.@idx`));
      case 'map':
        return mapOf(stringType, this.#typeOf(value.values, `${name}.@elem`));
      case 'object':
        this.#byName.set(name, resolveObject(value));
        return structOf(name);
      default:
        return dynType;
    }
  }
}

const own = <T>(fields: Record<string, T>, name: string): T | undefined =>
  Object.hasOwn(fields, name) ? fields[name] : undefined;
