import { type Evaluation, OutOfBudget, RUNTIME_BUDGET } from '../expressions/index.ts';
import type { CompiledValidatingPolicy, CompiledValidation } from './compiled-policy.ts';

/** A validation that does not hold, or could not be evaluated. */
export interface Decision {
  message: string;
  /** '' where the policy names none. */
  reason: string;
  /** What evaluating it took. */
  elapsedMs: number;
}

export interface ValidationResult {
  /** By the validation's index; undefined: it holds. */
  decisions: (Decision | undefined)[];
  /** What went wrong and does not count, since the policy fails open. */
  ignored: Decision[];
  annotations: { key: string; value?: string; error?: string }[];
}

const LONGEST_MESSAGE = 5 * 1024;
const nothing: ValidationResult = { decisions: [], ignored: [], annotations: [] };

/** Holds one request, with one set of parameters, to a policy. Source: policy/validating/validator.go. */
export async function validateWith(
  policy: CompiledValidatingPolicy,
  evaluation: Evaluation,
): Promise<ValidationResult> {
  const failed = (message: string): ValidationResult => {
    const decisions = [{ message, reason: '', elapsedMs: 0 }];
    return policy.failsOpen ? { ...nothing, ignored: decisions } : { ...nothing, decisions };
  };
  try {
    if (policy.conditions !== undefined) {
      const outcome = await policy.conditions.evaluateIn(evaluation);
      if (outcome.error !== undefined) return failed(outcome.error);
      if (!outcome.matches) return nothing;
    }
    const budget = { left: RUNTIME_BUDGET };
    const results: { value: boolean | string; elapsedMs: number }[] = [];
    for (const { program } of policy.validations) {
      const startedMs = performance.now();
      const value = await resultOf(program, evaluation, budget);
      results.push({ value, elapsedMs: performance.now() - startedMs });
    }
    const decisions: ValidationResult['decisions'] = [];
    const ignored: Decision[] = [];
    for (const [index, validation] of policy.validations.entries()) {
      const { value, elapsedMs } = results[index]!;
      const found = await decide(validation, value, evaluation, budget);
      const decision = found === undefined ? undefined : { ...found, elapsedMs };
      const counts = decision === undefined || !decision.isError || !policy.failsOpen;
      if (!counts) ignored.push(decision);
      decisions.push(counts ? decision : undefined);
    }
    return { decisions, ignored, annotations: await annotationsOf(policy, evaluation) };
  } catch (error) {
    if (!(error instanceof OutOfBudget)) throw error;
    return failed(error.message);
  }
}

/** A text: what went wrong. */
async function resultOf(
  program: CompiledValidation['program'],
  evaluation: Evaluation,
  budget: { left: number },
): Promise<boolean | string> {
  if (typeof program === 'string') return `compilation error: ${program}`;
  const { value, error } = await evaluation.evaluate(program, budget);
  return error ?? value === true;
}

async function decide(
  validation: CompiledValidation,
  result: boolean | string,
  evaluation: Evaluation,
  budget: { left: number },
): Promise<(Omit<Decision, 'elapsedMs'> & { isError: boolean }) | undefined> {
  if (result === true) return undefined;
  if (typeof result === 'string') return { message: result, reason: '', isError: true };
  const { expression, message, messageProgram, reason } = validation;
  let text = '';
  if (messageProgram !== undefined && typeof messageProgram !== 'string') {
    try {
      const { value } = await evaluation.evaluate(messageProgram, budget);
      if (typeof value === 'string') text = value.trim();
    } catch (error) {
      if (!(error instanceof OutOfBudget)) throw error;
      return { message: `failed messageExpression: ${error.message}`, reason: '', isError: true };
    }
    if (Buffer.byteLength(text) > LONGEST_MESSAGE || text.includes('\n')) text = '';
  }
  text ||= (message ?? '').trim() || `failed expression: ${expression.trim()}`;
  return { message: text, reason: reason ?? 'Invalid', isError: false };
}

async function annotationsOf(
  { annotations, failsOpen }: CompiledValidatingPolicy,
  evaluation: Evaluation,
): Promise<ValidationResult['annotations']> {
  const budget = { left: RUNTIME_BUDGET };
  const made: ValidationResult['annotations'] = [];
  for (const { annotation, program } of annotations) {
    const { key } = annotation;
    const { value, error } =
      typeof program === 'string'
        ? { value: undefined, error: `compilation error: ${program}` }
        : await evaluation.evaluate(program, budget);
    if (error !== undefined) {
      if (!failsOpen) made.push({ key, error });
    } else if (typeof value === 'string' && value.trim() !== '') made.push({ key, value: value.trim() });
  }
  return made;
}
