import type { Container, PodSpec } from '../../api/generated/core-v1.ts';
import type { ContainerState } from '../../runtime/sandbox-runtime.ts';

/** Whether an exit with `exitCode` leads to a restart: the container's rules, its policy, then the pod's. */
export function restartsAfter(container: Container, pod: PodSpec, exitCode: number): boolean {
  if (container.restartPolicy !== undefined) {
    const rule = container.restartPolicyRules?.find(({ exitCodes }) => {
      const listed = exitCodes?.values?.includes(exitCode) ?? false;
      if (exitCodes?.operator === 'In') return listed;
      return exitCodes?.operator === 'NotIn' && !listed;
    });
    if (rule?.action === 'Restart' || rule?.action === 'RestartAllContainers') return true;
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
