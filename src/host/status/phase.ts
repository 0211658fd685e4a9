import type { Container, ContainerStatus, PodSpec } from '../../api/generated/core-v1.ts';
import type { ContainerInstanceStatus } from '../../api/pool.ts';
import { isRestartableInit } from '../worker/state.ts';
import { RESTARTING_ALL } from '../worker/steps/restart-all.ts';
import { restartsAfter } from '../worker/steps/restart-policy.ts';

type Exit = NonNullable<NonNullable<ContainerStatus['state']>['terminated']>;

const isForGood = (container: Container, pod: PodSpec, exit: Exit): boolean =>
  exit.reason !== RESTARTING_ALL && !restartsAfter(container, pod, exit.exitCode);

/**
 * The pod's phase out of its containers' statuses, by the kubelet's rules (getPhase).
 * @param terminated no container will run again, whatever the restart policy says.
 * @param hasInitialized a main container of the present sandbox runs or has run.
 */
export function phaseOf(
  pod: PodSpec,
  statuses: ContainerStatus[],
  terminated: boolean,
  hasInitialized: boolean,
): ContainerInstanceStatus['phase'] {
  const byName = new Map(statuses.map((status) => [status.name, status]));
  let pendingInit = 0;
  let pendingSidecars = 0;
  let failedForGood = 0;
  let unknown = 0;
  let running = 0;
  let waiting = 0;
  let stopped = 0;
  let stoppedForGood = 0;
  let succeeded = 0;

  for (const container of pod.initContainers ?? []) {
    const status = byName.get(container.name);
    const exit = status?.state?.terminated ?? (status?.state?.waiting && status.lastState?.terminated);
    if (isRestartableInit(container)) {
      if (status === undefined) unknown++;
      else if (status.state?.running !== undefined) {
        if (status.started !== true) pendingSidecars++;
        running++;
      } else if (exit === undefined) {
        pendingSidecars++;
        waiting++;
      }
    } else if (exit === undefined) pendingInit++;
    else if (exit.exitCode !== 0 && isForGood(container, pod, exit)) failedForGood++;
  }
  for (const container of pod.containers) {
    const status = byName.get(container.name);
    const state = status?.state;
    if (state?.running !== undefined) running++;
    else if (state?.terminated !== undefined) {
      stopped++;
      if (isForGood(container, pod, state.terminated)) stoppedForGood++;
      if (state.terminated.exitCode === 0) succeeded++;
    } else if (state?.waiting !== undefined) {
      const exit = status?.lastState?.terminated;
      if (exit === undefined) waiting++;
      else {
        stopped++;
        if (isForGood(container, pod, exit)) stoppedForGood++;
      }
    } else unknown++;
  }

  if (failedForGood > 0) return 'Failed';
  if (pendingInit > 0 || (pendingSidecars > 0 && !hasInitialized) || waiting > 0) return 'Pending';
  if (running > 0 && unknown === 0) return 'Running';
  if (running === 0 && stopped > 0 && unknown === 0) {
    if (!terminated && stopped !== stoppedForGood) return 'Running';
    return stopped === succeeded ? 'Succeeded' : 'Failed';
  }
  return 'Pending';
}
