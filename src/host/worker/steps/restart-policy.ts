import type { Container, ContainerRestartRule, PodSpec } from '../../../api/generated/core-v1.ts';
import type { ContainerState } from '../../../runtime/sandbox-runtime.ts';

/** The first of the container's rules that is about this exit. */
export function matchingRule(container: Container, exitCode: number): ContainerRestartRule | undefined {
  return container.restartPolicyRules?.find(({ exitCodes }) => {
    const listed = exitCodes?.values?.includes(exitCode) ?? false;
    return exitCodes?.operator === 'In' ? listed : exitCodes?.operator === 'NotIn' && !listed;
  });
}

/** Whether an exit with `exitCode` leads to a restart: the container's rules, its policy, then the pod's. */
export function restartsAfter(container: Container, pod: PodSpec, exitCode: number): boolean {
  if (container.restartPolicy !== undefined) {
    const action = matchingRule(container, exitCode)?.action;
    if (action === 'Restart' || action === 'RestartAllContainers') return true;
    if (container.restartPolicy === 'Always') return true;
    if (container.restartPolicy === 'OnFailure') return exitCode !== 0;
    if (container.restartPolicy === 'Never') return false;
  }
  if (pod.restartPolicy === 'OnFailure') return exitCode !== 0;
  return pod.restartPolicy !== 'Never';
}

/** Whether a container that is not running is to be started (again). `state` is its newest record. */
export function shouldStart(
  container: Container,
  pod: PodSpec,
  state: ContainerState | undefined,
  terminating: boolean,
): boolean {
  if (terminating) return false;
  if (state === undefined) return true;
  if (state.state === 'running') return false;
  if (state.state === 'created' || state.state === 'unknown') return true;
  return restartsAfter(container, pod, state.exitCode ?? 0);
}

/** Whether a container that the agent itself stops (failed probe, failed hook) comes back. */
export function restartsAfterKill(container: Container, pod: PodSpec): boolean {
  if (container.restartPolicy !== undefined) return container.restartPolicy !== 'Never';
  return pod.restartPolicy !== 'Never';
}
