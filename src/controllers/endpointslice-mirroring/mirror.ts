import { isIP } from 'node:net';
import type { EndpointAddress, EndpointSubset, Endpoints } from '../../api/generated/core-v1.ts';
import type { Endpoint, EndpointPort, EndpointSlice } from '../../api/generated/discovery-v1.ts';
import { canonical, isSame } from '../common/canonical.ts';
import { controllerReference } from '../common/owner.ts';

export const MIRRORER = 'endpointslicemirroring-controller.k8s.io';
const MANAGED_BY = 'endpointslice.kubernetes.io/managed-by';
const SERVICE_NAME = 'kubernetes.io/service-name';
const notMirrored = new Set([
  'endpoints.kubernetes.io/last-change-trigger-time',
  'kubectl.kubernetes.io/last-applied-configuration',
]);
const mostPerSlice = 1000;

export type MirroredSlice = Omit<EndpointSlice, 'metadata'> & { metadata: Partial<EndpointSlice['metadata']> };

export interface MirrorPlan {
  create: MirroredSlice[];
  update: EndpointSlice[];
  delete: EndpointSlice[];
  /** Addresses that are no IP addresses. */
  invalid: number;
  /** Addresses beyond what one slice holds. */
  skipped: number;
}

/** Endpoints that somebody wrote by hand, as slices: one a set of ports and address family. */
export function planMirror(endpoints: Endpoints, existing: EndpointSlice[]): MirrorPlan {
  const plan: MirrorPlan = { create: [], update: [], delete: [], invalid: 0, skipped: 0 };
  const wanted = new Map<string, MirroredSlice>();
  for (const subset of endpoints.subsets ?? []) {
    const ports = portsOf(subset);
    const add = (address: EndpointAddress, ready: boolean) => {
      const family = isIP(address.ip);
      if (family === 0) {
        plan.invalid++;
        return;
      }
      const addressType = family === 6 ? 'IPv6' : 'IPv4';
      const key = `${addressType} ${canonical(ports)}`;
      let slice = wanted.get(key);
      if (slice === undefined) wanted.set(key, (slice = sliceOf(endpoints, ports, addressType)));
      if (slice.endpoints.length >= mostPerSlice) plan.skipped++;
      else slice.endpoints.push(endpointOf(address, ready));
    };
    for (const address of subset.addresses ?? []) add(address, true);
    for (const address of subset.notReadyAddresses ?? []) add(address, false);
  }
  for (const slice of existing) {
    const key = `${slice.addressType} ${canonical(slice.ports ?? [])}`;
    const match = wanted.get(key);
    if (match === undefined) {
      plan.delete.push(slice);
      continue;
    }
    wanted.delete(key);
    const { labels = {}, annotations = {} } = match.metadata;
    const isRight =
      isSame(match.endpoints, slice.endpoints ?? []) &&
      isSame(labels, slice.metadata.labels) &&
      isSame(annotations, slice.metadata.annotations);
    if (!isRight) {
      const metadata = { ...slice.metadata, labels, annotations };
      plan.update.push({ ...slice, metadata, endpoints: match.endpoints });
    }
  }
  plan.create.push(...wanted.values());
  return plan;
}

function portsOf(subset: EndpointSubset): EndpointPort[] {
  return (subset.ports ?? []).map(({ name = '', port, protocol = 'TCP', appProtocol }) => ({
    name,
    protocol,
    port,
    ...(appProtocol !== undefined && { appProtocol }),
  }));
}

function endpointOf({ ip, hostname, nodeName, targetRef }: EndpointAddress, ready: boolean): Endpoint {
  return {
    addresses: [ip],
    conditions: { ready },
    ...(hostname !== undefined && { hostname }),
    ...(targetRef !== undefined && { targetRef }),
    ...(nodeName !== undefined && { nodeName }),
  };
}

function sliceOf(endpoints: Endpoints, ports: EndpointPort[], addressType: string): MirroredSlice {
  const { name, namespace, labels } = endpoints.metadata;
  const annotations = Object.entries(endpoints.metadata.annotations ?? {}).filter(([key]) => !notMirrored.has(key));
  return {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: {
      generateName: `${name}-`,
      namespace: namespace!,
      labels: { ...labels, [SERVICE_NAME]: name, [MANAGED_BY]: MIRRORER },
      annotations: Object.fromEntries(annotations),
      ownerReferences: [controllerReference(endpoints, 'v1', 'Endpoints')],
    },
    addressType,
    endpoints: [],
    ports,
  };
}

/** Only what nobody else mirrors or uses as a lock. */
export function isMirrored(endpoints: Endpoints): boolean {
  const { labels, annotations } = endpoints.metadata;
  return (
    labels?.['endpointslice.kubernetes.io/skip-mirror'] !== 'true' &&
    annotations?.['control-plane.alpha.kubernetes.io/leader'] === undefined
  );
}
