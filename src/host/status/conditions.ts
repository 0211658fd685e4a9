import type { ContainerStatus, PodSpec } from '../../api/generated/core-v1.ts';
import { formatTime } from '../../api/object.ts';
import type { ContainerInstanceStatus } from '../../api/pool.ts';
import { isRestartableInit } from '../worker/state.ts';

export type Condition = NonNullable<ContainerInstanceStatus['conditions']>[number];

/** What the kubelet owns; others (readiness gates, PodScheduled) are kept as they are. */
const owned = new Set([
  'PodResizeInProgress',
  'PodReadyToStartContainers',
  'Initialized',
  'Ready',
  'ContainersReady',
  'PodScheduled',
  'AllContainersRestarting',
]);

/** A Go slice of strings as `%s` prints it. */
const list = (names: string[]) => `[${names.join(' ')}]`;

const messageOf = (unknown: string[], others: string[], word: string): string =>
  [
    ...(unknown.length > 0 ? [`containers with unknown status: ${list(unknown)}`] : []),
    ...(others.length > 0 ? [`containers with ${word} status: ${list(others)}`] : []),
  ].join(', ');

type Verdict = Pick<Condition, 'status' | 'reason' | 'message'>;

function containersReady(
  pod: PodSpec,
  byName: Map<string, ContainerStatus>,
  phase: ContainerInstanceStatus['phase'],
): Verdict {
  const unknown: string[] = [];
  const unready: string[] = [];
  for (const container of [...(pod.initContainers ?? []).filter(isRestartableInit), ...pod.containers]) {
    const status = byName.get(container.name);
    if (status === undefined) unknown.push(container.name);
    else if (!status.ready) unready.push(container.name);
  }
  if (phase === 'Succeeded' && unknown.length === 0) return { status: 'False', reason: 'PodCompleted' };
  if (phase === 'Failed') return { status: 'False', reason: 'PodFailed' };
  const message = messageOf(unknown, unready, 'unready');
  return message === '' ? { status: 'True' } : { status: 'False', reason: 'ContainersNotReady', message };
}

function initialized(
  pod: PodSpec,
  byName: Map<string, ContainerStatus>,
  phase: ContainerInstanceStatus['phase'],
  before: Condition[],
): Verdict {
  const unknown: string[] = [];
  const incomplete: string[] = [];
  for (const container of pod.initContainers ?? []) {
    const status = byName.get(container.name);
    if (status === undefined) unknown.push(container.name);
    else if (!(isRestartableInit(container) ? status.started === true : status.ready)) incomplete.push(container.name);
  }
  if (phase === 'Succeeded' && unknown.length === 0) return { status: 'True', reason: 'PodCompleted' };
  const started = pod.containers.some(({ name }) => {
    const state = byName.get(name)?.state;
    return state?.running !== undefined || state?.terminated !== undefined;
  });
  // Once initialized it stays so, though init containers may run again.
  const was = before.some(({ type, status }) => type === 'Initialized' && status === 'True');
  const message = started || was ? '' : messageOf(unknown, incomplete, 'incomplete');
  return message === '' ? { status: 'True' } : { status: 'False', reason: 'ContainersNotInitialized', message };
}

function startingOver(phase: ContainerInstanceStatus['phase'], restartsAll: boolean): Verdict {
  if (phase === 'Succeeded') return { status: 'False', reason: 'PodCompleted' };
  if (phase === 'Failed') return { status: 'False', reason: 'PodFailed' };
  if (!restartsAll) return { status: 'False' };
  const message = 'container exited with restart policy rule';
  return { status: 'True', reason: 'RestartAllContainersStarted', message };
}

/** The conditions of a pod, in the kubelet's order. Times change only with the status of a condition. */
export function conditionsOf(
  pod: PodSpec,
  statuses: ContainerStatus[],
  phase: ContainerInstanceStatus['phase'],
  sandboxReady: boolean,
  previous: Condition[],
  now: number,
  /** Undefined: no exit makes the whole pod start over. */
  restartsAll: boolean | undefined,
  /** Undefined: the containers have what the spec says. */
  resize?: { error?: string },
): Condition[] {
  const byName = new Map(statuses.map((status) => [status.name, status]));
  const kept = previous.filter(({ type }) => !owned.has(type));
  const containers = containersReady(pod, byName, phase);
  const fresh: [string, Verdict][] = [];
  if (resize !== undefined) {
    const { error } = resize;
    fresh.push([
      'PodResizeInProgress',
      { status: 'True', ...(error !== undefined && { reason: 'Error', message: error }) },
    ]);
  }
  fresh.push(
    ['PodReadyToStartContainers', { status: sandboxReady ? 'True' : 'False' }],
    ['Initialized', initialized(pod, byName, phase, previous)],
    // As far as the host knows: readiness gates are the tenant's, and the virtual node's to judge.
    ['Ready', containers],
    ['ContainersReady', containers],
    ['PodScheduled', { status: 'True' }],
  );
  if (restartsAll !== undefined) fresh.push(['AllContainersRestarting', startingOver(phase, restartsAll)]);
  return [
    ...kept,
    ...fresh.map(([type, verdict]) => {
      const before = previous.find((condition) => condition.type === type);
      const lastTransitionTime =
        before?.status === verdict.status && before.lastTransitionTime !== undefined
          ? before.lastTransitionTime
          : formatTime(now);
      return { type, ...verdict, lastTransitionTime };
    }),
  ];
}
