import type { Container, PodSpec } from '../../../api/generated/core-v1.ts';
import type { ContainerState } from '../../../runtime/sandbox-runtime.ts';
import { latest, type StepInput } from '../state.ts';
import type { Plan } from './plan.ts';
import { matchingRule } from './restart-policy.ts';

/** The reason of containers that were taken away for the pod to start over in its sandbox (KEP-5532). */
export const RESTARTING_ALL = 'RestartingAllContainers';

const restartable = (pod: PodSpec): Container[] => [...(pod.initContainers ?? []), ...pod.containers];

/** Whether some exit of the pod's containers can make all of them start over. */
export const canRestartAll = (pod: PodSpec): boolean =>
  restartable(pod).some(({ restartPolicyRules }) =>
    restartPolicyRules?.some(({ action }) => action === 'RestartAllContainers'),
  );

/** Whether this end of the container makes the whole pod start over. */
export const isSource = (container: Container, record: ContainerState): boolean =>
  record.state === 'exited' && matchingRule(container, record.exitCode ?? 0)?.action === 'RestartAllContainers';

/**
 * Whether the pod is starting over. The record of the exit that asked for it goes last, so that an agent that starts
 * anew in between goes on with it.
 */
export function isRestartingAll({ instance, observed, memory }: Pick<StepInput, 'instance' | 'observed' | 'memory'>) {
  const { pod } = instance.spec;
  if (!canRestartAll(pod)) return false;
  return restartable(pod).some((container) => {
    const record = latest(observed, container.name);
    return record !== undefined && !memory.restarting.has(record.id) && isSource(container, record);
  });
}

/** Stops and removes all containers but ephemeral ones; without records they start over, init containers first. */
export function restartAllStep(input: StepInput, plan: Plan): boolean {
  if (!isRestartingAll(input)) return false;
  const { observed, memory } = input;
  const sources: ContainerState[] = [];
  const targets: ContainerState[] = [];
  for (const container of restartable(input.instance.spec.pod)) {
    for (const record of observed.containers.get(container.name) ?? []) {
      (isSource(container, record) ? sources : targets).push(record);
    }
  }
  const running = targets.filter(({ state }) => state === 'running' || state === 'unknown');
  for (const record of running) plan.stop(record, 'killing', 0);
  const isComing = targets.some(({ id, state }) => state === 'created' && memory.starting.has(id));
  if (running.length > 0 || isComing) return true;
  for (const { id } of targets.length > 0 ? targets : sources) {
    plan.add(`remove/${id}`, { kind: 'removeContainer', containerId: id, startsOver: true });
  }
  return true;
}
