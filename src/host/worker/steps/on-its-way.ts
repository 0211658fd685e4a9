import type { StepInput } from '../state.ts';
import { isTerminating } from './ending.ts';

/**
 * Whether the pod is being started for the first time and nothing of it runs, has run or was refused: it is Pending, and
 * what its status says of it now will soon be out of date. Asked at each look, where the status itself is dear to make.
 */
export function isOnItsWay(input: Omit<StepInput, 'now'>): boolean {
  const { instance, observed, memory } = input;
  const { pod } = instance.spec;
  if ((pod.initContainers ?? []).length > 0 || (pod.ephemeralContainers ?? []).length > 0) return false;
  if (memory.verdict !== undefined || memory.waiting.size > 0 || isTerminating(input)) return false;
  for (const records of observed.containers.values()) {
    for (const { id, state } of records) {
      if (!memory.starting.has(id) || (state !== 'created' && state !== 'running')) return false;
    }
  }
  const { status } = memory;
  if (status === undefined) return true;
  const isWaiting = ({ state, lastState }: NonNullable<typeof status.containerStatuses>[number]) =>
    state?.waiting !== undefined && lastState?.terminated === undefined;
  return status.phase === 'Pending' && (status.containerStatuses ?? []).every(isWaiting);
}
