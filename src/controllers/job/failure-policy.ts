import type { Job } from '../../api/generated/batch-v1.ts';
import type { ContainerStatus, Pod } from '../../api/generated/core-v1.ts';

type FailurePolicy = NonNullable<NonNullable<Job['spec']>['podFailurePolicy']>;
type ExitCodes = NonNullable<FailurePolicy['rules'][number]['onExitCodes']>;

export interface FailureVerdict {
  action: 'FailJob' | 'FailIndex' | 'Ignore' | 'Count';
  /** For FailJob: what the Job's condition says. */
  message?: string;
}

/** What the first matching rule says about a failed pod; `Count` when none does. */
export function judgeFailure(policy: FailurePolicy | undefined, pod: Pod): FailureVerdict {
  const name = `${pod.metadata.namespace}/${pod.metadata.name}`;
  for (const [index, rule] of (policy?.rules ?? []).entries()) {
    const action = rule.action as FailureVerdict['action'];
    const tail = `matching ${action} rule at index ${index}`;
    if (rule.onExitCodes !== undefined) {
      const status = containerThatExited(pod, rule.onExitCodes);
      if (status === undefined) continue;
      const { exitCode } = status.state!.terminated!;
      return { action, message: `Container ${status.name} for pod ${name} failed with exit code ${exitCode} ${tail}` };
    }
    const condition = pod.status?.conditions?.find((candidate) =>
      (rule.onPodConditions ?? []).some(
        ({ type, status = 'True' }) => candidate.type === type && candidate.status === status,
      ),
    );
    if (condition === undefined) continue;
    return { action, message: `Pod ${name} has condition ${condition.type} ${tail}` };
  }
  return { action: 'Count' };
}

export const countsAsFailure = (policy: FailurePolicy | undefined, pod: Pod): boolean =>
  judgeFailure(policy, pod).action !== 'Ignore';

function containerThatExited(pod: Pod, rule: ExitCodes): ContainerStatus | undefined {
  const statuses = [...(pod.status?.containerStatuses ?? []), ...(pod.status?.initContainerStatuses ?? [])];
  return statuses.find((status) => {
    const exitCode = status.state?.terminated?.exitCode;
    if (exitCode === undefined || exitCode === 0) return false;
    if (rule.containerName !== undefined && rule.containerName !== status.name) return false;
    return rule.values.includes(exitCode) === (rule.operator === 'In');
  });
}
