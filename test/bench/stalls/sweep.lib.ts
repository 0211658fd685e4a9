import { schemaOf } from '../../../src/api/generated-schema.ts';
import { apiVersionOf } from '../../../src/api/object.ts';
import type { ResourceDefinition } from '../../../src/api/resource-definition.ts';
import { builtinResources } from '../../../src/api/resources/index.ts';
import type { TypeSchema, ValueSchema } from '../../../src/api/schema.ts';
import { templates } from '../../fuzz/templates.ts';
import type { Measured } from './meter.lib.ts';
import { type Ask, bodyBytes, objectBytes } from './requests.lib.ts';

export interface SweepOptions {
  kinds: RegExp;
  slowMs: number;
  ask: Ask;
  measured<T>(work: () => Promise<T>): Promise<[T, Measured]>;
}

/** A place in a kind that can be filled: the way to it, `[]` into the first item of a list. */
interface Place {
  path: string[];
  type: ValueSchema;
}

const deepest = 7;
/** Fewer than a body may hold, and more than anyone has. */
const mostItems = 60_000;
const texts = ['a', '1', 'a.', 'a-', '(a|', '9/', ' ', 'é', '0:', '$('];

/** Objects that are sound but for one place, which holds as much as a body may. */
export async function sweep({ kinds, slowMs, ask, measured }: SweepOptions): Promise<void> {
  for (const resource of builtinResources) {
    const name = `${resource.resource}${resource.group && `.${resource.group}`}/${resource.version}`;
    if (!kinds.test(name)) continue;
    let tried = 0;
    for (const place of placesOf(resource.schema)) {
      for (const [filler, value] of fillers(place.type)) {
        const body = JSON.stringify(withPlace(resource, name, place, value));
        const [{ code, text }, { longestMs }] = await measured(() =>
          ask({ method: 'POST', path: `${pathOf(resource)}?dryRun=All`, body }),
        );
        tried++;
        if (longestMs <= slowMs && code < 500) continue;
        const said = code < 300 ? '' : text.slice(0, 160);
        console.log(
          `${longestMs.toFixed(0).padStart(6)} ms  ${name} ${place.path.join('.')} (${filler}): ${code} ${said}`,
        );
      }
    }
    console.log(`${name}: ${tried} requests`);
  }
}

const pathOf = ({ group, version, namespaced, resource }: ResourceDefinition) =>
  `${group === '' ? '/api/v1' : `/apis/${group}/${version}`}${namespaced ? '/namespaces/default' : ''}/${resource}`;

function* placesOf(schema: TypeSchema, path: string[] = [], seen: string[] = []): Generator<Place> {
  if (path.length > deepest || seen.includes(schema.name)) return;
  for (const [name, { type }] of Object.entries(schema.fields)) {
    if (path.length === 0 && (name === 'kind' || name === 'apiVersion' || name === 'status')) continue;
    yield* placesIn(type, [...path, name], [...seen, schema.name]);
  }
}

function* placesIn(type: ValueSchema, path: string[], seen: string[]): Generator<Place> {
  if (type.kind === 'array' || type.kind === 'map' || type.kind === 'string' || type.kind === 'quantity') {
    yield { path, type };
  }
  if (type.kind === 'array') yield* placesIn(type.items, [...path, '[]'], seen);
  if (type.kind === 'object') yield* placesOf(typeOf(type), path, seen);
}

const typeOf = (type: Extract<ValueSchema, { kind: 'object' }>): TypeSchema => type.schema ?? schemaOf(type.type)!;

function fillers(type: ValueSchema): [filler: string, value: unknown][] {
  if (type.kind === 'array') {
    return ['same', 'different'].map((how) => [how, manyOf((index) => sample(type.items, how === 'same' ? 0 : index))]);
  }
  if (type.kind === 'map') {
    const members = manyOf((index) => [`k${index}`, sample(type.values, index)]) as [string, unknown][];
    return [['many', Object.fromEntries(members)]];
  }
  return texts.map((text) => [JSON.stringify(text), text.repeat((bodyBytes - 20_000) / Buffer.byteLength(text))]);
}

function manyOf(make: (index: number) => unknown): unknown[] {
  const size = (JSON.stringify(make(10_000)) ?? '').length + 1;
  return Array.from({ length: Math.min(mostItems, Math.floor(objectBytes / size)) }, (_, index) => make(index));
}

/** The least a value of the type says, different for each index. */
function sample(type: ValueSchema, index: number): unknown {
  switch (type.kind) {
    case 'object': {
      const fields = Object.entries(typeOf(type).fields).filter(([name, { required }]) => required || name === 'name');
      return Object.fromEntries(fields.slice(0, 4).map(([name, { type: inner }]) => [name, sample(inner, index)]));
    }
    case 'array':
      return [];
    case 'map':
      return {};
    case 'int32':
    case 'int64':
    case 'double':
    case 'intOrString':
      return index + 1;
    case 'boolean':
      return true;
    case 'quantity':
      return `${index}m`;
    case 'bytes':
      return 'YQ==';
    case 'time':
    case 'microTime':
      return null;
    default:
      return `a${index}`;
  }
}

function withPlace(resource: ResourceDefinition, name: string, { path }: Place, value: unknown): unknown {
  const object: any = {
    ...structuredClone(templates[name] ?? {}),
    kind: resource.kind,
    apiVersion: apiVersionOf(resource),
  };
  object.metadata = { ...object.metadata, name: 'swept' };
  let at: any = object;
  for (const [index, part] of path.entries()) {
    const key = part === '[]' ? 0 : part;
    if (index === path.length - 1) at[key] = value;
    else {
      if (typeof at[key] !== 'object' || at[key] === null) at[key] = path[index + 1] === '[]' ? [] : {};
      at = at[key];
    }
  }
  return object;
}
