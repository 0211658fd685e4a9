import type { Container, ContainerStatus, ContainerState as KubeState } from '../../api/generated/core-v1.ts';
import { formatTime } from '../../api/object.ts';
import type { ContainerState } from '../../runtime/sandbox-runtime.ts';
import { actuatedResources } from '../worker/resize.ts';
import { type ContainerRole, isRestartableInit, type StepInput } from '../worker/state.ts';
import { isRestartingAll, isSource, RESTARTING_ALL } from '../worker/steps/restart-all.ts';
import { shouldStart } from '../worker/steps/restart-policy.ts';

export const CONTAINER_ID_PREFIX = 'containerd://';

export interface StatusInput extends StepInput {
  terminating: boolean;
  /** What containers left as their termination message, by container id. */
  terminationMessages: Map<string, string>;
}

/** Statuses of one group of containers, as the kubelet converts them (convertToAPIContainerStatuses). */
export function containerStatuses(
  input: StatusInput,
  containers: Container[],
  role: ContainerRole,
  previous: ContainerStatus[],
): ContainerStatus[] {
  const statuses = containers.map((container) => {
    const before = previous.find(({ name }) => name === container.name);
    const status = statusOf(input, container, role, before);
    applyWaiting(input, container, role, status);
    applyProbes(input, container, role, status, before);
    return status;
  });
  // Init containers stand in their order, the others by name.
  return role === 'init' ? statuses : statuses.sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
}

function statusOf(
  input: StatusInput,
  container: Container,
  role: ContainerRole,
  before: ContainerStatus | undefined,
): ContainerStatus {
  const { instance, memory, observed, terminationMessages } = input;
  // As the kubelet's: a container counts as there when its start has ended, postStart hook included.
  const records = (observed.containers.get(container.name) ?? []).filter(
    ({ id, state }) => !memory.starting.has(id) || (state !== 'created' && state !== 'running'),
  );
  const newest = records[0];
  const takenAway = role === 'ephemeral' ? undefined : takenAwayStatus(input, container, newest, before);
  if (takenAway !== undefined) return takenAway;
  const volumeMounts = container.volumeMounts?.map(({ name, mountPath, readOnly }) => ({
    name,
    mountPath,
    ...(readOnly && { readOnly, recursiveReadOnly: 'Disabled' }),
  }));
  const common = { ...(volumeMounts !== undefined && volumeMounts.length > 0 && { volumeMounts }) };
  if (newest !== undefined) {
    const older = records[1];
    const requests = container.resources?.requests;
    const lastState =
      older === undefined
        ? before !== undefined
          ? lostState(before, newest)
          : {}
        : stateOf(older, terminationMessages);
    return {
      name: container.name,
      state: isBeingReplaced(input, newest) ? runningState(newest) : stateOf(newest, terminationMessages, before),
      lastState,
      ready: false,
      restartCount: newest.attempt,
      // Started by id, so that a moving tag cannot slip in; shown as asked for.
      image: newest.image === '' || newest.image.startsWith('sha256:') ? (container.image ?? '') : newest.image,
      imageID: newest.imageRef,
      containerID: `${CONTAINER_ID_PREFIX}${newest.id}`,
      ...(requests !== undefined && Object.keys(requests).length > 0 && { allocatedResources: requests }),
      resources: resourcesOf(newest.state === 'exited' ? container : withActuated(input, container, newest.id)),
      ...common,
    };
  }
  if (before?.state?.terminated !== undefined) return { ...before };
  const hasInit = (instance.spec.pod.initContainers ?? []).length > 0;
  const status: ContainerStatus = {
    name: container.name,
    state: { waiting: { reason: hasInit ? 'PodInitializing' : 'ContainerCreating' } },
    lastState: before?.lastState ?? {},
    ready: false,
    restartCount: before?.restartCount ?? 0,
    image: container.image ?? '',
    imageID: '',
    ...common,
  };
  if (before?.state?.running !== undefined) {
    status.lastState = {
      terminated: {
        reason: 'ContainerStatusUnknown',
        message: 'The container could not be located when the pod was deleted.  The container used to be Running',
        exitCode: 137,
      },
    };
    if (instance.metadata.deletionTimestamp === undefined) status.restartCount++;
  } else if (role === 'init' && !isRestartableInit(container) && mainCreated(input)) {
    status.state = {
      terminated: {
        reason: 'Completed',
        message:
          'Unable to get init container status from container runtime and pod has been initialized, treat it as exited normally',
        exitCode: 0,
      },
    };
  }
  return status;
}

/** What is shown of a container that is gone, or going, for the whole pod to start over. */
function takenAwayStatus(
  input: StatusInput,
  container: Container,
  newest: ContainerState | undefined,
  before: ContainerStatus | undefined,
): ContainerStatus | undefined {
  if (before === undefined || input.terminating) return undefined;
  if (newest !== undefined && (newest.state !== 'exited' || isSource(container, newest))) return undefined;
  const wasRestarting = input.memory.status?.conditions?.some(
    ({ type, status }) => type === 'AllContainersRestarting' && status === 'True',
  );
  if (!wasRestarting && !isRestartingAll(input)) return undefined;
  if (before.state?.waiting !== undefined) return before.state.waiting.reason === RESTARTING_ALL ? before : undefined;
  if (newest !== undefined && before.state?.terminated !== undefined) return undefined;
  const message = 'The container is removed because RestartAllContainers in place';
  return {
    name: before.name,
    state: { waiting: { reason: RESTARTING_ALL, message } },
    lastState: { terminated: { reason: RESTARTING_ALL, message, exitCode: 137 } },
    ready: false,
    restartCount: before.restartCount + 1,
    image: before.image,
    imageID: '',
    ...(before.volumeMounts !== undefined && { volumeMounts: before.volumeMounts }),
  };
}

/** Stopped only for a new container to take its place, it counts as running: its end is nobody's end. */
const isBeingReplaced = ({ memory, terminating }: StatusInput, record: ContainerState): boolean =>
  !terminating && record.state === 'exited' && memory.restarting.has(record.id);

const withActuated = (input: StatusInput, container: Container, id: string): Container => ({
  ...container,
  resources: actuatedResources(input, container, id),
});

const resourcesOf = ({ resources }: Container) => ({
  ...(resources?.limits !== undefined && { limits: resources.limits }),
  ...(resources?.requests !== undefined && { requests: resources.requests }),
});

/** The previous end of a container whose record is gone, out of the last status written. */
function lostState(before: ContainerStatus, newest: ContainerState): KubeState {
  if (before.containerID === `${CONTAINER_ID_PREFIX}${newest.id}`) return before.lastState ?? {};
  return before.state?.terminated === undefined ? (before.lastState ?? {}) : { terminated: before.state.terminated };
}

function mainCreated({ instance, observed }: StatusInput): boolean {
  return instance.spec.pod.containers.some(({ name }) => {
    const state = observed.containers.get(name)?.[0]?.state;
    return state === 'created' || state === 'running' || state === 'exited';
  });
}

const known = (epochMs: number | undefined): epochMs is number => epochMs !== undefined && epochMs > 0;

const runningState = (record: ContainerState): KubeState => ({
  running: { ...(known(record.startedAt) && { startedAt: formatTime(record.startedAt) }) },
});

function stateOf(record: ContainerState, messages: Map<string, string>, before?: ContainerStatus): KubeState {
  if (record.state === 'running') return runningState(record);
  if (record.state === 'exited') {
    const message = [record.message, messages.get(record.id)].filter((text) => text).join(': ');
    return {
      terminated: {
        exitCode: record.exitCode ?? 0,
        ...(record.reason !== undefined && { reason: record.reason }),
        ...(message !== '' && { message }),
        ...(known(record.startedAt) && { startedAt: formatTime(record.startedAt) }),
        ...(known(record.finishedAt) && { finishedAt: formatTime(record.finishedAt) }),
        containerID: `${CONTAINER_ID_PREFIX}${record.id}`,
      },
    };
  }
  if (record.state === 'unknown' && before?.state?.running !== undefined) {
    return {
      terminated: {
        reason: 'ContainerStatusUnknown',
        message: 'The container could not be located when the pod was terminated',
        exitCode: 137,
      },
    };
  }
  return { waiting: {} };
}

/** A container that is to be started again, and could not be, waits with the reason for it. */
function applyWaiting(input: StatusInput, container: Container, role: ContainerRole, status: ContainerStatus): void {
  const { instance, observed, memory, terminating } = input;
  const record = observed.containers.get(container.name)?.[0];
  if (role === 'init' && record?.state === 'exited' && record.exitCode === 0 && !isRestartableInit(container)) return;
  const waiting = memory.waiting.get(container.name);
  if (waiting === undefined || !shouldStart(container, instance.spec.pod, record, terminating)) return;
  if (status.state?.terminated !== undefined) status.lastState = { terminated: status.state.terminated };
  status.state = {
    waiting: { reason: waiting.reason, ...(waiting.message !== undefined && { message: waiting.message }) },
  };
}

function applyProbes(
  { memory, observed }: StatusInput,
  container: Container,
  role: ContainerRole,
  status: ContainerStatus,
  before: ContainerStatus | undefined,
): void {
  const record = observed.containers.get(container.name)?.[0];
  const running = status.state?.running !== undefined && record?.state === 'running';
  const results = record === undefined ? undefined : memory.probes.get(record.id);
  // After a restart of the agent, until a probe has spoken, what was last reported of this very container holds.
  const sameAsBefore = before?.containerID !== undefined && before.containerID === status.containerID;
  const startup =
    results?.startup ?? (sameAsBefore && before.started === true && before.state?.running ? 'success' : undefined);
  const started = running && (container.startupProbe === undefined || startup === 'success');
  if (role === 'ephemeral') {
    status.ready = false;
    return;
  }
  status.started = started;
  if (role === 'init' && !isRestartableInit(container)) {
    status.ready = status.state?.terminated?.exitCode === 0;
    return;
  }
  if (!started) return;
  const readiness = results?.readiness ?? (sameAsBefore && before.ready ? 'success' : undefined);
  status.ready = container.readinessProbe === undefined || readiness === 'success';
}
