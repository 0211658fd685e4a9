import type { ContainerStatus, Pod, PodCondition, PodStatus } from '../../api/generated/core-v1.ts';
import { formatTime } from '../../api/object.ts';
import { podResourceList, podStatusResources } from '../../api/pods/pod-resource-lists.ts';
import type { ContainerInstance } from '../../api/pool.ts';

/** The condition types that the virtual node owns; all others are the tenant's or the scheduler's. */
const ownedConditions = [
  'PodResizePending',
  'PodResizeInProgress',
  'PodReadyToStartContainers',
  'Initialized',
  'ContainersReady',
  'Ready',
  'AllContainersRestarting',
] as const;

/** Of these, those that go when they no longer hold. */
export const passing: ReadonlySet<string> = new Set(['PodResizePending', 'PodResizeInProgress']);

export const isFinishedPhase = (phase: string | undefined): boolean => phase === 'Succeeded' || phase === 'Failed';

/** The fields of a pod's status that the virtual node writes; undefined: not there. */
export type OwnedStatus = Pick<
  PodStatus,
  | 'phase'
  | 'conditions'
  | 'message'
  | 'reason'
  | 'hostIP'
  | 'hostIPs'
  | 'podIP'
  | 'podIPs'
  | 'startTime'
  | 'initContainerStatuses'
  | 'containerStatuses'
  | 'ephemeralContainerStatuses'
  | 'observedGeneration'
  | 'resources'
  | 'allocatedResources'
>;

/**
 * What the pod should say, given what its instance says. `hostReady` false: the host that runs it does not report.
 * @param resize why the pod does not get the resources it asks for, or that it has just been given them
 */
export function podStatusFrom(
  pod: Pod,
  instance: ContainerInstance,
  hostReady: boolean,
  nowMs: number,
  resize: ResizeState = {},
): OwnedStatus {
  const from = instance.status;
  const current = pod.status ?? {};
  const noRoom = unplaced(instance);
  if (from === undefined || noRoom !== undefined || from.startTime === undefined) {
    return waitingStatus(pod, nowMs, noRoom === undefined ? undefined : { reason: 'OutOfCapacity', message: noRoom });
  }
  // Somebody took the instance away under the pod: what ran is over, and a controller may replace the pod.
  const takenAway = instance.metadata.deletionTimestamp !== undefined && pod.metadata.deletionTimestamp === undefined;
  const isLost = takenAway && from.meteredTo !== undefined && !isFinishedPhase(from.phase);
  const observedGeneration = from.observedGeneration ?? pod.metadata.generation;
  const phase = isFinishedPhase(current.phase) ? current.phase : isLost ? 'Failed' : from.phase;
  return {
    phase,
    conditions: mergeConditions(
      pod,
      [
        ...resizeConditions(pod, instance, resize),
        ...reportedConditions(pod, instance, hostReady).filter(({ type }) => type !== 'PodResizeInProgress'),
      ],
      nowMs,
      observedGeneration,
    ),
    reason: isLost ? 'InstanceDeleted' : from.reason,
    message: isLost ? 'The container instance of this pod was deleted by the operator of the pool.' : from.message,
    hostIP: from.hostIP,
    hostIPs: from.hostIP === undefined ? undefined : [{ ip: from.hostIP }],
    podIP: from.podIP,
    podIPs: from.podIPs ?? (from.podIP === undefined ? undefined : [{ ip: from.podIP }]),
    startTime: current.startTime ?? from.startTime,
    initContainerStatuses: from.initContainerStatuses,
    containerStatuses: from.containerStatuses,
    ephemeralContainerStatuses: from.ephemeralContainerStatuses,
    observedGeneration,
    ...sizesOf(pod, instance, phase),
  };
}

export interface ResizeState {
  pending?: { reason: string; message: string };
  /** The generation whose resources the instance was given just now. */
  started?: number | undefined;
}

const inProgressOf = (conditions: readonly PodCondition[] | undefined) =>
  conditions?.find(({ type }) => type === 'PodResizeInProgress');

/** Until the host has seen what was given, and says that it has given it. Its generation is that of its beginning. */
function resizeConditions(pod: Pod, instance: ContainerInstance, { pending, started }: ResizeState): PodCondition[] {
  const conditions: PodCondition[] = [];
  const { generation } = pod.metadata;
  const ofPod = generation === undefined ? {} : { observedGeneration: generation };
  if (pending !== undefined) conditions.push({ type: 'PodResizePending', status: 'True', ...ofPod, ...pending });
  const before = inProgressOf(pod.status?.conditions);
  const reported = inProgressOf(instance.status?.conditions as PodCondition[] | undefined);
  const since = started ?? before?.observedGeneration;
  const isUnseen = since !== undefined && (instance.status?.observedGeneration ?? 0) < since;
  if (reported === undefined && !isUnseen) return conditions;
  const observedGeneration = since ?? generation;
  conditions.push({
    type: 'PodResizeInProgress',
    status: 'True',
    ...(observedGeneration !== undefined && { observedGeneration }),
    // What was said of an earlier resize holds no longer.
    ...(!isUnseen && reported?.reason !== undefined && { reason: reported.reason }),
    ...(!isUnseen && reported?.message !== undefined && { message: reported.message }),
  });
  return conditions;
}

/** What the pod as a whole was promised, and what it has; during a resize that is what it had. */
function sizesOf(
  pod: Pod,
  instance: ContainerInstance,
  phase: string | undefined,
): Pick<OwnedStatus, 'resources' | 'allocatedResources'> {
  const allocated = podResourceList({ spec: instance.spec.pod }, 'requests', { podLevelHugePages: true });
  const { podGeneration = 0 } = instance.spec;
  const isResizing =
    inProgressOf(instance.status?.conditions as PodCondition[] | undefined) !== undefined ||
    (instance.status?.observedGeneration ?? podGeneration) < podGeneration;
  const had = isResizing ? pod.status?.resources : undefined;
  return {
    resources: had ?? podStatusResources(instance.spec.pod, phase === 'Running'),
    allocatedResources: Object.keys(allocated).length > 0 ? allocated : undefined,
  };
}

/** Bound, but nothing of it runs yet: `ContainerCreating`, as the kubelet's first status. */
export function waitingStatus(pod: Pod, nowMs: number, why?: { reason: string; message: string }): OwnedStatus {
  const hasInit = (pod.spec.initContainers ?? []).length > 0;
  const waiting =
    (reason: string) =>
    (container: { name: string; image?: string }): ContainerStatus => ({
      name: container.name,
      state: { waiting: { reason } },
      lastState: {},
      ready: false,
      restartCount: 0,
      image: container.image ?? '',
      imageID: '',
      started: false,
    });
  const notReady = {
    status: 'False',
    reason: 'ContainersNotReady',
    message: `containers with unready status: [${pod.spec.containers.map(({ name }) => name).join(' ')}]`,
  };
  const conditions: PodCondition[] = [
    { type: 'PodReadyToStartContainers', status: 'False', ...why },
    hasInit
      ? {
          type: 'Initialized',
          status: 'False',
          reason: 'ContainersNotInitialized',
          message: `containers with incomplete status: [${pod.spec.initContainers!.map(({ name }) => name).join(' ')}]`,
        }
      : { type: 'Initialized', status: 'True' },
    { type: 'Ready', ...notReady },
    { type: 'ContainersReady', ...notReady },
  ];
  return {
    phase: 'Pending',
    conditions: mergeConditions(pod, conditions, nowMs, pod.metadata.generation),
    startTime: pod.status?.startTime ?? formatTime(nowMs),
    ...(hasInit && { initContainerStatuses: pod.spec.initContainers!.map(waiting('PodInitializing')) }),
    containerStatuses: pod.spec.containers.map(waiting(hasInit ? 'PodInitializing' : 'ContainerCreating')),
    observedGeneration: pod.metadata.generation,
  };
}

/** The pool scheduler's message while it has no host for the instance. */
export function unplaced({ spec, status }: ContainerInstance): string | undefined {
  if (spec.hostName) return undefined;
  const condition = status?.conditions?.find(({ type }) => type === 'PodScheduled');
  return condition?.status === 'False' ? (condition.message ?? '') : undefined;
}

function reportedConditions(pod: Pod, instance: ContainerInstance, hostReady: boolean): PodCondition[] {
  const reported = (instance.status?.conditions ?? []).filter(({ type }) =>
    (ownedConditions as readonly string[]).includes(type),
  );
  const conditions: PodCondition[] = reported.filter(({ type }) => type !== 'Ready') as PodCondition[];
  const ready = reported.find(({ type }) => type === 'Ready') ?? { type: 'Ready', status: 'False' as const };
  if (!hostReady) {
    conditions.push({
      ...ready,
      status: 'False',
      reason: 'HostNotReady',
      message: 'the host of this pod does not report',
    });
  } else if (ready.status === 'True' && (pod.spec.readinessGates ?? []).length > 0) {
    const unmet = unmetReadinessGates(pod);
    // When the host saw the containers ready is not when the pod was.
    const { lastTransitionTime: _, ...judged } = ready;
    conditions.push(
      unmet === undefined ? judged : { ...judged, status: 'False', reason: 'ReadinessGatesNotReady', message: unmet },
    );
  } else {
    conditions.push(ready as PodCondition);
  }
  return conditions;
}

/** Readiness gates are conditions that the tenant sets; upstream's words for those that are not True. */
function unmetReadinessGates(pod: Pod): string | undefined {
  const messages = (pod.spec.readinessGates ?? []).flatMap(({ conditionType }) => {
    const condition = pod.status?.conditions?.find(({ type }) => type === conditionType);
    if (condition === undefined)
      return [`corresponding condition of pod readiness gate "${conditionType}" does not exist.`];
    if (condition.status === 'True') return [];
    return [`the status of pod readiness gate "${conditionType}" is not "True", but ${condition.status}`];
  });
  if (messages.length === 0) return undefined;
  return messages.length === 1 ? messages[0] : `[${messages.join(', ')}]`;
}

/** The owned conditions as wanted, then everybody else's as they are. A condition's time moves only with its status. */
function mergeConditions(
  pod: Pod,
  wanted: readonly PodCondition[],
  nowMs: number,
  observedGeneration: number | undefined,
): PodCondition[] {
  const observed = observedGeneration === undefined ? {} : { observedGeneration };
  const current = pod.status?.conditions ?? [];
  const owned = wanted.map((condition) => {
    const before = current.find(({ type }) => type === condition.type);
    // Those that are always True change with their reason.
    const isSame =
      before?.status === condition.status && !(passing.has(condition.type) && before?.reason !== condition.reason);
    const lastTransitionTime = isSame ? before.lastTransitionTime : (condition.lastTransitionTime ?? formatTime(nowMs));
    const own = condition.observedGeneration === undefined ? observed : {};
    return { ...condition, ...own, lastProbeTime: null, lastTransitionTime };
  });
  const others = current
    .filter(({ type }) => !wanted.some((condition) => condition.type === type) && !passing.has(type))
    .map((condition) => (condition.type === 'PodScheduled' ? { ...condition, ...observed } : condition));
  if (!others.some(({ type }) => type === 'PodScheduled') && pod.spec.nodeName) {
    others.push({
      type: 'PodScheduled',
      status: 'True',
      ...observed,
      lastProbeTime: null,
      lastTransitionTime: pod.metadata.creationTimestamp,
    });
  }
  return [...owned, ...others];
}
