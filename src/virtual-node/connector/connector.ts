import type { Duplex } from 'node:stream';
import type { Pod } from '../../api/generated/core-v1.ts';
import type { KubeObject } from '../../api/object.ts';
import type { PodConnector, PodExecOptions, PodLogOptions, RemoteSession } from '../../api/pod-connector.ts';
import type { ContainerInstance, Host } from '../../api/pool.ts';
import { CONTAINER_INSTANCES, HOSTS } from '../../api/resources.ts';
import { badRequest, isNotFound, serviceUnavailable } from '../../api/status.ts';
import { SYSTEM_TENANT } from '../../client/client.ts';
import type { InformerFactory } from '../../client/informer.ts';
import { podConnection } from './connection.ts';
import { chooseContainer, notStarted } from './find-container.ts';
import { type HostAddress, HostClient, type HostCredentials } from './host-client.ts';
import { remoteSession } from './remote-session.ts';

export interface ConnectorOptions {
  informers: InformerFactory;
  credentials: HostCredentials;
}

/** Reaches a tenant's containers through the streaming server of the host that runs their instance. */
export function createPodConnector({ informers, credentials }: ConnectorOptions): PodConnector & { close(): void } {
  const instances = informers.informer<ContainerInstance>(CONTAINER_INSTANCES, { tenant: SYSTEM_TENANT });
  const hosts = informers.informer<Host>(HOSTS, { tenant: SYSTEM_TENANT });
  const hostClient = new HostClient(credentials);

  /** Undefined: no host has the pod yet. */
  async function hostOf(pod: Pod): Promise<HostAddress | undefined> {
    const { clusterName: tenant, uid } = pod.metadata;
    if (tenant === undefined) throw new Error('the pod does not say its tenant');
    const { client } = informers;
    const local = instances.get(`${SYSTEM_TENANT}/${tenant}/${uid}`);
    // The copy may be a moment behind the client, who saw the pod run.
    const instance = local?.spec.hostName
      ? local
      : await client
          .resource<ContainerInstance>(SYSTEM_TENANT, CONTAINER_INSTANCES, tenant)
          .get(uid)
          .catch((error: unknown) => {
            if (isNotFound(error)) return undefined;
            throw error;
          });
    const name = instance?.spec.hostName;
    if (!name) return undefined;
    const host =
      hosts.get(`${SYSTEM_TENANT}//${name}`) ?? (await client.resource<Host>(SYSTEM_TENANT, HOSTS).get(name));
    const streaming = host.status?.streaming;
    if (streaming === undefined) throw serviceUnavailable(`host ${name} does not serve streams yet`);
    return { name, address: streaming.address, port: streaming.port };
  }

  async function hostOfRunning(pod: Pod): Promise<HostAddress> {
    if (!pod.spec.nodeName) throw badRequest(`pod ${pod.metadata.name} does not have a host assigned`);
    const host = await hostOf(pod);
    if (host === undefined) throw badRequest(`pod ${pod.metadata.name} does not have a host assigned`);
    return host;
  }

  async function session(kind: 'exec' | 'attach', object: KubeObject, options: PodExecOptions): Promise<RemoteSession> {
    const pod = object as Pod;
    const container = chooseContainer(pod, options.container);
    const query = new URLSearchParams();
    for (const word of options.command) query.append('command', word);
    for (const stream of ['stdin', 'stdout', 'stderr', 'tty'] as const) query.set(stream, String(options[stream]));
    const path = `${containerPath(pod, container)}/${kind}?${query}`;
    return remoteSession(await hostClient.open(await hostOfRunning(pod), path), options);
  }

  async function connection(kind: 'portforward' | 'dial', object: KubeObject, port: number): Promise<Duplex> {
    const pod = object as Pod;
    const path = `${instancePath(pod)}/${kind}?port=${port}`;
    return podConnection(await hostClient.open(await hostOfRunning(pod), path));
  }

  return {
    async logs(object, options, signal) {
      const pod = object as Pod;
      const container = chooseContainer(pod, options.container);
      const host = pod.spec.nodeName ? await hostOf(pod) : undefined;
      if (host === undefined) throw notStarted(pod, container, options.previous === true);
      const path = `${containerPath(pod, container)}/logs?${logQuery(options)}`;
      return await hostClient.get(host, path, signal);
    },
    exec: (pod, options) => session('exec', pod, options),
    attach: (pod, options) => session('attach', pod, options),
    portForward: (pod, port) => connection('portforward', pod, port),
    dial: (pod, port) => connection('dial', pod, port),
    close: () => hostClient.close(),
  };
}

const instancePath = (pod: Pod): string => `/v1/instances/${encodeURIComponent(pod.metadata.uid)}`;
const containerPath = (pod: Pod, container: string): string =>
  `${instancePath(pod)}/containers/${encodeURIComponent(container)}`;

function logQuery(options: PodLogOptions): URLSearchParams {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(options)) {
    if (name !== 'container' && value !== undefined) query.set(name, String(value));
  }
  return query;
}
