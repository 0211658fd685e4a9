import type { CallNode } from '../syntax/syntax-tree.ts';
import { type CelType, sameType } from '../types.ts';
import {
  add,
  type Cost,
  type EntrySizes,
  type EstimatedNode,
  fixed,
  type KnownSizes,
  MAXIMUM,
  multiply,
  type Range,
  scale,
  union,
  unknownSize,
} from './cost-ranges.ts';
import { CHECK_COST, LIST_COST, nominal, PATTERN_FACTOR, STRING_FACTOR, STRUCT_COST } from './runtime-cost.ts';

export interface CallEstimate {
  cost: Cost;
  /** Of the result. */
  size?: Range;
}

/** Formats' patterns are no longer than this. */
const LONGEST_FORMAT_PATTERN = 128;
const LONGEST_FORMAT = 64;
const one: Cost = fixed(1);
const strings = (size: Range, times = 1) => scale(size, times * STRING_FACTOR);

export function estimateCall(
  known: KnownSizes,
  node: CallNode,
  id: string,
  target: EstimatedNode | undefined,
  given: readonly EstimatedNode[],
  costs: readonly Cost[],
): CallEstimate {
  const sum = costs.reduce(add, fixed(0));
  const own = libraryCall(known, node.function, id, target, given) ?? extensionCall(known, id, target, given);
  if (own !== undefined) return { ...own, cost: add(own.cost, sum) };
  return standardCall(known, node, id, target, given, costs, sum);
}

const sizeOf = (known: KnownSizes, node: EstimatedNode): Range =>
  node.size ?? known.estimateSize(node.path) ?? unknownSize;

const isText = ({ kind }: CelType) => kind === 'string' || kind === 'bytes';

/** Source: apiserver's pkg/cel/library/cost.go. */
function libraryCall(
  known: KnownSizes,
  name: string,
  id: string,
  target: EstimatedNode | undefined,
  given: readonly EstimatedNode[],
): CallEstimate | undefined {
  const size = (node: EstimatedNode) => sizeOf(known, node);
  const [first, second] = given;
  if (name === 'check') return { cost: fixed(CHECK_COST) };
  if (nominal.has(name) || id === 'cidr_ip') return { cost: one };
  switch (name) {
    case 'fieldSelector':
    case 'labelSelector': {
      if (first === undefined) return undefined;
      const length = size(first);
      const requirements = scale(scale(length, 0.5), LIST_COST + STRUCT_COST);
      return { cost: add(fixed(LIST_COST), add(strings(length), requirements)) };
    }
    case 'isSorted':
    case 'sum':
    case 'max':
    case 'min':
    case 'indexOf':
    case 'lastIndexOf': {
      if (target === undefined) return undefined;
      const item = target.type.parameters[0];
      if (item === undefined) return { cost: strings(size(target)) };
      const path = target.path === undefined ? undefined : [...target.path, '@items'];
      const perItem = isText(item) ? add(one, strings(known.estimateSize(path) ?? unknownSize)) : one;
      return { cost: multiply(size(target), perItem) };
    }
    case 'url':
    case 'jsonpatch.escapeKey':
      return first === undefined ? undefined : { cost: strings(size(first)), size: size(first) };
    case 'lowerAscii':
    case 'upperAscii':
    case 'substring':
    case 'trim':
      return target === undefined ? undefined : { cost: strings(size(target)), size: size(target) };
    case 'replace':
      if (target === undefined || second === undefined) return undefined;
      return { cost: strings(size(target), 2), size: replacedSize(size(target), size(first!), size(second)) };
    case 'split': {
      if (target === undefined) return undefined;
      const most = second?.node?.kind === 'literal' && typeof second.node.value === 'bigint' ? second.node.value : -1n;
      const max = second?.node?.kind === 'literal' ? (most < 0n ? MAXIMUM : Number(most)) : size(target).max;
      return { cost: strings(size(target), 2), size: { min: 0, max } };
    }
    case 'join': {
      if (target === undefined) return undefined;
      const list = size(target);
      let text = fixed(0);
      if (target.type.parameters[0] !== undefined) {
        const path = target.path === undefined ? undefined : [...target.path, '@items'];
        text = multiply(list, known.estimateSize(path) ?? unknownSize);
      }
      if (first !== undefined) {
        const separators = { min: Math.max(0, list.min - 1), max: Math.max(0, list.max - 1) };
        text = add(text, multiply(size(first), separators));
      }
      return { cost: strings(text), size: text };
    }
    case 'find':
    case 'findAll': {
      if (target === undefined || first === undefined) return undefined;
      const text = size(target);
      const cost = multiply(strings(add(text, one)), scale(size(first), PATTERN_FACTOR));
      return { cost, size: { min: 0, max: text.max } };
    }
    case 'cidr':
    case 'isIP':
    case 'isCIDR':
    case 'ip':
    case 'quantity':
    case 'isQuantity':
    case 'semver':
    case 'isSemver':
      return first === undefined ? undefined : { cost: strings(size(first)) };
    case 'ip.isCanonical':
      return first === undefined ? undefined : { cost: strings(size(first), 2) };
    case 'containsIP':
    case 'containsCIDR': {
      if (first === undefined) return undefined;
      const bytes = { min: 4, max: 16 };
      let cost = strings(add(bytes, bytes));
      if (name === 'containsCIDR') cost = add(add(cost, strings(bytes)), one);
      return { cost: id.endsWith('_string') ? add(cost, strings(size(first))) : cost };
    }
    case 'validate':
      if (first === undefined) return undefined;
      return { cost: scale(strings(size(first)), LONGEST_FORMAT_PATTERN * PATTERN_FACTOR) };
    case '_==_':
      return first !== undefined && second !== undefined ? equalityOf(first.type, second.type) : undefined;
  }
  return undefined;
}

function equalityOf(left: CelType, right: CelType): CallEstimate | undefined {
  if (!sameType(left, right)) return undefined;
  const { name } = left;
  if (name === 'net.IP' || name === 'net.CIDR') return { cost: one };
  if (name === 'kubernetes.NamedFormat') return { cost: strings({ min: 1, max: LONGEST_FORMAT }) };
  if (name === 'kubernetes.URL') return { cost: strings(one) };
  const isConstant =
    name === 'kubernetes.Quantity' || name === 'kubernetes.Semver' || name.startsWith('kubernetes.authorization.');
  return isConstant ? { cost: one } : undefined;
}

function replacedSize(text: Range, old: Range, next: Range): Range {
  let [countMin, countMax, keptMin, keptMax] = [0, 0, 0, 0];
  if (old.min === 0) {
    countMax = Math.min(text.max + 1, MAXIMUM);
    keptMax = text.max;
  } else if (next.max <= old.min) keptMax = text.max;
  else countMax = Math.ceil(text.max / old.min);
  if (old.max === 0) {
    countMin = Math.min(text.min + 1, MAXIMUM);
    keptMin = text.min;
  } else if (old.max <= next.min) keptMin = text.min;
  else countMin = Math.ceil(text.min / old.max);
  return add(multiply({ min: countMin, max: countMax }, next), { min: keptMin, max: keptMax });
}

/** Of cel-go's lists and sets. */
function extensionCall(
  known: KnownSizes,
  id: string,
  target: EstimatedNode | undefined,
  given: readonly EstimatedNode[],
): CallEstimate | undefined {
  const size = (node: EstimatedNode) => sizeOf(known, node);
  const [first, second] = given;
  const allocating = (items: Range, factor = 1): CallEstimate => ({
    cost: add(scale(items, factor), fixed(1 + LIST_COST)),
    size: items,
  });
  const whole = (node: EstimatedNode | undefined, otherwise: number) => {
    if (node?.node?.kind !== 'literal' || typeof node.node.value !== 'bigint') return otherwise;
    return Math.max(0, Number(node.node.value));
  };
  switch (id) {
    case 'list_sets_contains_list':
    case 'list_sets_intersects_list':
    case 'list_sets_equivalent_list': {
      const factor = id === 'list_sets_equivalent_list' ? 2 : 1;
      return { cost: add(scale(multiply(size(first!), size(second!)), factor), one) };
    }
    case 'list_slice':
      return allocating(fixed(Math.max(0, whole(second, size(target!).max) - whole(first, 0))));
    case 'lists_range':
      return allocating(fixed(whole(first, MAXIMUM)));
    case 'list_reverse':
      return allocating(size(target!));
    case 'list_flatten':
      return allocating(size(target!));
    case 'list_flatten_int':
      return allocating(size(target!), whole(first, MAXIMUM));
    case 'list_distinct':
      return allocating(multiply(size(target!), size(target!)), 2);
  }
  const sorted = /^list_(\w+)_sort(ByAssociatedKeys)?$/.exec(id);
  if (sorted === null) return undefined;
  const keys = size(sorted[2] === undefined ? target! : first!);
  const factor = sorted[1] === 'string' || sorted[1] === 'bytes' ? 2 + STRING_FACTOR : 2;
  return allocating(multiply(keys, keys), factor);
}

const comparedTexts = /^(?:less|greater)(?:_equals)?_(?:string|bytes)$/;

function standardCall(
  known: KnownSizes,
  node: CallNode,
  id: string,
  target: EstimatedNode | undefined,
  given: readonly EstimatedNode[],
  costs: readonly Cost[],
  sum: Cost,
): CallEstimate {
  const size = (estimated: EstimatedNode | undefined) => estimated?.size ?? unknownSize;
  const [first, second] = given;
  const plus = (cost: Cost, result?: Range): CallEstimate => ({
    cost: add(cost, sum),
    ...(result !== undefined && { size: result }),
  });
  switch (id) {
    case 'string_format':
      return plus(strings(size(target)));
    case 'string_to_bytes':
      return plus(strings(size(first)), { min: size(first).min, max: Math.min(size(first).max * 4, MAXIMUM) });
    case 'bytes_to_string':
      return plus(strings(size(first)), { min: Math.floor(size(first).min / 4), max: size(first).max });
    case 'strings_quote':
      return plus(strings(size(first)), add(multiply(size(first), { min: 1, max: 2 }), fixed(2)));
    case 'starts_with_string':
    case 'ends_with_string':
      return plus(strings(size(first)));
    case 'in_list':
      return plus(size(second));
    case 'matches_string':
      return plus(multiply(strings(add(size(target), one)), scale(size(first), PATTERN_FACTOR)));
    case 'contains_string':
      return plus(multiply(strings(size(target)), strings(size(first))));
    case 'logical_or':
    case 'logical_and':
      return { cost: { min: costs[0]!.min, max: add(costs[0]!, costs[1]!).max } };
    case 'conditional': {
      const [, whenTrue, whenFalse] = node.arguments;
      known.setEntrySizes(node, unionOf(known.entrySizes(whenTrue!), known.entrySizes(whenFalse!)));
      return { cost: add(costs[0]!, union(costs[1]!, costs[2]!)), size: union(size(given[1]), size(given[2])) };
    }
    case 'add_string':
    case 'add_bytes':
    case 'add_list': {
      const [left, right] = node.arguments;
      known.setEntrySizes(node, unionOf(known.entrySizes(left!), known.entrySizes(right!)));
      const result = add(size(first), size(second));
      return plus(id === 'add_list' ? one : strings(result), result);
    }
  }
  if (id === 'equals' || id === 'not_equals' || comparedTexts.test(id)) {
    const max = Math.min(size(first).max, size(second).max);
    return plus(strings({ min: max > 0 ? 1 : 0, max }));
  }
  return plus(one);
}

function unionOf(a: EntrySizes | undefined, b: EntrySizes | undefined): EntrySizes | undefined {
  if (a === undefined || b === undefined) return undefined;
  return { kind: a.kind, key: union(a.key, b.key), value: union(a.value, b.value) };
}
