import type { Duplex } from 'node:stream';
import type { PodConnector } from '../../api/pod-connector.ts';
import { ENDPOINT_SLICES, PODS, SERVICES } from '../../api/resources.ts';
import { notFound, type StatusError, serviceUnavailable } from '../../api/status.ts';
import { SERVICE_NAME_LABEL } from '../../api/well-known.ts';
import type { Objects } from '../objects.ts';

/** A port of a tenant's Service: by name, by number, or the first one when ''. */
export interface ServiceTarget {
  tenant: string;
  namespace: string;
  name: string;
  port: string;
}

/**
 * The control plane's way into a VPC: a raw connection to one of a service's ready endpoints, through a host that carries
 * it. Proxying, admission webhooks, conversion webhooks and aggregated API servers all go this way, so none of them can
 * name anything outside the tenant. Rejects with StatusError: 404 without the Service, 503 without a ready endpoint.
 */
export type ServiceDialer = (target: ServiceTarget) => Promise<Duplex>;

/** Dials one of the service's ready endpoints, by chance; 503 where it has none, or the pool is not connected. */
export function createServiceDialer(objects: Objects, connector: () => PodConnector | undefined): ServiceDialer {
  return async (target) => {
    const candidates = await endpointsOf(objects, target);
    const chosen = candidates[Math.floor(Math.random() * candidates.length)];
    if (chosen === undefined) throw noEndpoints(target.name);
    const pod = await objects.get(PODS, target.tenant, target.namespace, chosen.podName);
    const through = connector();
    if (pod === undefined) throw noEndpoints(target.name);
    if (through === undefined) throw serviceUnavailable('the pool is not connected yet');
    return through.dial(pod.object, chosen.port);
  };
}

async function endpointsOf(objects: Objects, { tenant, namespace, name, port }: ServiceTarget) {
  const service = await objects.get(SERVICES, tenant, namespace, name);
  if (service === undefined) throw notFound(SERVICES, name);
  const ports: { name?: string; port: number }[] = service.object['spec'].ports ?? [];
  const wanted = port === '' ? ports[0] : ports.find((one) => one.name === port || String(one.port) === port);
  if (wanted === undefined && /^\d+$/.test(port)) {
    throw serviceUnavailable(`no service port ${Number(port)} found for service ${JSON.stringify(name)}`);
  }
  if (wanted === undefined) throw noEndpoints(name);
  const candidates: { podName: string; port: number }[] = [];
  for (const { object } of await objects.entries(ENDPOINT_SLICES, { tenant, namespace })) {
    if (object.metadata.labels?.[SERVICE_NAME_LABEL] !== name) continue;
    const portNumber = (object['ports'] ?? []).find(
      (one: { name?: string }) => (one.name ?? '') === (wanted.name ?? ''),
    )?.port;
    for (const endpoint of object['endpoints'] ?? []) {
      if (endpoint.conditions?.ready === false || endpoint.targetRef?.kind !== 'Pod' || !portNumber) continue;
      candidates.push({ podName: endpoint.targetRef.name, port: portNumber });
    }
  }
  return candidates;
}

function noEndpoints(serviceName: string): StatusError {
  return serviceUnavailable(`no endpoints available for service ${JSON.stringify(serviceName)}`);
}
