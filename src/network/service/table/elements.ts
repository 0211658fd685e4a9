import { createHash } from 'node:crypto';
import { VPC_API_ADDRESS, VPC_DNS_ADDRESS, VPC_SERVICE_CIDR, type VpcService } from '../../../api/pool.ts';
import { contains, isAddress, parseAddress, parseCidr } from '../../addresses/ipv4.ts';

/** The maps and sets of the VPC's table that services fill; `vpc/vpc-rules.ts` says how packets pass through them. */
export type TableMap = 'services' | 'backends' | 'remember' | 'hairpin';

/** What one service needs in the table. Values are written as in nft's language; all of them are checked. */
export interface ServiceElements {
  /** Key -> value; the empty value is an element of a set. */
  elements: { map: TableMap; key: string; value: string }[];
  /** Endpoint counts that need a chain `pick-N`. */
  picks: number[];
  /** One chain a port with session affinity. */
  sticky: StickyPort[];
}

export interface StickyPort {
  /** Name of its chain. */
  chain: string;
  mark: number;
  endpointCount: number;
  timeoutSeconds: number;
  /** `address . port` of each endpoint: who is not among them is forgotten. */
  endpoints: string[];
}

const serviceCidr = parseCidr(VPC_SERVICE_CIDR);
const protocols: Record<string, string> = { TCP: 'tcp', UDP: 'udp', SCTP: 'sctp' };

/**
 * Pure: a VpcService's part of the table. What tenants may have written by hand (addresses, ports) is left out when it
 * is not what it should be. A port without ready endpoints gives nothing: the VPC refuses what is not translated.
 */
export function serviceElements(service: VpcService, gateway: string): ServiceElements {
  const result: ServiceElements = { elements: [], picks: [], sticky: [] };
  const { spec } = service;
  const ready = spec.endpoints.filter((endpoint) => endpoint.ready && isAddress(endpoint.address));
  const hairpin = new Set<string>();
  for (const port of spec.ports) {
    const protocol = protocols[port.protocol];
    if (protocol === undefined || !isPort(port.port)) continue;
    const endpoints = unique(
      ready
        .filter((endpoint) => isPort(endpoint.ports[port.name]))
        .map((endpoint) => `${endpoint.address} . ${endpoint.ports[port.name]}`),
    );
    if (endpoints.length === 0) continue;
    const frontends = spec.clusterIPs
      .filter(isServiceAddress)
      .map((address) => `${address} . ${protocol} . ${port.port}`);
    if (isPort(port.nodePort)) frontends.push(`${gateway} . ${protocol} . ${port.nodePort}`);
    if (frontends.length === 0) continue;

    for (const endpoint of endpoints) hairpin.add(endpoint.slice(0, endpoint.indexOf(' ')));
    result.picks.push(endpoints.length);
    let target = `goto pick-${endpoints.length}`;
    const timeoutSeconds = spec.sessionAffinitySeconds;
    if (timeoutSeconds !== undefined && Number.isInteger(timeoutSeconds) && timeoutSeconds > 0) {
      const sticky = stickyPort(service, `${port.protocol}/${port.port}`, timeoutSeconds, endpoints);
      result.sticky.push(sticky);
      target = `goto ${sticky.chain}`;
      result.elements.push({
        map: 'remember',
        key: `0x${sticky.mark.toString(16)}`,
        value: `jump ${rememberChain(timeoutSeconds)}`,
      });
    }
    for (const frontend of frontends) {
      result.elements.push({ map: 'services', key: frontend, value: target });
      for (const [index, endpoint] of endpoints.entries()) {
        result.elements.push({ map: 'backends', key: `${frontend} . ${index}`, value: endpoint });
      }
    }
  }
  for (const address of hairpin) result.elements.push({ map: 'hairpin', key: `${address} . ${address}`, value: '' });
  return result;
}

export function rememberChain(timeoutSeconds: number): string {
  return `remember-${timeoutSeconds}`;
}

function stickyPort(service: VpcService, port: string, timeoutSeconds: number, endpoints: string[]): StickyPort {
  const { namespace, name } = service.spec.serviceRef;
  const digest = createHash('sha256').update(`${namespace}/${name}/${port}`).digest();
  const mark = digest.readUInt32BE(0) || 1;
  return {
    chain: `sticky-${mark.toString(16)}`,
    mark,
    endpointCount: endpoints.length,
    timeoutSeconds,
    endpoints,
  };
}

/** DNS and `kubernetes.default` are the host's own affair. */
function isServiceAddress(address: string): boolean {
  if (address === VPC_API_ADDRESS || address === VPC_DNS_ADDRESS || !isAddress(address)) return false;
  return contains(serviceCidr, parseAddress(address));
}

function isPort(port: number | undefined): port is number {
  return port !== undefined && Number.isInteger(port) && port > 0 && port < 65536;
}

function unique(values: string[]): string[] {
  return [...new Set(values)].sort();
}
