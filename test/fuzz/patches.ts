import type { Random } from './random.ts';
import { oddStrings, oddValue, words } from './values.ts';

const pointers = [
  '/metadata/labels',
  '/metadata/labels/a',
  '/spec',
  '/spec/replicas',
  '/spec/template/spec/containers/0/image',
  '/spec/containers/-',
  '/data/a',
  '/status',
  '/metadata/name',
  '/metadata/finalizers',
  '/metadata/ownerReferences',
  '/kind',
  '',
  '/',
  '/a~1b',
  '/~2',
  '/spec/ports/0',
  '/metadata/managedFields',
  '/__proto__/x',
  '/constructor/prototype/x',
];

export function patchBody(random: Random, object: any): { type: string; value: unknown } {
  return random.weighted<() => { type: string; value: unknown }>([
    [
      3,
      () => ({
        type: 'application/json-patch+json',
        value: Array.from({ length: 1 + random.below(4) }, () => {
          const operation: any = {
            op: random.pick(['add', 'remove', 'replace', 'test', 'move', 'copy', 'x']),
            path: random.chance(0.9) ? random.pick(pointers) : random.pick(oddStrings),
          };
          if (random.chance(0.8)) operation.value = random.chance(0.6) ? random.pick(words) : oddValue(random);
          if (random.chance(0.3)) operation.from = random.pick(pointers);
          return random.chance(0.95) ? operation : oddValue(random);
        }),
      }),
    ],
    [3, () => ({ type: 'application/merge-patch+json', value: nulled(random, object) })],
    [
      3,
      () => ({
        type: 'application/strategic-merge-patch+json',
        value: directed(random, nulled(random, object)),
      }),
    ],
    [4, () => ({ type: 'application/apply-patch+yaml', value: object })],
    [0.3, () => ({ type: 'application/apply-patch+cbor', value: object })],
    [0.2, () => ({ type: random.pick(oddStrings).replace(/[^\x20-\x7e]/g, ''), value: object })],
  ])();
}

function nulled(random: Random, object: any): any {
  if (typeof object !== 'object' || object === null) return object;
  for (const key of Object.keys(object)) {
    if (random.chance(0.1)) object[key] = null;
    else if (random.below(10) === 0 && key !== 'kind' && key !== 'apiVersion') delete object[key];
    else nulled(random, object[key]);
  }
  return object;
}

/** Directives of strategic merge patches, where they belong and where not. */
function directed(random: Random, value: any): any {
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) {
    for (const item of value) directed(random, item);
    if (random.chance(0.2)) value.push({ $patch: random.pick(['delete', 'replace', 'merge', 'x']), name: 'main' });
    return value;
  }
  for (const key of Object.keys(value)) directed(random, value[key]);
  if (random.chance(0.08)) value.$patch = random.pick(['replace', 'delete', 'merge', 'x', 1]);
  if (random.chance(0.05)) value.$retainKeys = random.pick([['a'], ['emptyDir'], 'x', null]);
  const list = Object.keys(value).find((key) => Array.isArray(value[key]));
  if (list !== undefined && random.chance(0.15))
    value[`$setElementOrder/${list}`] = random.pick([[{ name: 'main' }], ['a'], [], 'x', [1, null]]);
  if (random.chance(0.05))
    value[`$deleteFromPrimitiveList/${random.pick(['finalizers', 'args', 'x'])}`] = random.pick([['a'], [1], 'x']);
  return value;
}
