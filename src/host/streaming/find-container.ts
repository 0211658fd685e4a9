import type { Container, ContainerStatus } from '../../api/generated/core-v1.ts';
import { badRequest, StatusError } from '../../api/status.ts';
import type { ContainerState } from '../../runtime/sandbox-runtime.ts';
import type { RuntimeCache } from '../runtime-cache.ts';
import { CONTAINER_ID_PREFIX } from '../status/container-statuses.ts';
import type { PodWorker } from '../worker/pod-worker.ts';
import { containersOf } from '../worker/state.ts';

function statusOf(worker: PodWorker, name: string): ContainerStatus | undefined {
  const status = worker.memory.status;
  return [
    ...(status?.initContainerStatuses ?? []),
    ...(status?.containerStatuses ?? []),
    ...(status?.ephemeralContainerStatuses ?? []),
  ].find((entry) => entry.name === name);
}

const nameOf = (worker: PodWorker) => worker.instance.spec.podRef.name;

/** The record whose log is asked for; throws 400 with the kubelet's words when there is none. */
export function containerForLogs(
  worker: PodWorker,
  cache: RuntimeCache,
  name: string,
  previous: boolean,
): ContainerState {
  const pod = nameOf(worker);
  const where = `container ${JSON.stringify(name)} in pod ${JSON.stringify(pod)}`;
  const status = statusOf(worker, name);
  if (status === undefined) throw badRequest(`${where} is not available`);
  const last = status.lastState?.terminated?.containerID;
  const { waiting, running, terminated } = status.state ?? {};
  let id: string | undefined;
  if (previous) {
    if (!last) throw badRequest(`previous terminated ${where} not found`);
    id = last;
  } else if (running !== undefined) id = status.containerID;
  else if (terminated !== undefined) {
    id = terminated.containerID || last;
    if (!id) throw badRequest(`${where} is terminated`);
  } else if (status.lastState?.terminated !== undefined) {
    if (!last) throw badRequest(`${where} is terminated`);
    id = last;
  } else if (waiting?.reason === 'ErrImagePull') {
    throw badRequest(`${where} is waiting to start: image can't be pulled`);
  } else if (waiting?.reason === 'ImagePullBackOff') {
    throw badRequest(`${where} is waiting to start: trying and failing to pull image`);
  } else if (waiting?.reason !== undefined) throw badRequest(`${where} is waiting to start: ${waiting.reason}`);
  else throw badRequest(`${where} is waiting to start - no logs yet`);

  const records = cache.get(worker.instance.metadata.name).containers.get(name) ?? [];
  const record = records.find((entry) => `${CONTAINER_ID_PREFIX}${entry.id}` === id);
  if (record === undefined) throw badRequest(`unable to retrieve container logs for ${id}`);
  return record;
}

/** The running record and spec of a container, for exec and attach. */
export function runningContainer(
  worker: PodWorker,
  cache: RuntimeCache,
  name: string,
): { record: ContainerState; container: Container } {
  const { pod, podRef } = worker.instance.spec;
  const container = containersOf(pod).find((entry) => entry.name === name);
  const record = cache.get(worker.instance.metadata.name).containers.get(name)?.[0];
  if (container === undefined || record === undefined || record.state !== 'running') {
    // As the kubelet answers when the container is not there (any more).
    throw new StatusError(
      404,
      'NotFound',
      `container not found ("${name}" in pod "${podRef.name}_${podRef.namespace}")`,
    );
  }
  return { record, container };
}
