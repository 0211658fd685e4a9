import type { KubeObject } from '../../api/object.ts';
import type { PodConnector } from '../../api/pod-connector.ts';
import { badRequest, notFound, serviceUnavailable } from '../../api/status.ts';
import type { Environment } from '../environment.ts';
import type { ResourceRequest } from '../verbs/scope.ts';

const defaultContainerAnnotation = 'kubectl.kubernetes.io/default-container';

/** The pod a connecting request names, and what leads to it. */
export async function podAndConnector(
  environment: Environment,
  { definition, tenant, namespace, name }: ResourceRequest,
): Promise<{ pod: KubeObject; connector: PodConnector }> {
  const entry = await environment.objects.get(definition, tenant, namespace, name);
  if (entry === undefined) throw notFound(definition, name);
  const connector = environment.connector();
  if (connector === undefined) throw serviceUnavailable('the pool is not connected yet');
  return { pod: entry.object, connector };
}

/** The container meant, as upstream picks it: the one named, the annotated default, or the only one. */
export function containerOf(pod: KubeObject, asked: string | null): string {
  const { containers = [], initContainers = [], ephemeralContainers = [] } = pod['spec'];
  const podName = pod.metadata.name;
  const names = (list: { name: string }[]) => list.map(({ name }) => name);
  if (asked !== null && asked !== '') {
    if (names([...containers, ...initContainers, ...ephemeralContainers]).includes(asked)) return asked;
    throw badRequest(`container ${asked} is not valid for pod ${podName}`);
  }
  if (containers.length === 1) return containers[0].name;
  const annotated = pod.metadata.annotations?.[defaultContainerAnnotation];
  if (annotated !== undefined && names(containers).includes(annotated)) return annotated;
  const choice = `choose one of: [${names(containers).join(' ')}]`;
  const initial =
    initContainers.length === 0 ? '' : ` or one of the init containers: [${names(initContainers).join(' ')}]`;
  throw badRequest(`a container name must be specified for pod ${podName}, ${choice}${initial}`);
}
