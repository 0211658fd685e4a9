import type { StructTypes } from './checker.ts';
import type { CelType } from './types.ts';

/** Struct types by name, each with the types of its fields. */
export class DeclaredStructs implements StructTypes {
  readonly #fields: ReadonlyMap<string, Readonly<Record<string, CelType>>>;

  constructor(types: Record<string, Record<string, CelType>>) {
    this.#fields = new Map(Object.entries(types));
  }
  has(name: string): boolean {
    return this.#fields.has(name);
  }
  fieldOf(name: string, field: string): CelType | undefined {
    const fields = this.#fields.get(name);
    return fields !== undefined && Object.hasOwn(fields, field) ? fields[field] : undefined;
  }
}

/** The first that has a type decides. */
export const joinedStructs = (...all: StructTypes[]): StructTypes => ({
  has: (name) => all.some((structs) => structs.has(name)),
  fieldOf: (name, field) => all.find((structs) => structs.has(name))?.fieldOf(name, field),
});
