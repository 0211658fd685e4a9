import { compilePattern } from '../../structural-schema/regular-expression.ts';
import type { Functions } from '../declarations.ts';
import { ArrayList, EvaluationFailure, noSuchOverload } from '../values.ts';

function compiled(pattern: string, complaint: string): RegExp {
  try {
    return compilePattern(pattern);
  } catch (error) {
    throw new EvaluationFailure(`${complaint}${(error as Error).message}`);
  }
}

function findAll(text: string, pattern: string, most = -1n): ArrayList {
  const expression = compiled(pattern, 'Illegal regex: ');
  const found: string[] = [];
  if (most === 0n) return new ArrayList(found);
  for (const [part] of text.matchAll(new RegExp(expression, `${expression.flags}g`))) {
    found.push(part);
    if (found.length === Number(most)) break;
  }
  return new ArrayList(found);
}

/** `matches`, and Kubernetes' regex library. */
export function addPatterns(functions: Functions): void {
  const matches = (text: unknown, pattern: unknown) => {
    if (typeof text !== 'string' || typeof pattern !== 'string') throw noSuchOverload();
    return compiled(pattern, '').test(text);
  };
  functions.add('matches', 'matches', '(string, string) bool');
  functions.member('matches', 'matches_string', '(string, string) bool').implement('matches', matches);
  functions.member(
    'find',
    'string_find_string',
    '(string, string) string',
    (text: string, pattern: string) => compiled(pattern, 'Illegal regex: ').exec(text)?.[0] ?? '',
  );
  functions.member('findAll', 'string_find_all_string', '(string, string) list(string)', findAll);
  functions.member('findAll', 'string_find_all_string_int', '(string, string, int) list(string)', findAll);
}
