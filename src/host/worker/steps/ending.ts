import type { Container } from '../../../api/generated/core-v1.ts';
import type { ContainerInstance } from '../../../api/pool.ts';
import type { ProbeResults, StepInput, Verdict, WorkerMemory } from '../state.ts';

export function isTerminating({ instance, memory }: Pick<StepInput, 'instance' | 'memory'>): boolean {
  return instance.metadata.deletionTimestamp !== undefined || memory.gone || memory.verdict !== undefined;
}

/** activeDeadlineSeconds, counted from the moment the host took the instance on. Epoch ms. */
export function deadline({ instance, memory }: Pick<StepInput, 'instance' | 'memory'>): number | undefined {
  const seconds = instance.spec.pod.activeDeadlineSeconds;
  return seconds === undefined ? undefined : memory.startTime + seconds * 1000;
}

export const DEADLINE_EXCEEDED: Verdict = {
  phase: 'Failed',
  reason: 'DeadlineExceeded',
  message: 'Pod was active on the node longer than the specified deadline',
};

/** How long the containers get after SIGTERM (their preStop hooks included). */
export function terminationGraceSeconds(instance: ContainerInstance, memory: WorkerMemory): number {
  if (memory.gone) return 1;
  if (instance.metadata.deletionTimestamp !== undefined && instance.metadata.deletionGracePeriodSeconds !== undefined) {
    return instance.metadata.deletionGracePeriodSeconds;
  }
  return instance.spec.pod.terminationGracePeriodSeconds ?? 30;
}

/** The probe whose failure condemns a running container. */
export function failedProbe(results: ProbeResults | undefined): 'liveness' | 'startup' | undefined {
  if (results?.liveness === 'failure') return 'liveness';
  if (results?.startup === 'failure') return 'startup';
  return undefined;
}

export function probeGraceSeconds(
  container: Container,
  probe: 'liveness' | 'startup',
  podGraceSeconds: number,
): number {
  const spec = probe === 'liveness' ? container.livenessProbe : container.startupProbe;
  return spec?.terminationGracePeriodSeconds ?? podGraceSeconds;
}
