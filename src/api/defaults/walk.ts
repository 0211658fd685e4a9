import type { Steps } from '../../base/steps.ts';
import { resolveObject } from '../generated-schema.ts';
import { cloneJson, holdsFew } from '../json/json.ts';
import type { FieldSchema, TypeSchema, ValueSchema } from '../schema.ts';

/** What a type's values get wherever they occur, by the type's name; `object` is changed in place. */
export type TypeDefaults = Record<string, (object: any) => void>;

export type SetDefaults = (object: any) => void;

/** Sets a field that is absent. Go keeps these as pointers: '' is someone's wish, and validation's to refuse. */
export function setUnset(object: any, field: string, value: unknown): void {
  if (object[field] === undefined || object[field] === null) object[field] = value;
}

/** Sets a field that is absent, or a zero value that Kubernetes treats as absent. */
export function setDefault(object: any, field: string, value: unknown): void {
  const current = object[field];
  if (current === undefined || current === null || current === '') object[field] = value;
}

interface CompiledDefaults {
  /** What is set in the object itself. */
  setOwn: SetDefaults;
  walk: SetDefaults;
  /** Fields that lead to further defaults. */
  parts: [name: string, type: ValueSchema][];
}

/** Each may hold some values itself. */
const itemsAtOnce = 32;

/**
 * Walks values of a type along those fields only that lead to a default, outer types first. Built once per type; a
 * type none of whose parts has a default costs nothing.
 */
export class DefaultsWalker {
  readonly #typeDefaults: TypeDefaults;
  readonly #walks = new WeakMap<TypeSchema, CompiledDefaults | null>();
  readonly #leads = new Map<TypeSchema, boolean>();

  constructor(typeDefaults: TypeDefaults) {
    this.#typeDefaults = typeDefaults;
  }

  /** null when there is nothing to set. */
  walkOf(schema: TypeSchema): SetDefaults | null {
    return this.#compiledOf(schema)?.walk ?? null;
  }

  /** As walkOf does, of a large value. */
  *steps(schema: TypeSchema, object: any): Steps<void> {
    const compiled = this.#compiledOf(schema);
    if (compiled === null) return;
    if (holdsFew(object)) {
      compiled.walk(object);
      return;
    }
    compiled.setOwn(object);
    yield;
    for (const [name, type] of compiled.parts) yield* this.#valueSteps(type, object[name]);
  }

  *#valueSteps(type: ValueSchema, value: any): Steps<void> {
    if (value === undefined || value === null) return;
    if (type.kind === 'object') {
      yield* this.steps(resolveObject(type), value);
      return;
    }
    if (type.kind !== 'array' && type.kind !== 'map') return;
    let count = 0;
    for (const key in value) {
      yield* this.#valueSteps(type.kind === 'array' ? type.items : type.values, value[key]);
      if (++count % itemsAtOnce === 0) yield;
    }
  }

  #compiledOf(schema: TypeSchema): CompiledDefaults | null {
    let compiled = this.#walks.get(schema);
    if (compiled === undefined) {
      compiled = this.#leadsToDefault(schema, new Set()) ? this.#compile(schema) : null;
      this.#walks.set(schema, compiled);
    }
    return compiled;
  }

  #compile(schema: TypeSchema): CompiledDefaults {
    const own = this.#typeDefaults[schema.name];
    const constants: [name: string, value: unknown][] = [];
    const steps: [name: string, walk: SetDefaults][] = [];
    const parts: [name: string, type: ValueSchema][] = [];
    for (const [name, field] of Object.entries(schema.fields)) {
      if (field.default !== undefined && !isGoZero(field)) constants.push([name, field.default]);
      const walk = this.#valueWalk(field.type);
      if (walk === undefined) continue;
      steps.push([name, walk]);
      parts.push([name, field.type]);
    }
    const setOwn: SetDefaults = (object) => {
      for (let i = 0; i < constants.length; i++) {
        const [name, value] = constants[i]!;
        if (object[name] === undefined || object[name] === '') object[name] = cloneJson(value);
      }
      if (own !== undefined) own(object);
    };
    const walk: SetDefaults = (object) => {
      setOwn(object);
      for (let i = 0; i < steps.length; i++) {
        const [name, walkPart] = steps[i]!;
        const value = object[name];
        if (value !== undefined && value !== null) walkPart(value);
      }
    };
    return { setOwn, walk, parts };
  }

  #valueWalk(type: ValueSchema): SetDefaults | undefined {
    if (type.kind === 'array') {
      const each = this.#valueWalk(type.items);
      if (each === undefined) return undefined;
      return (list: any[]) => {
        for (let i = 0; i < list.length; i++) if (list[i] !== null) each(list[i]);
      };
    }
    if (type.kind === 'map') {
      const each = this.#valueWalk(type.values);
      if (each === undefined) return undefined;
      return (map) => {
        for (const key in map) if (map[key] !== null) each(map[key]);
      };
    }
    if (type.kind !== 'object') return undefined;
    const schema = resolveObject(type);
    if (!this.#leadsToDefault(schema, new Set())) return undefined;
    // Looked up at run time: types refer to themselves.
    let walk: SetDefaults | null | undefined;
    return (object) => {
      walk ??= this.walkOf(schema);
      walk?.(object);
    };
  }

  #leadsToDefault(schema: TypeSchema, visiting: Set<TypeSchema>): boolean {
    const known = this.#leads.get(schema);
    if (known !== undefined) return known;
    if (visiting.has(schema)) return false;
    visiting.add(schema);
    const leads =
      this.#typeDefaults[schema.name] !== undefined ||
      Object.values(schema.fields).some((field) => {
        if (field.default !== undefined && !isGoZero(field)) return true;
        let type = field.type;
        while (type.kind === 'array' || type.kind === 'map') type = type.kind === 'array' ? type.items : type.values;
        return type.kind === 'object' && this.#leadsToDefault(resolveObject(type), visiting);
      });
    // Inside a cycle a "no" is not final before the outermost type is known.
    if (leads || visiting.size === 1) this.#leads.set(schema, leads);
    visiting.delete(schema);
    return leads;
  }
}

/** A default that is the zero value of a field Go leaves out when zero: `name: ""`, `replicas: 0`, `optional: false`. */
const isGoZero = (field: FieldSchema): boolean =>
  field.emitted === 'nonzero' && (field.default === '' || field.default === 0 || field.default === false);
