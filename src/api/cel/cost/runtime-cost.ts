import { CelFormat } from '../libraries/formats.ts';
import { CelList, CelMap, isOpaque, Optional, sizeOf } from '../values.ts';

export const LIST_COST = 10;
export const MAP_COST = 30;
export const STRUCT_COST = 40;
export const STRING_FACTOR = 0.1;
export const PATTERN_FACTOR = 0.25;
/** One authorization check: two fit into an expression. */
export const CHECK_COST = 350_000;

/** Functions that cost one, whatever they are given. */
export const nominal = new Set(
  (
    'serviceAccount path group resource subresource namespace name allowed reason error errored masked prefixLength ' +
    'family isUnspecified isLoopback isLinkLocalMulticast isLinkLocalUnicast isGlobalUnicast format.named sign ' +
    'asInteger isInteger asApproximateFloat isGreaterThan isLessThan compareTo add sub major minor patch getScheme ' +
    'getHostname getHost getPort getEscapedPath getQuery'
  ).split(' '),
);
/** Lists are looked through once. */
const traversals = new Set(['isSorted', 'sum', 'max', 'min', 'indexOf', 'lastIndexOf']);
/** A string is looked through once. */
const stringTraversals = new Set([
  'url',
  'lowerAscii',
  'upperAscii',
  'substring',
  'trim',
  'jsonpatch.escapeKey',
  'cidr',
  'isIP',
  'isCIDR',
  'quantity',
  'isQuantity',
  'semver',
  'isSemver',
]);

const strings = (size: number, times = 1) => Math.ceil(size * times * STRING_FACTOR);
const patternCost = (text: number, pattern: number) =>
  Math.ceil((1 + text) * STRING_FACTOR) * Math.ceil(pattern * PATTERN_FACTOR);

/** What a call cost. Sources: cel-go's interpreter/runtimecost.go, apiserver's pkg/cel/library/cost.go. */
export function callCost(name: string, id: string, values: unknown[], result: unknown): number {
  const [first, second] = values;
  if (name === 'check') return CHECK_COST;
  if (nominal.has(name) || id === 'cidr_ip') return 1;
  if (traversals.has(name)) return traversal(first);
  if (stringTraversals.has(name)) return strings(sizeOf(first));
  switch (name) {
    case 'fieldSelector':
    case 'labelSelector': {
      const size = sizeOf(second);
      return LIST_COST + strings(size) + Math.ceil(Math.ceil(size * 0.5) * (LIST_COST + STRUCT_COST));
    }
    case 'replace':
    case 'split':
      return strings(sizeOf(first), 2);
    case 'join':
      return strings(sizeOf(result), 2);
    case 'find':
    case 'findAll':
      return patternCost(sizeOf(first), sizeOf(second));
    case 'ip':
      return strings(sizeOf(first));
    case 'ip.isCanonical':
      return strings(sizeOf(first), 2);
    case 'containsIP':
      return strings(sizeOf(first), 2) + (id === 'cidr_contains_ip_string' ? strings(sizeOf(second)) : 0);
    case 'containsCIDR': {
      const size = sizeOf(first);
      const parsing = id === 'cidr_contains_cidr_string' ? strings(sizeOf(second)) : 0;
      return strings(size, 2) + strings(size) + 1 + parsing;
    }
    case 'validate':
      return patternCost(sizeOf(second), first instanceof CelFormat ? first.patternSize : 1);
    case '_==_':
      if (isOpaque(first)) return 1;
  }
  return overloadCost(id, values, result);
}

function overloadCost(id: string, values: unknown[], result: unknown): number {
  const [first, second] = values;
  switch (id) {
    case 'starts_with_string':
    case 'ends_with_string':
    case 'string_to_bytes':
    case 'bytes_to_string':
    case 'strings_quote':
    case 'string_format':
      return strings(sizeOf(first));
    case 'in_list':
      return sizeOf(second);
    case 'equals':
    case 'not_equals':
      return strings(Math.min(sizeOf(first), sizeOf(second)));
    case 'add_string':
    case 'add_bytes':
      return strings(sizeOf(first) + sizeOf(second));
    case 'matches_string':
      return patternCost(sizeOf(first), sizeOf(second));
    case 'contains_string':
      return strings(sizeOf(first)) * strings(sizeOf(second));
    case 'list_sets_contains_list':
    case 'list_sets_intersects_list':
      return 1 + sizeOf(first) * sizeOf(second);
    case 'list_sets_equivalent_list':
      return 1 + 2 * sizeOf(first) * sizeOf(second);
    case 'list_slice':
    case 'lists_range':
    case 'list_reverse':
      return sizeOf(result) + 1 + LIST_COST;
    case 'list_flatten':
    case 'list_flatten_int':
      return sizeOf(first) * (typeof second === 'bigint' ? Number(second) : 1) + 1 + LIST_COST;
    case 'list_distinct':
      return selfComparison(first);
  }
  if (/^list_.*_sort$/.test(id)) return selfComparison(first);
  if (/^list_.*_sortByAssociatedKeys$/.test(id)) return selfComparison(second);
  if (/^(less|greater)(_equals)?_(string|bytes)$/.test(id)) return strings(Math.min(sizeOf(first), sizeOf(second)));
  return 1;
}

function selfComparison(list: unknown): number {
  const size = sizeOf(list);
  const first = list instanceof CelList && size > 0 ? list.at(0) : undefined;
  const factor = typeof first === 'string' || first instanceof Uint8Array ? 2 + STRING_FACTOR : 2;
  return Math.floor(size * size * factor) + 1 + LIST_COST;
}

function traversal(value: unknown): number {
  if (typeof value === 'string') return Math.floor(Buffer.byteLength(value) * STRING_FACTOR);
  if (value instanceof Uint8Array) return Math.floor(value.length * STRING_FACTOR);
  let cost = 0;
  if (value instanceof CelList) {
    for (const item of value) cost += traversal(item);
    return cost;
  }
  if (value instanceof CelMap) {
    for (const key of value.keys()) cost += traversal(key) + traversal(value.get(key));
    return cost;
  }
  return value instanceof Optional && value.hasValue ? traversal(value.value) : 1;
}
