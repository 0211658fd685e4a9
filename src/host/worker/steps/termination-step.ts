import type { StepInput, StepResult } from '../state.ts';
import { terminationGraceSeconds } from './ending.ts';
import { Plan } from './plan.ts';

/**
 * The pod is to end: containers, then the sandbox; then, if its object is being deleted, the final status, what is left
 * on the host, and the object. A pod that merely completed keeps its records, so that its logs can be read.
 */
export function terminationStep(input: StepInput): StepResult {
  const { instance, observed, memory } = input;
  const plan = new Plan(input);
  if (plan.stopAll(terminationGraceSeconds(instance, memory))) return plan.result;
  // What was under way when the end came either finishes or gives up; either way the worker looks again.
  if (memory.busy.has('start') || memory.busy.has('files')) return plan.result;

  if (!memory.cleanedUp && observed.sandboxes.some(({ state }) => state === 'ready')) {
    plan.add('sandbox', { kind: 'stopSandboxes' });
    return plan.result;
  }
  if (memory.busy.has('sandbox')) return plan.result;
  const deleted = instance.metadata.deletionTimestamp !== undefined;
  if (!deleted && !memory.gone) return plan.result;

  if (!memory.gone && !memory.finalStatusWritten) plan.add('finish', { kind: 'writeFinalStatus' });
  else if (!memory.cleanedUp) plan.add('finish', { kind: 'cleanUp' });
  else if (!memory.gone) plan.add('finish', { kind: 'deleteInstance' });
  return plan.result;
}
