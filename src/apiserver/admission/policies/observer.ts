import { OUT_OF_BUDGET } from '../expressions/index.ts';

export type PolicyErrorType = 'compile_error' | 'invalid_error' | 'out_of_budget' | 'no_error';
/** What came of a validation that does not hold. */
export type PolicyAction = 'allow' | 'deny' | 'audit' | 'warn';

/** Hears what policies decided, for the metrics. */
export interface PolicyObserver {
  validated(policy: string, binding: string, errorType: PolicyErrorType, action: PolicyAction, elapsedMs: number): void;
  mutated(policy: string, binding: string, errorType: PolicyErrorType, elapsedMs: number): void;
}

/** Of what went wrong, by its text. Source: ErrorType in policy/validating/errors.go, which calls every refusal an error. */
export function policyErrorType(message: string): PolicyErrorType {
  if (message.startsWith('compilation')) return 'compile_error';
  return message.startsWith(OUT_OF_BUDGET.slice(0, OUT_OF_BUDGET.indexOf(','))) ? 'out_of_budget' : 'invalid_error';
}
