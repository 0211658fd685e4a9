import type { VpcService } from '../../api/pool.ts';
import { isAddress, reverseName } from '../addresses/ipv4.ts';

/** The services of one tenant, as the zone looks them up. */
export interface ServiceLookup {
  get(namespace: string, name: string): VpcService | undefined;
  /** Whether the namespace has any service; the hosts know nothing else of a tenant's namespaces. */
  hasNamespace(namespace: string): boolean;
  byServiceAddress(address: string): VpcService[];
  byEndpointAddress(address: string): VpcService[];
}

export type ZoneRecord =
  | { type: 'A'; name: string; address: string }
  | { type: 'CNAME'; name: string; target: string }
  | { type: 'PTR'; name: string; target: string }
  | { type: 'TXT'; name: string; text: string }
  | { type: 'NS'; name: string; target: string }
  | { type: 'SOA'; name: string }
  | { type: 'SRV'; name: string; target: string; port: number; weight: number };

export interface ZoneAnswer {
  /** The name exists (perhaps without records of the type asked for: NODATA). */
  exists: boolean;
  answers: ZoneRecord[];
  additionals: ZoneRecord[];
}

const nothing: ZoneAnswer = { exists: false, answers: [], additionals: [] };
const noData: ZoneAnswer = { exists: true, answers: [], additionals: [] };

/**
 * What the cluster's zone answers: Kubernetes' DNS specification 1.1 (kubernetes/dns, docs/specification.md), with
 * CoreDNS' pod names (`10-128-0-5.NAMESPACE.pod`). Pure.
 * @param name lower case, without the final dot
 * @returns undefined when the name is not the zone's affair
 */
export function answerFromZone(
  name: string,
  type: string,
  services: ServiceLookup,
  clusterDomain: string,
): ZoneAnswer | undefined {
  if (name.endsWith('.in-addr.arpa')) return reverse(name, type, services, clusterDomain);
  if (name === clusterDomain) return apex(name, type);
  if (!name.endsWith(`.${clusterDomain}`)) return undefined;
  const labels = name.slice(0, -clusterDomain.length - 1).split('.');
  const kind = labels.pop();
  if (kind === 'svc') return service(name, labels, type, services, clusterDomain);
  if (kind === 'pod') return pod(name, labels, type, services);
  if (kind === 'dns-version' && labels.length === 0) {
    return type === 'TXT' ? found([{ type: 'TXT', name, text: '1.1.0' }]) : noData;
  }
  return nothing;
}

function apex(name: string, type: string): ZoneAnswer {
  if (type === 'SOA') return found([{ type: 'SOA', name }]);
  if (type === 'NS') return found([{ type: 'NS', name, target: `ns.dns.${name}` }]);
  return noData;
}

function pod(name: string, labels: string[], type: string, services: ServiceLookup): ZoneAnswer {
  if (labels.length < 2) {
    return labels.length === 0 || services.hasNamespace(labels[0]!) ? noData : nothing;
  }
  const address = labels[0]!.replaceAll('-', '.');
  if (labels.length > 2 || !isAddress(address)) return nothing;
  return type === 'A' ? found([{ type: 'A', name, address }]) : noData;
}

function service(
  name: string,
  labels: string[],
  type: string,
  services: ServiceLookup,
  clusterDomain: string,
): ZoneAnswer {
  const namespace = labels.pop();
  if (namespace === undefined) return noData;
  const serviceName = labels.pop();
  if (serviceName === undefined) return services.hasNamespace(namespace) ? noData : nothing;
  const object = services.get(namespace, serviceName);
  if (object === undefined) return nothing;
  const base = `${serviceName}.${namespace}.svc.${clusterDomain}`;
  if (labels.length === 0) return ofService(name, base, type, object);
  if (labels.length === 1) {
    // `_tcp.web.default.svc` is an empty name above the ports' names.
    if (labels[0] === '_tcp' || labels[0] === '_udp' || labels[0] === '_sctp') return noData;
    return ofEndpoint(name, labels[0]!, type, object);
  }
  if (labels.length === 2 && labels[0]!.startsWith('_') && labels[1]!.startsWith('_')) {
    const ports = object.spec.ports.filter(
      (port) => port.name === labels[0]!.slice(1) && port.protocol.toLowerCase() === labels[1]!.slice(1),
    );
    return ports.length === 0 ? nothing : ofPorts(name, base, type, object, ports);
  }
  return nothing;
}

function ofService(name: string, base: string, type: string, object: VpcService): ZoneAnswer {
  const { spec } = object;
  if (spec.type === 'ExternalName') {
    const target = spec.externalName?.toLowerCase().replace(/\.$/, '') ?? '';
    if (target === '') return noData;
    // An address in place of a name is answered as one, as CoreDNS does.
    if (isAddress(target)) return type === 'A' ? found([{ type: 'A', name, address: target }]) : noData;
    return found([{ type: 'CNAME', name, target }]);
  }
  if (type === 'SRV') return ofPorts(name, base, type, object, spec.ports);
  const addresses = isHeadless(object) ? readyEndpoints(object).map(({ address }) => address) : spec.clusterIPs;
  if (isHeadless(object) && addresses.length === 0) return nothing;
  if (type !== 'A') return noData;
  return found([...new Set(addresses)].filter(isAddress).map((address) => ({ type: 'A', name, address })));
}

function ofEndpoint(name: string, label: string, type: string, object: VpcService): ZoneAnswer {
  const endpoints = readyEndpoints(object).filter((endpoint) => endpointLabel(endpoint) === label);
  if (endpoints.length === 0) return nothing;
  if (type !== 'A') return noData;
  return found(endpoints.map(({ address }) => ({ type: 'A', name, address })));
}

function ofPorts(
  name: string,
  base: string,
  type: string,
  object: VpcService,
  ports: VpcService['spec']['ports'],
): ZoneAnswer {
  if (type !== 'SRV') return noData;
  const answers: ZoneRecord[] = [];
  const additionals = new Map<string, ZoneRecord>();
  const add = (target: string, port: number, address: string, weight: number) => {
    answers.push({ type: 'SRV', name, target, port, weight });
    additionals.set(`${target} ${address}`, { type: 'A', name: target, address });
  };
  if (isHeadless(object)) {
    const endpoints = readyEndpoints(object);
    const weight = Math.max(1, Math.floor(100 / Math.max(1, endpoints.length)));
    for (const port of ports) {
      for (const endpoint of endpoints) {
        const number = endpoint.ports[port.name];
        if (number !== undefined) add(`${endpointLabel(endpoint)}.${base}`, number, endpoint.address, weight);
      }
    }
  } else {
    const weight = Math.max(1, Math.floor(100 / Math.max(1, ports.length)));
    for (const port of ports) {
      for (const address of object.spec.clusterIPs.slice(0, 1)) add(base, port.port, address, weight);
    }
  }
  return answers.length === 0 ? nothing : { exists: true, answers, additionals: [...additionals.values()] };
}

/** Names of service and endpoint addresses; an address of the VPC without a name is NXDOMAIN, others are not ours. */
function reverse(name: string, type: string, services: ServiceLookup, clusterDomain: string): ZoneAnswer | undefined {
  const address = name.slice(0, -'.in-addr.arpa'.length).split('.').reverse().join('.');
  if (!isAddress(address) || reverseName(address) !== name) return undefined;
  const nameOf = ({ spec: { serviceRef } }: VpcService) =>
    `${serviceRef.name}.${serviceRef.namespace}.svc.${clusterDomain}`;
  const targets = new Set(services.byServiceAddress(address).map(nameOf));
  if (targets.size === 0) {
    for (const object of services.byEndpointAddress(address)) {
      for (const endpoint of readyEndpoints(object)) {
        if (endpoint.address !== address) continue;
        if (isHeadless(object) || endpoint.hostname !== undefined)
          targets.add(`${endpointLabel(endpoint)}.${nameOf(object)}`);
      }
    }
  }
  if (targets.size > 0) {
    return type === 'PTR' ? found([...targets].map((target) => ({ type: 'PTR', name, target }))) : noData;
  }
  const [first, second] = address.split('.').map(Number) as [number, number];
  return first === 10 && (second >= 128 || (second >= 96 && second < 112)) ? nothing : undefined;
}

function isHeadless({ spec }: VpcService): boolean {
  return spec.type !== 'ExternalName' && spec.clusterIPs.length === 0;
}

type Endpoint = VpcService['spec']['endpoints'][number];

function readyEndpoints({ spec }: VpcService): Endpoint[] {
  return spec.endpoints.filter(({ ready, address }) => (ready || spec.publishNotReadyAddresses) && isAddress(address));
}

function endpointLabel({ hostname, address }: Endpoint): string {
  return hostname !== undefined && hostname !== '' ? hostname : address.replaceAll('.', '-');
}

function found(answers: ZoneRecord[]): ZoneAnswer {
  return { exists: true, answers, additionals: [] };
}
