import type { StepInput, StepResult } from '../state.ts';
import { isTerminating } from './ending.ts';
import { runningStep } from './running-step.ts';
import { terminationStep } from './termination-step.ts';

/**
 * What to do next for one instance: a pure function of what is wanted, what the runtime has, what the worker remembers
 * and the time. Calling it again with the same input gives the same answer, so any crash is recovered by looking again.
 */
export function step(input: StepInput): StepResult {
  return isTerminating(input) ? terminationStep(input) : runningStep(input);
}
