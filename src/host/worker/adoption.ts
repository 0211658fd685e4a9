import type { ContainerInstance } from '../../api/pool.ts';
import { CONTAINER_ID_PREFIX } from '../status/container-statuses.ts';
import { containersOf, latest, type PodObservation, type WorkerMemory } from './state.ts';
import { kubeletBackOff, restartKey } from './steps/back-off.ts';

/** What a worker begins with: of an instance that ran here before, what its last status tells. */
export function initialMemory(instance: ContainerInstance, now: number): WorkerMemory {
  const { status } = instance;
  const memory: WorkerMemory = {
    startTime: status?.startTime === undefined ? now : Date.parse(status.startTime),
    filesReady: false,
    notBefore: new Map(),
    failures: new Map(),
    waiting: new Map(),
    restartBackOff: kubeletBackOff(),
    imageBackOff: kubeletBackOff(),
    attempts: new Map(),
    killedToRestart: new Set(),
    starting: new Set(),
    restarting: new Set(),
    actuated: new Map(),
    imageVolumes: new Set(),
    probes: new Map(),
    busy: new Set(),
    gone: false,
    finalStatusWritten: false,
    cleanedUp: false,
    ...(status !== undefined && { status }),
    ...(status?.meteredFrom !== undefined && { meteredFrom: status.meteredFrom }),
    ...(status?.meteredTo !== undefined && { meteredTo: status.meteredTo }),
  };
  if (status?.phase === 'Failed' || status?.phase === 'Succeeded') {
    const { phase, reason, message } = status;
    memory.verdict = {
      phase,
      ...(reason !== undefined && { reason }),
      ...(message !== undefined && { message }),
    };
  }
  return memory;
}

/** Goes on where an earlier agent left off. */
export function adopt(instance: ContainerInstance, memory: WorkerMemory, observed: PodObservation): void {
  adoptProbeResults(memory, observed);
  adoptBackOffs(instance, memory, observed);
  adoptResources(memory, observed);
}

/** Containers run with what was last reported of them; the spec may have changed since. */
function adoptResources(memory: WorkerMemory, observed: PodObservation): void {
  const { initContainerStatuses = [], containerStatuses = [] } = memory.status ?? {};
  for (const { name, containerID, resources } of [...initContainerStatuses, ...containerStatuses]) {
    const record = latest(observed, name);
    if (record === undefined || resources === undefined || containerID !== `${CONTAINER_ID_PREFIX}${record.id}`)
      continue;
    memory.actuated.set(record.id, resources);
  }
}

/** A startup probe that had succeeded is not asked again. */
function adoptProbeResults(memory: WorkerMemory, observed: PodObservation): void {
  const { initContainerStatuses = [], containerStatuses = [] } = memory.status ?? {};
  for (const status of [...initContainerStatuses, ...containerStatuses]) {
    const record = latest(observed, status.name);
    if (record === undefined || status.containerID !== `${CONTAINER_ID_PREFIX}${record.id}`) continue;
    if (status.started === true) memory.probes.set(record.id, { startup: 'success' });
  }
}

/** Containers that crashed before this agent began keep their pace, as far as their records tell it. */
function adoptBackOffs(instance: ContainerInstance, memory: WorkerMemory, observed: PodObservation): void {
  const { entries, initialMs, maximumMs } = memory.restartBackOff;
  for (const container of containersOf(instance.spec.pod)) {
    const newest = latest(observed, container.name);
    if (newest === undefined || newest.attempt === 0) continue;
    const { startedAt = newest.createdAt, finishedAt = startedAt } = newest;
    if (finishedAt - startedAt > maximumMs * 2) continue;
    entries.set(restartKey(container), {
      delayMs: Math.min(initialMs * 2 ** (newest.attempt - 1), maximumMs),
      updatedAt: startedAt,
    });
  }
}
