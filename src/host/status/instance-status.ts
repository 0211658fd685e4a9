import type { Container, ContainerStatus } from '../../api/generated/core-v1.ts';
import { formatTime } from '../../api/object.ts';
import type { ContainerInstanceStatus } from '../../api/pool.ts';
import { isPodResizePending, pendingResizes } from '../worker/resize.ts';
import { latest, type StepInput } from '../worker/state.ts';
import { isTerminating } from '../worker/steps/ending.ts';
import { canRestartAll, isRestartingAll } from '../worker/steps/restart-all.ts';
import { conditionsOf } from './conditions.ts';
import { containerStatuses, type StatusInput } from './container-statuses.ts';
import { phaseOf } from './phase.ts';
import { qosClassOf } from './qos-class.ts';

/**
 * The instance's status as of now: a pure function, as the kubelet's generateAPIPodStatus.
 * @param terminated everything has stopped for good.
 * @returns `phase` may be terminal while the status, until the last container has stopped, still reports the one before.
 */
export function instanceStatus(input: StepInput & { terminationMessages: Map<string, string>; terminated: boolean }): {
  phase: ContainerInstanceStatus['phase'];
  status: ContainerInstanceStatus;
} {
  const { instance, observed, memory, now, terminated } = input;
  const pod = instance.spec.pod;
  const previous = memory.status;
  const statusInput: StatusInput = { ...input, terminating: isTerminating(input) };
  const init = containerStatuses(statusInput, pod.initContainers ?? [], 'init', previous?.initContainerStatuses ?? []);
  const main = containerStatuses(statusInput, pod.containers, 'main', previous?.containerStatuses ?? []);
  const ephemeral = containerStatuses(
    statusInput,
    (pod.ephemeralContainers ?? []) as Container[],
    'ephemeral',
    previous?.ephemeralContainerStatuses ?? [],
  );
  if (terminated) markUnknownAsFailed(main, init);

  const hasInitialized = pod.containers.some(({ name }) => {
    const record = latest(observed, name);
    return record !== undefined && record.sandboxId === observed.sandboxes[0]?.id;
  });
  let phase = phaseOf(pod, [...init, ...main], terminated, hasInitialized);
  let { reason, message } = { reason: previous?.reason, message: previous?.message };
  if (terminated && phase !== 'Succeeded' && phase !== 'Failed') phase = 'Failed';
  if (memory.verdict !== undefined) {
    phase = memory.verdict.phase;
    reason = memory.verdict.reason;
    message = memory.verdict.message;
  }
  const conditions = conditionsOf(
    pod,
    [...init, ...main],
    phase,
    observed.sandboxes[0]?.state === 'ready',
    previous?.conditions ?? [],
    now,
    canRestartAll(pod) ? isRestartingAll(input) : undefined,
    isResizing(input) ? { ...(memory.resizeError !== undefined && { error: memory.resizeError }) } : undefined,
  );
  const ended = phase === 'Failed' || phase === 'Succeeded';
  const wasEnded = previous?.phase === 'Failed' || previous?.phase === 'Succeeded';
  const runs = [...observed.containers.values()].some((records) => records.some(({ state }) => state === 'running'));
  let reported = phase;
  if (ended && !wasEnded && runs) {
    reported = previous?.phase ?? 'Pending';
    reason = previous?.reason;
    message = previous?.message;
  }
  const address = memory.address;
  const podIp = address?.ip ?? previous?.podIP;
  const hostIp = address?.hostIp ?? previous?.hostIP;
  const status: ContainerInstanceStatus = {
    phase: reported,
    conditions,
    ...(reason !== undefined && { reason }),
    ...(message !== undefined && { message }),
    ...(hostIp !== undefined && { hostIP: hostIp }),
    ...(podIp !== undefined && { podIP: podIp, podIPs: [{ ip: podIp }] }),
    startTime: formatTime(memory.startTime),
    ...(memory.meteredFrom !== undefined && { meteredFrom: memory.meteredFrom }),
    ...(memory.meteredTo !== undefined && { meteredTo: memory.meteredTo }),
    ...(init.length > 0 && { initContainerStatuses: init }),
    containerStatuses: main,
    ...(ephemeral.length > 0 && { ephemeralContainerStatuses: ephemeral }),
    qosClass: qosClassOf(pod),
    ...(instance.spec.podGeneration !== undefined && { observedGeneration: instance.spec.podGeneration }),
  };
  return { phase, status };
}

const isResizing = (input: StepInput): boolean =>
  !isTerminating(input) && (isPodResizePending(input) || pendingResizes(input).length > 0);

/** Once a pod is over, a container that has run and left no end counts as failed (the kubelet's TerminatePod). */
function markUnknownAsFailed(main: ContainerStatus[], init: ContainerStatus[]): void {
  const hasRun = (status: ContainerStatus) =>
    status.state?.running !== undefined ||
    status.state?.terminated !== undefined ||
    status.lastState?.terminated !== undefined;
  const mark = (status: ContainerStatus) => {
    if (status.state?.terminated !== undefined) return;
    status.state = {
      terminated: {
        reason: 'ContainerStatusUnknown',
        message: 'The container could not be located when the pod was terminated',
        exitCode: 137,
      },
    };
  };
  const lastInit = init.findLastIndex(hasRun);
  init.slice(0, lastInit + 1).forEach(mark);
  if (main.some(hasRun)) main.forEach(mark);
}
