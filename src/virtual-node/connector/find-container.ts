import type { ContainerStatus, Pod } from '../../api/generated/core-v1.ts';
import { badRequest, type StatusError } from '../../api/status.ts';

/** Which container is meant: the one named, or the only one. Messages as upstream's registry/core/pod/strategy.go. */
export function chooseContainer(pod: Pod, asked: string | undefined): string {
  const { containers, initContainers = [], ephemeralContainers = [] } = pod.spec;
  const names = [...initContainers, ...containers, ...ephemeralContainers].map(({ name }) => name);
  if (asked) {
    if (names.includes(asked)) return asked;
    throw badRequest(`container ${asked} is not valid for pod ${pod.metadata.name}`);
  }
  if (containers.length === 1) return containers[0]!.name;
  const choice = containers.length === 0 ? '' : `, choose one of: [${names.join(' ')}]`;
  throw badRequest(`a container name must be specified for pod ${pod.metadata.name}${choice}`);
}

/** Why a container that no host knows yet has no logs, as the kubelet says it. */
export function notStarted(pod: Pod, container: string, previous: boolean): StatusError {
  const where = `container ${JSON.stringify(container)} in pod ${JSON.stringify(pod.metadata.name)}`;
  if (previous) return badRequest(`previous terminated ${where} not found`);
  const waiting = statusOf(pod, container)?.state?.waiting?.reason;
  const hasInit = (pod.spec.initContainers ?? []).length > 0;
  return badRequest(`${where} is waiting to start: ${waiting ?? (hasInit ? 'PodInitializing' : 'ContainerCreating')}`);
}

function statusOf(pod: Pod, name: string): ContainerStatus | undefined {
  const { containerStatuses = [], initContainerStatuses = [], ephemeralContainerStatuses = [] } = pod.status ?? {};
  return [...containerStatuses, ...initContainerStatuses, ...ephemeralContainerStatuses].find(
    (status) => status.name === name,
  );
}
