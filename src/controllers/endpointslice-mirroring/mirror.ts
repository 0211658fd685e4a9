import { isIP } from 'node:net';
import type { EndpointAddress, EndpointSubset, Endpoints } from '../../api/generated/core-v1.ts';
import type { Endpoint, EndpointPort, EndpointSlice } from '../../api/generated/discovery-v1.ts';
import { SERVICE_NAME_LABEL, SLICE_MANAGER_LABEL, TRIGGER_TIME_ANNOTATION } from '../../api/well-known.ts';
import { canonical, isSame } from '../common/canonical.ts';
import { controllerReference } from '../common/owner.ts';

export const MIRRORER = 'endpointslicemirroring-controller.k8s.io';
const notMirrored = new Set([TRIGGER_TIME_ANNOTATION, 'kubectl.kubernetes.io/last-applied-configuration']);
const mostPerSlice = 1000;

export type MirroredSlice = Omit<EndpointSlice, 'metadata'> & { metadata: Partial<EndpointSlice['metadata']> };

export interface MirrorPlan {
  create: MirroredSlice[];
  update: EndpointSlice[];
  delete: EndpointSlice[];
  /** Addresses that are no IP addresses. */
  invalid: number;
  /** Addresses that are in no slice, the invalid ones too. */
  skipped: number;
}

/**
 * Endpoints that somebody wrote by hand, as slices: one a set of ports and address family, with 1000 addresses of both
 * families together at most.
 */
export function planMirror(endpoints: Endpoints, existing: EndpointSlice[]): MirrorPlan {
  const plan: MirrorPlan = { create: [], update: [], delete: [], invalid: 0, skipped: 0 };
  const wanted = new Map<string, MirroredSlice>();
  for (const { ports, addresses } of repacked(endpoints.subsets ?? [])) {
    let added = 0;
    for (const { address, ready } of addresses) {
      if (added >= mostPerSlice) break;
      const family = isIP(address.ip);
      if (family === 0) {
        plan.invalid++;
        continue;
      }
      const addressType = family === 6 ? 'IPv6' : 'IPv4';
      const key = `${addressType} ${canonical(ports)}`;
      let slice = wanted.get(key);
      if (slice === undefined) wanted.set(key, (slice = sliceOf(endpoints, ports, addressType)));
      slice.endpoints.push(endpointOf(address, ready));
      added++;
    }
    plan.skipped += addresses.length - added;
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

interface Repacked {
  ports: EndpointPort[];
  /** Ready ones first. */
  addresses: { address: EndpointAddress; ready: boolean }[];
}

/**
 * Subsets as they could have been written: all ports that the same addresses offer make one. Whoever is said to be ready
 * and not ready at a port is not. Source: RepackSubsets of pkg/api/v1/endpoints.
 */
function repacked(subsets: EndpointSubset[]): Repacked[] {
  const known = new Map<string, EndpointAddress>();
  const byPort = new Map<string, { port: EndpointPort | undefined; ready: Map<string, boolean> }>();
  for (const subset of subsets) {
    const ports = portsOf(subset);
    for (const port of ports.length === 0 ? [undefined] : ports) {
      const id = canonical(port ?? null);
      let offered = byPort.get(id);
      if (offered === undefined) byPort.set(id, (offered = { port, ready: new Map() }));
      const note = (address: EndpointAddress, ready: boolean) => {
        const key = `${address.ip} ${address.targetRef?.uid ?? ''}`;
        if (!known.has(key)) known.set(key, address);
        offered.ready.set(key, (offered.ready.get(key) ?? true) && ready);
      };
      for (const address of subset.addresses ?? []) note(address, true);
      for (const address of subset.notReadyAddresses ?? []) note(address, false);
    }
  }
  const byAddresses = new Map<string, Repacked>();
  for (const { port, ready } of byPort.values()) {
    const sorted = [...ready].sort(([a, isReady], [b, isOtherReady]) =>
      isReady !== isOtherReady ? (isReady ? -1 : 1) : a < b ? -1 : 1,
    );
    const id = `${port === undefined ? 'none' : 'some'} ${JSON.stringify(sorted)}`;
    let subset = byAddresses.get(id);
    if (subset === undefined) {
      const addresses = sorted.map(([key, isReady]) => ({ address: known.get(key)!, ready: isReady }));
      byAddresses.set(id, (subset = { ports: [], addresses }));
    }
    if (port !== undefined) subset.ports.push(port);
  }
  return [...byAddresses.values()];
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
      labels: { ...labels, [SERVICE_NAME_LABEL]: name, [SLICE_MANAGER_LABEL]: MIRRORER },
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
