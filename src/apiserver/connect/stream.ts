import type { PodExecOptions } from '../../api/pod-connector.ts';
import { badRequest } from '../../api/status.ts';
import type { Answer } from '../answer.ts';
import { ensureAuthorizedForVerb } from '../authorization/ensure-verb.ts';
import type { Environment } from '../environment.ts';
import { isTrue, type Query } from '../request-info.ts';
import { handleUpgrade } from '../streaming/handle-upgrade.ts';
import type { ResourceRequest } from '../verbs/scope.ts';
import { containerOf, podAndConnector } from './containers.ts';

/** `exec` and `attach` of a pod: GET (WebSocket) or POST (SPDY) with an upgrade. Source: core/v1 PodExecOptions. */
export const podExec = (environment: Environment, request: ResourceRequest) => podCommand(environment, request, 'exec');
export const podAttach = (environment: Environment, request: ResourceRequest) =>
  podCommand(environment, request, 'attach');

async function podCommand(
  environment: Environment,
  request: ResourceRequest,
  kind: 'exec' | 'attach',
): Promise<Answer> {
  const { query } = request.context;
  await ensureAuthorizedForVerb(environment.authorizer, request.context, 'create');
  const { pod, connector } = await podAndConnector(environment, request);
  const container = containerOf(pod, query.get('container'));
  if (!pod['spec'].nodeName) throw badRequest(`pod ${pod.metadata.name} does not have a host assigned`);
  const options: PodExecOptions = {
    container,
    command: kind === 'exec' ? query.getAll('command') : [],
    ...streamsOf(query, kind),
  };
  if (kind === 'exec' && options.command.length === 0)
    throw badRequest('you must specify at least 1 command for the container');
  return {
    type: 'upgrade',
    handle: (incoming, socket, head) =>
      handleUpgrade(incoming, socket, head, {
        kind,
        options,
        connect: () => (kind === 'exec' ? connector.exec(pod, options) : connector.attach(pod, options)),
      }),
  };
}

/** attach shows stdout and stderr unless told otherwise, exec only what was asked for; a terminal has no stderr. */
function streamsOf(query: Query, kind: 'exec' | 'attach') {
  const asked = (name: string, otherwise: boolean) => (query.has(name) ? isTrue(query.get(name)) : otherwise);
  const tty = asked('tty', false);
  const streams = {
    stdin: asked('stdin', false),
    stdout: asked('stdout', kind === 'attach'),
    stderr: asked('stderr', kind === 'attach' && !tty) && !tty,
    tty,
  };
  if (!streams.stdin && !streams.stdout && !streams.stderr) {
    throw badRequest('you must specify at least 1 of stdin, stdout, stderr');
  }
  return streams;
}

/** `portforward` of a pod. */
export async function podPortForward(environment: Environment, request: ResourceRequest): Promise<Answer> {
  await ensureAuthorizedForVerb(environment.authorizer, request.context, 'create');
  const { pod, connector } = await podAndConnector(environment, request);
  if (!pod['spec'].nodeName) throw badRequest(`pod ${pod.metadata.name} does not have a host assigned`);
  return {
    type: 'upgrade',
    handle: (incoming, socket, head) =>
      handleUpgrade(incoming, socket, head, {
        kind: 'portforward',
        podName: pod.metadata.name,
        podUid: pod.metadata.uid,
        connect: (port) => connector.portForward(pod, port),
      }),
  };
}
