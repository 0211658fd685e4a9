import type { Rejection } from './plugin.ts';

/**
 * Why a unit found no place, in upstream's words (FitError.Error in pkg/scheduler/framework/types.go and the message of
 * the default preemption).
 * @param noun `nodes`, `hosts`
 */
export function fitErrorMessage(
  noun: string,
  total: number,
  rejections: readonly Rejection[],
  everywhere: string | undefined,
): string {
  if (total === 0) return `no ${noun} available to schedule ${noun === 'nodes' ? 'pods' : 'instances'}`;
  const reasons = new Map<string, number>();
  for (const rejection of rejections) for (const reason of rejection.reasons) count(reasons, reason);
  const text = everywhere ?? histogram(reasons);
  return `0/${total} ${noun} are available: ${text}.`;
}

/**
 * What preemption found where it sent nobody away.
 * @param rejections of the targets where somebody's leaving might have helped
 */
export function preemptionMessage(total: number, rejections: readonly Rejection[]): string {
  const outcomes = new Map<string, number>();
  for (const rejection of rejections) for (const reason of rejection.reasons) count(outcomes, reason);
  if (total > rejections.length) outcomes.set('Preemption is not helpful for scheduling', total - rejections.length);
  return `0/${total} nodes are available: ${histogram(outcomes)}.`;
}

function count(histogram: Map<string, number>, reason: string): void {
  histogram.set(reason, (histogram.get(reason) ?? 0) + 1);
}

function histogram(counts: Map<string, number>): string {
  return [...counts]
    .map(([reason, times]) => `${times} ${reason}`)
    .sort()
    .join(', ');
}
