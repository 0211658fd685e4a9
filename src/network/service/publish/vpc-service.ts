import type { Service } from '../../../api/generated/core-v1.ts';
import type { EndpointSlice } from '../../../api/generated/discovery-v1.ts';
import type { VpcService } from '../../../api/pool.ts';
import { HEADLESS_LABEL } from '../../../api/well-known.ts';
import { nearness } from './nearness.ts';

type Spec = VpcService['spec'];
export type NodeAddresses = ReadonlyMap<string, string>;
type Endpoint = Spec['endpoints'][number];

/** core/v1's DefaultClientIPServiceAffinitySeconds. */
const DEFAULT_AFFINITY_SECONDS = 10_800;

/** Services with it, and slices with the second, are no affair of kube-proxy's; DNS knows neither label. */
const PROXY_NAME_LABEL = 'service.kubernetes.io/service-proxy-name';

/**
 * What hosts need of a service and its slices. Pure, and the same for the same input in any order, so that nothing is
 * written when nothing changed. IPv4 only, as VPCs are.
 * @param nodes addresses in the VPC by virtual nodes' names
 * @param zones by virtual nodes' names
 */
export function vpcServiceSpec(
  service: Service,
  slices: EndpointSlice[],
  nodes: NodeAddresses = new Map(),
  zones: ReadonlyMap<string, string> = new Map(),
): Spec {
  const { namespace = '', name } = service.metadata;
  const { spec } = service;
  const type = (spec.type ?? 'ClusterIP') as Spec['type'];
  const isExternal = type === 'ExternalName';
  const clusterIPs = isExternal ? [] : addresses(spec.clusterIPs ?? [spec.clusterIP ?? '']);
  const externalLocal = type !== 'ClusterIP' && spec.externalTrafficPolicy === 'Local';
  const internalLocal = clusterIPs.length > 0 && spec.internalTrafficPolicy === 'Local';
  const isLocal = nodes.size > 0 && !isExternal && (externalLocal || internalLocal);
  const proxiedElsewhere = service.metadata.labels?.[PROXY_NAME_LABEL] !== undefined;
  const isChecked = isLocal && externalLocal && type === 'LoadBalancer' && !proxiedElsewhere;
  const near = clusterIPs.length > 0 && !internalLocal ? nearness(slices, nodes, zones) : undefined;
  const checkPort = isChecked ? (spec.healthCheckNodePort ?? 0) : 0;
  return {
    serviceRef: { namespace, name },
    type,
    clusterIPs,
    ...(isExternal && spec.externalName !== undefined && { externalName: spec.externalName }),
    ...(spec.publishNotReadyAddresses && { publishNotReadyAddresses: true }),
    ...(proxiedElsewhere && { proxiedElsewhere }),
    ...(spec.sessionAffinity === 'ClientIP' && {
      sessionAffinitySeconds: spec.sessionAffinityConfig?.clientIP?.timeoutSeconds ?? DEFAULT_AFFINITY_SECONDS,
    }),
    ports: (spec.ports ?? []).map((port) => ({
      name: port.name ?? '',
      protocol: (port.protocol ?? 'TCP') as 'TCP' | 'UDP' | 'SCTP',
      port: port.port,
      ...(port.nodePort !== undefined && port.nodePort > 0 && { nodePort: port.nodePort }),
    })),
    ...(isLocal && {
      localAt: [...nodes.values()].sort(),
      ...(internalLocal && { internalLocal }),
      ...(externalLocal && { externalLocal }),
      ...(checkPort > 0 && { healthCheck: { port: checkPort, ready: readyByNode(slices, nodes) } }),
    }),
    endpoints: isExternal ? [] : endpoints(slices, clusterIPs.length > 0, isLocal ? nodes : undefined, near),
  };
}

/**
 * One entry an address: named target ports can put a pod into several slices.
 * @param hasAddress then kube-proxy's rules hold: when none is ready, those that end but still serve count
 * @param nodes given when each node chooses among its own
 * @param near by address, the nodes that are to use it
 */
function endpoints(
  slices: EndpointSlice[],
  hasAddress: boolean,
  nodes: NodeAddresses | undefined,
  near: ReadonlyMap<string, string[]> | undefined,
): Endpoint[] {
  const merged = new Map<string, Endpoint & { serving: boolean }>();
  for (const slice of slices) {
    if (slice.addressType !== 'IPv4') continue;
    if (hasAddress && slice.metadata.labels?.[HEADLESS_LABEL] !== undefined) continue;
    const ports: Record<string, number> = {};
    for (const port of slice.ports ?? []) if (port.port !== undefined) ports[port.name ?? ''] = port.port;
    for (const { addresses: [address] = [], conditions, hostname, nodeName } of slice.endpoints ?? []) {
      if (address === undefined) continue;
      const ready = conditions?.ready ?? true;
      const known = merged.get(address);
      const node = nodes?.get(nodeName ?? '') ?? known?.node;
      merged.set(address, {
        address,
        ready: ready || known?.ready === true,
        serving: (conditions?.serving ?? ready) || known?.serving === true,
        ...(node !== undefined && { node }),
        ...((hostname ?? known?.hostname) && { hostname: hostname ?? known?.hostname }),
        ports: sorted({ ...known?.ports, ...ports }),
      });
    }
  }
  const all = [...merged.values()].sort((a, b) => (a.address < b.address ? -1 : a.address > b.address ? 1 : 0));
  const noneReady = hasAddress && !all.some(({ ready }) => ready);
  return all.map(({ serving, ...endpoint }) => {
    const ready = noneReady ? serving : endpoint.ready;
    const nearTo = near?.get(endpoint.address);
    return {
      ...endpoint,
      ready,
      ...(nodes !== undefined && serving && !ready && { serving }),
      ...(nearTo !== undefined && { near: nearTo }),
    };
  });
}

/** Endpoints that end do not count here, though they serve: load balancers are to go elsewhere. */
function readyByNode(slices: EndpointSlice[], nodes: NodeAddresses): Record<string, number> {
  const ready = new Map<string, Set<string>>();
  for (const { addressType, endpoints: listed } of slices) {
    for (const { addresses: [address] = [], conditions, nodeName } of addressType === 'IPv4' ? (listed ?? []) : []) {
      const node = nodes.get(nodeName ?? '');
      if (address === undefined || node === undefined || conditions?.ready === false) continue;
      ready.set(node, (ready.get(node) ?? new Set()).add(address));
    }
  }
  return sorted(Object.fromEntries([...ready].map(([node, own]) => [node, own.size])));
}

function sorted(counts: Record<string, number>): Record<string, number> {
  return Object.fromEntries(Object.entries(counts).sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** Headless is the word `None`. */
function addresses(clusterIPs: string[]): string[] {
  return clusterIPs.filter((address) => address !== '' && address !== 'None' && !address.includes(':'));
}
