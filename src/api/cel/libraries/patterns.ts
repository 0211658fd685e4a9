import { compilePattern, type Pattern } from '../../structural-schema/regular-expression.ts';
import type { Functions } from '../declarations.ts';
import { ArrayList, EvaluationFailure, noSuchOverload } from '../values.ts';

function compiled(pattern: string, complaint: string): Pattern {
  try {
    return compilePattern(pattern);
  } catch (error) {
    throw new EvaluationFailure(`${complaint}${(error as Error).message}`);
  }
}

const findAll = (text: string, pattern: string, most = -1n) =>
  new ArrayList(compiled(pattern, 'Illegal regex: ').findAll(text, Number(most)));

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
    (text: string, pattern: string) => compiled(pattern, 'Illegal regex: ').find(text) ?? '',
  );
  functions.member('findAll', 'string_find_all_string', '(string, string) list(string)', findAll);
  functions.member('findAll', 'string_find_all_string_int', '(string, string, int) list(string)', findAll);
}
