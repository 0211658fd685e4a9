import { compilePattern } from '../../structural-schema/regular-expression.ts';
import type { Issue } from '../issues.ts';
import { checkFormat } from '../libraries/string-format.ts';
import { durationOf, nanosOf } from '../times.ts';
import { type CelType, formatType, sameType, unwrapOptional } from '../types.ts';
import { type ListNode, type MapNode, type Node, nodesOf, partsOf } from './syntax-tree.ts';

const isPattern = (text: unknown): boolean => {
  try {
    compilePattern(String(text));
    return true;
  } catch {
    return false;
  }
};

const rules: Record<string, (value: unknown) => boolean> = {
  duration: (value) => typeof value === 'string' && durationOf(value) !== undefined,
  timestamp: (value) => typeof value !== 'string' || nanosOf(value) !== undefined,
  matches: isPattern,
};

/** What is wrong with literals, beyond their types. Source: cel-go's cel/validator.go and ext/formatting.go. */
export function checkLiterals(tree: Node, issues: Issue[]): void {
  for (const node of nodesOf(tree)) {
    if (node.kind !== 'call') continue;
    const isValid = Object.hasOwn(rules, node.function) ? rules[node.function] : undefined;
    const argument = node.arguments[node.function === 'matches' && node.target === undefined ? 1 : 0];
    if (isValid !== undefined && argument?.kind === 'literal' && !isValid(argument.value)) {
      issues.push({ offset: argument.offset, message: `invalid ${node.function} argument` });
    }
    const { target } = node;
    const isFormat = node.function === 'format' && target?.kind === 'literal' && typeof target.value === 'string';
    if (isFormat && argument?.kind === 'list') {
      const types = argument.elements.map(({ type }) => type!);
      for (const { index, message } of checkFormat(target.value as string, types)) {
        issues.push({ offset: index === undefined ? node.offset : argument.elements[index]!.offset, message });
      }
    }
  }
  checkAggregates(tree, issues);
}

/** A literal's entries are of one type, dyn not being any other; what is formatted may be mixed. */
function checkAggregates(node: Node, issues: Issue[]): void {
  if (node.kind === 'call' && node.function === 'format') return;
  if (node.kind === 'list') checkList(node, issues);
  if (node.kind === 'map') checkMap(node, issues);
  for (const part of partsOf(node)) checkAggregates(part, issues);
}

const mismatch = (node: Node, wanted: CelType, found: CelType): Issue => ({
  offset: node.offset,
  message: `expected type '${formatType(wanted)}' but found '${formatType(found)}'`,
});

function checkList({ elements, optionals }: ListNode, issues: Issue[]): void {
  let wanted: CelType | undefined;
  for (const [index, element] of elements.entries()) {
    const type = optionals.has(index) ? unwrapOptional(element.type!)[0] : element.type!;
    wanted ??= type;
    if (sameType(wanted, type)) continue;
    issues.push(mismatch(element, wanted, type));
    return;
  }
}

function checkMap({ entries }: MapNode, issues: Issue[]): void {
  const [first] = entries;
  if (first === undefined) return;
  const valueType = ({ value, isOptional }: MapNode['entries'][number]) =>
    isOptional ? unwrapOptional(value.type!)[0] : value.type!;
  const [keys, values] = [first.key.type!, valueType(first)];
  for (const entry of entries) {
    if (!sameType(keys, entry.key.type!)) issues.push(mismatch(entry.key, keys, entry.key.type!));
    if (!sameType(values, valueType(entry))) issues.push(mismatch(entry.value, values, valueType(entry)));
  }
}
