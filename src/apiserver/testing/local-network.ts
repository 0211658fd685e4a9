import { connect, type Socket } from 'node:net';
import type { KubeObject } from '../../api/object.ts';
import type { PodConnector } from '../../api/pod-connector.ts';
import type { ApiCaller } from './api-caller.ts';

/** Pods whose ports are ports of this machine: `dial` goes to 127.0.0.1. Remembers who was dialled. */
export function localConnector(): PodConnector & { dialled: string[] } {
  const dialled: string[] = [];
  const absent = () => Promise.reject(new Error('not here'));
  return {
    dialled,
    logs: async (_pod, options) =>
      (async function* () {
        yield Buffer.from(`log of ${options.container}\n`);
      })(),
    exec: absent,
    attach: absent,
    portForward: absent,
    dial: (pod: KubeObject, port: number) =>
      new Promise<Socket>((resolve, reject) => {
        dialled.push(`${pod.metadata.clusterName}/${pod.metadata.namespace}/${pod.metadata.name}:${port}`);
        const socket = connect(port, '127.0.0.1', () => resolve(socket));
        socket.on('error', reject);
      }),
  };
}

/** A running pod `name` with one port, and a service of the same name before it, as controllers would leave them. */
export async function addBackend(
  call: ApiCaller,
  { namespace, name, port, servicePort = 80 }: { namespace: string; name: string; port: number; servicePort?: number },
): Promise<void> {
  const core = `/api/v1/namespaces/${namespace}`;
  const ok = async (method: string, path: string, body: object) => {
    const { code, text } = await call(method, path, { body });
    if (code >= 300) throw new Error(`${method} ${path}: ${code} ${text}`);
  };
  await ok('POST', `${core}/pods`, {
    metadata: { name, labels: { app: name } },
    spec: {
      nodeName: 'zone-a',
      containers: [{ name: 'c', image: 'i', ports: [{ name: 'web', containerPort: port }] }],
    },
  });
  await call('PATCH', `${core}/pods/${name}/status`, {
    body: { status: { phase: 'Running', podIP: '10.128.0.9', podIPs: [{ ip: '10.128.0.9' }] } },
    headers: { 'content-type': 'application/merge-patch+json' },
  });
  await ok('POST', `${core}/services`, {
    metadata: { name },
    spec: { selector: { app: name }, ports: [{ port: servicePort, targetPort: port }] },
  });
  await ok('POST', `/apis/discovery.k8s.io/v1/namespaces/${namespace}/endpointslices`, {
    metadata: { name: `${name}-1`, labels: { 'kubernetes.io/service-name': name } },
    addressType: 'IPv4',
    endpoints: [
      { addresses: ['10.128.0.9'], conditions: { ready: true }, targetRef: { kind: 'Pod', namespace, name } },
    ],
    ports: [{ name: '', port, protocol: 'TCP' }],
  });
}
