import { compilePattern } from '../structural-schema/regular-expression.ts';
import type { Issue } from './issues.ts';
import { type Node, nodesOf } from './syntax-tree.ts';
import { durationOf, nanosOf } from './times.ts';

const isPattern = (text: string): boolean => {
  try {
    compilePattern(text);
    return true;
  } catch {
    return false;
  }
};

const rules: Record<string, (text: string) => boolean> = {
  duration: (text) => durationOf(text) !== undefined,
  timestamp: (text) => nanosOf(text) !== undefined,
  matches: isPattern,
};

/** Literals that could never be converted. Source: cel-go's cel/validator.go. */
export function checkLiterals(tree: Node, issues: Issue[]): void {
  for (const node of nodesOf(tree)) {
    if (node.kind !== 'call') continue;
    const isValid = Object.hasOwn(rules, node.function) ? rules[node.function] : undefined;
    if (isValid === undefined) continue;
    const argument = node.arguments[node.function === 'matches' && node.target === undefined ? 1 : 0];
    if (argument?.kind !== 'literal' || typeof argument.value !== 'string' || isValid(argument.value)) continue;
    issues.push({ offset: argument.offset, message: `invalid ${node.function} argument` });
  }
}
