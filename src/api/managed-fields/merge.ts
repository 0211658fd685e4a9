import { runAtOnce, type Steps } from '../../base/steps.ts';
import { setOwn } from '../json/json.ts';
import { elementOfItem, itemsAtOnce } from './list-items.ts';
import {
  alternativeOf,
  isEmptyMap,
  type ListType,
  listOf,
  type MapType,
  type MergeType,
  mapOf,
  typeOfField,
  untypedAtomic,
} from './merge-type.ts';
import type { PathElement } from './path-element.ts';

/**
 * The live object with a configuration merged in: the configuration wins at leaves; maps and lists with keys merge item
 * by item, in the configuration's order. Shares what did not change with both. Source: TypedValue.Merge.
 */
export const mergeObjects = (type: MergeType, live: any, configuration: any): any =>
  runAtOnce(mergeSteps(type, live, configuration));

export function* mergeSteps(type: MergeType, live: any, configuration: any): Steps<any> {
  if (configuration === undefined) return live;
  const as = alternativeOf(type, configuration);
  if (as === 'map') return yield* mergeMaps(type.map!, live, configuration);
  if (as === 'list') return yield* mergeLists(type.list!, live, configuration);
  return configuration;
}

function* mergeMaps(type: MapType, live: any, configuration: any): Steps<any> {
  const old = mapOf(live);
  const map = mapOf(configuration);
  if (type.atomic || (isEmptyMap(old) && isEmptyMap(map))) return configuration;
  const merged: Record<string, unknown> = {};
  let count = 0;
  for (const name in old) {
    if (++count % itemsAtOnce === 0) yield;
    if (old[name] === undefined) continue;
    // A configuration is checked against the schema; what is live may hold more.
    setOwn(merged, name, yield* mergeSteps(typeOfField(type, name) ?? untypedAtomic, old[name], map?.[name]));
  }
  for (const name in map) {
    if (++count % itemsAtOnce === 0) yield;
    if (map[name] === undefined || Object.hasOwn(merged, name)) continue;
    setOwn(merged, name, yield* mergeSteps(typeOfField(type, name) ?? untypedAtomic, old?.[name], map[name]));
  }
  return merged;
}

function* mergeLists(type: ListType, live: any, configuration: any): Steps<any> {
  const old = listOf(live) ?? [];
  const list = listOf(configuration) ?? [];
  if (type.atomic || (old.length === 0 && list.length === 0)) return configuration;
  const oldElements = old.map((item) => elementOfItem(type, item));
  yield;
  const elements = list.map((item) => elementOfItem(type, item));
  yield;
  const oldItems = new Map<PathElement, any>();
  oldElements.forEach((element, index) => {
    // Duplicates do not merge with the configuration's item: it takes their place.
    oldItems.set(element, oldItems.has(element) ? undefined : old[index]);
  });
  const items = new Map<PathElement, any>(elements.map((element, index) => [element, list[index]]));
  const shared = elements.filter((element) => oldItems.has(element));
  let next = 0;

  const merged: any[] = [];
  const taken = new Set<PathElement>();
  const take = function* (element: PathElement): Steps<void> {
    taken.add(element);
    merged.push(yield* mergeSteps(type.items, oldItems.get(element), items.get(element)));
  };
  let count = 0;
  let left = 0;
  let right = 0;
  while (left < old.length || right < list.length) {
    if (++count % itemsAtOnce === 0) yield;
    if (left < old.length && right < list.length) {
      const element = oldElements[left]!;
      if (element === elements[right]) {
        yield* take(element);
        left++;
        right++;
        next++;
        continue;
      }
      if (items.has(element) && shared[next] !== undefined && shared[next] !== element) {
        // In both, but another one's turn comes first.
        left++;
        continue;
      }
    }
    if (left < old.length) {
      const element = oldElements[left]!;
      if (!items.has(element)) {
        merged.push(old[left]);
        left++;
        continue;
      }
      if (taken.has(element)) left++;
    }
    if (right < list.length) {
      const element = elements[right]!;
      yield* take(element);
      right++;
      if (shared[next] === element) next++;
    }
  }
  return merged;
}
