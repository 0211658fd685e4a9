import type { Node, Pod, Service } from '../../api/generated/core-v1.ts';
import type { Endpoint, EndpointPort, EndpointSlice } from '../../api/generated/discovery-v1.ts';
import { HEADLESS_LABEL, SERVICE_NAME_LABEL, SLICE_MANAGER_LABEL, ZONE_LABEL } from '../../api/well-known.ts';
import { canonical, isSame } from '../common/canonical.ts';
import { controllerOf, controllerReference } from '../common/owner.ts';
import { isPodReady } from '../common/pod-state.ts';
import { hasEndpoint, hostnameIn, isHeadless, targetPortOf } from '../common/service-pods.ts';
import { isTopologyAware, type ZoneShares, zoneHints } from './topology.ts';

export const MANAGER = 'endpointslice-controller.k8s.io';

const mostPerSlice = 100;
const reservedLabels = new Set([SERVICE_NAME_LABEL, SLICE_MANAGER_LABEL, HEADLESS_LABEL]);

/** A slice to write: without a uid it is new. */
export type PlannedSlice = Omit<EndpointSlice, 'metadata'> & { metadata: Partial<EndpointSlice['metadata']> };

export interface SlicePlan {
  create: PlannedSlice[];
  update: EndpointSlice[];
  delete: EndpointSlice[];
  /** Of topology hints that came or went. */
  events: { type: 'Normal' | 'Warning'; reason: string; message: string }[];
}

/**
 * What must change so that the slices say where the service's pods are: pods are grouped by address family and by the
 * ports they offer, up to 100 a slice; slices that are right already are not touched, and new endpoints fill slices
 * that change anyway. Follows upstream's endpointslice reconciler.
 */
export function planSlices(
  service: Service,
  pods: Pod[],
  existing: EndpointSlice[],
  nodeOf: (pod: Pod) => Node | undefined,
  zoneShares: () => ZoneShares | undefined = () => undefined,
): SlicePlan {
  const plan: SlicePlan = { create: [], update: [], delete: [], events: [] };
  const families = addressTypes(service);
  for (const slice of existing) if (!families.includes(slice.addressType)) plan.delete.push(slice);
  for (const family of families) {
    const ofFamily = existing.filter((slice) => slice.addressType === family);
    planFamily(plan, service, pods, ofFamily, family, nodeOf, zoneShares);
  }
  return reuseDeleted(plan, service);
}

/** Gives the endpoints hints by the zones' sizes, for services that ask for them, and tells when that begins or ends. */
function noteTopology(
  plan: SlicePlan,
  service: Service,
  desired: Endpoint[],
  existing: EndpointSlice[],
  family: string,
  zoneShares: () => ZoneShares | undefined,
): void {
  const isAware = isTopologyAware(service);
  // Hints for nodes, or with a distribution, are others'.
  const isOther = service.spec?.trafficDistribution !== undefined;
  const hadHints = existing.some(({ endpoints }) => endpoints?.some(({ hints }) => hints?.forZones !== undefined));
  const tell = (type: 'Normal' | 'Warning', reason: string, message: string) =>
    plan.events.push({ type, reason, message: `${message}, addressType: ${family}` });
  if (!isAware) {
    if (hadHints && !isOther) tell('Warning', 'TopologyAwareHintsDisabled', 'Topology Aware Hints has been disabled');
    return;
  }
  const result = zoneHints(desired, zoneShares());
  if ('why' in result) {
    tell('Warning', 'TopologyAwareHintsDisabled', result.why);
    return;
  }
  for (const [endpoint, name] of result.zones) endpoint.hints = { forZones: [{ name }] };
  if (!hadHints) tell('Normal', 'TopologyAwareHintsEnabled', 'Topology Aware Hints has been enabled');
}

function addressTypes(service: Service): string[] {
  const families = service.spec?.ipFamilies ?? [];
  return families.length === 0 ? ['IPv4'] : families;
}

function planFamily(
  plan: SlicePlan,
  service: Service,
  pods: Pod[],
  existing: EndpointSlice[],
  family: string,
  nodeOf: (pod: Pod) => Node | undefined,
  zoneShares: () => ZoneShares | undefined,
): void {
  const groups = new Map<string, { ports: EndpointPort[]; desired: Map<string, Endpoint>; slices: EndpointSlice[] }>();
  for (const pod of pods) {
    if (!hasEndpoint(pod, true)) continue;
    const addresses = addressesOf(pod, family);
    if (addresses.length === 0) continue;
    const ports = portsOf(service, pod);
    const key = canonical(ports);
    let group = groups.get(key);
    if (group === undefined) groups.set(key, (group = { ports, desired: new Map(), slices: [] }));
    const endpoint = endpointOf(service, pod, addresses, nodeOf(pod));
    group.desired.set(identityOf(endpoint), endpoint);
  }
  const desired = [...groups.values()].flatMap((group) => [...group.desired.values()]);
  noteTopology(plan, service, desired, existing, family, zoneShares);
  const unwanted: EndpointSlice[] = [];
  for (const slice of existing) {
    const group =
      controllerOf(slice)?.uid === service.metadata.uid ? groups.get(canonical(slice.ports ?? [])) : undefined;
    if (group === undefined) unwanted.push(slice);
    else group.slices.push(slice);
  }
  const before = { create: plan.create.length, delete: plan.delete.length };
  plan.delete.push(...unwanted);
  for (const group of groups.values()) planGroup(plan, service, group, family);

  // A service without endpoints has one empty slice.
  const deletesAll = plan.delete.length - before.delete === existing.length;
  if (!deletesAll || plan.create.length > before.create) return;
  const placeholder = newSlice(service, [], family);
  const only = plan.delete[before.delete];
  const isThere =
    existing.length === 1 &&
    only !== undefined &&
    (only.endpoints ?? []).length === 0 &&
    (only.ports ?? []).length === 0 &&
    isSame(only.metadata.labels, placeholder.metadata.labels) &&
    controllerOf(only)?.uid === service.metadata.uid;
  if (isThere) plan.delete.splice(before.delete, 1);
  else plan.create.push(placeholder);
}

function planGroup(
  plan: SlicePlan,
  service: Service,
  group: { ports: EndpointPort[]; desired: Map<string, Endpoint>; slices: EndpointSlice[] },
  family: string,
): void {
  const remaining = new Map(group.desired);
  const changed: { slice: EndpointSlice; endpoints: Endpoint[] }[] = [];
  const unchanged: { slice: EndpointSlice; endpoints: Endpoint[] }[] = [];
  for (const slice of group.slices) {
    const endpoints: Endpoint[] = [];
    let isChanged = !isSame(labelsOf(service), slice.metadata.labels);
    for (const endpoint of slice.endpoints ?? []) {
      const wanted = remaining.get(identityOf(endpoint));
      if (wanted === undefined) {
        isChanged = true;
        continue;
      }
      remaining.delete(identityOf(endpoint));
      endpoints.push(wanted);
      if (!isSame(wanted, endpoint)) isChanged = true;
    }
    if (isChanged && endpoints.length === 0) plan.delete.push(slice);
    else (isChanged ? changed : unchanged).push({ slice, endpoints });
  }
  const rest = [...remaining.values()];
  // The fullest first, so that few slices stay half empty.
  changed.sort((a, b) => b.endpoints.length - a.endpoints.length);
  for (const { endpoints } of changed) endpoints.push(...rest.splice(0, mostPerSlice - endpoints.length));
  while (rest.length > 0) {
    const fitting =
      rest.length < mostPerSlice
        ? unchanged
            .filter(({ endpoints }) => endpoints.length + rest.length <= mostPerSlice)
            .sort((a, b) => b.endpoints.length - a.endpoints.length)[0]
        : undefined;
    if (fitting !== undefined) {
      fitting.endpoints.push(...rest.splice(0));
      changed.push(fitting);
    } else {
      plan.create.push({ ...newSlice(service, group.ports, family), endpoints: rest.splice(0, mostPerSlice) });
    }
  }
  for (const { slice, endpoints } of changed) {
    plan.update.push({ ...slice, metadata: { ...slice.metadata, labels: labelsOf(service) }, endpoints });
  }
}

/** A slice to delete and one to create become one update, when owner and family allow. */
function reuseDeleted(plan: SlicePlan, service: Service): SlicePlan {
  const kept: EndpointSlice[] = [];
  for (const doomed of plan.delete) {
    const index = plan.create.findIndex((slice) => slice.addressType === doomed.addressType);
    if (index < 0 || controllerOf(doomed)?.uid !== service.metadata.uid) {
      kept.push(doomed);
      continue;
    }
    const [planned] = plan.create.splice(index, 1);
    const { labels } = planned!.metadata;
    plan.update.push({
      ...doomed,
      metadata: { ...doomed.metadata, ...(labels !== undefined && { labels }) },
      endpoints: planned!.endpoints,
      ports: planned!.ports ?? [],
    });
  }
  return { ...plan, delete: kept };
}

function labelsOf(service: Service): Record<string, string> {
  const own = Object.entries(service.metadata.labels ?? {}).filter(([name]) => !reservedLabels.has(name));
  return {
    ...Object.fromEntries(own),
    ...(isHeadless(service) && { [HEADLESS_LABEL]: '' }),
    [SERVICE_NAME_LABEL]: service.metadata.name,
    [SLICE_MANAGER_LABEL]: MANAGER,
  };
}

function newSlice(service: Service, ports: EndpointPort[], addressType: string): PlannedSlice {
  return {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: {
      // Long service names stay without the dash, as the generated name must fit.
      generateName: service.metadata.name.length < 253 ? `${service.metadata.name}-` : service.metadata.name,
      namespace: service.metadata.namespace!,
      labels: labelsOf(service),
      ownerReferences: [controllerReference(service, 'v1', 'Service')],
    },
    addressType,
    endpoints: [],
    ports,
  };
}

function portsOf(service: Service, pod: Pod): EndpointPort[] {
  const ports: EndpointPort[] = [];
  for (const port of service.spec?.ports ?? []) {
    const number = targetPortOf(port, pod);
    if (number === undefined) continue;
    ports.push({
      name: port.name ?? '',
      protocol: port.protocol ?? 'TCP',
      port: number,
      ...(port.appProtocol !== undefined && { appProtocol: port.appProtocol }),
    });
  }
  return ports;
}

const isIPv6 = (address: string): boolean => address.includes(':');

function addressesOf(pod: Pod, family: string): string[] {
  const all = pod.status?.podIPs?.map(({ ip }) => ip) ?? [pod.status?.podIP ?? ''];
  return all.filter((ip): ip is string => ip !== undefined && ip !== '' && isIPv6(ip) === (family === 'IPv6'));
}

function endpointOf(service: Service, pod: Pod, addresses: string[], node: Node | undefined): Endpoint {
  const serving = isPodReady(pod);
  const terminating = pod.metadata.deletionTimestamp !== undefined;
  const hostname = hostnameIn(service, pod);
  const zone = node?.metadata.labels?.[ZONE_LABEL];
  const ready = service.spec?.publishNotReadyAddresses === true || (serving && !terminating);
  const hints = ready ? hintsOf(service, zone, pod.spec?.nodeName) : undefined;
  return {
    addresses,
    conditions: {
      ready,
      serving,
      terminating,
    },
    ...(hostname !== undefined && { hostname }),
    targetRef: {
      kind: 'Pod',
      namespace: pod.metadata.namespace!,
      name: pod.metadata.name,
      uid: pod.metadata.uid,
    },
    ...((pod.spec?.nodeName ?? '') !== '' && { nodeName: pod.spec!.nodeName! }),
    ...(zone !== undefined && { zone }),
    ...(hints !== undefined && { hints }),
  };
}

/** Who had best use the endpoint, by the service's trafficDistribution. Source: trafficdist.ReconcileHints. */
function hintsOf(service: Service, zone: string | undefined, nodeName: string | undefined): Endpoint['hints'] {
  const distribution = isTopologyAware(service) ? undefined : service.spec?.trafficDistribution;
  const isSameNode = distribution === 'PreferSameNode';
  if (!isSameNode && distribution !== 'PreferSameZone' && distribution !== 'PreferClose') return undefined;
  const forNodes = isSameNode && nodeName ? [{ name: nodeName! }] : undefined;
  if (zone === undefined && forNodes === undefined) return undefined;
  return {
    ...(zone !== undefined && { forZones: [{ name: zone }] }),
    ...(forNodes !== undefined && { forNodes }),
  };
}

/** Which endpoint of an existing slice stands for which wanted one. */
function identityOf(endpoint: Endpoint): string {
  return `${endpoint.targetRef?.uid ?? ''} ${[...endpoint.addresses].sort().join(' ')}`;
}
