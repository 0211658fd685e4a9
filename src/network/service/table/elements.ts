import { createHash } from 'node:crypto';
import { VPC_API_ADDRESS, VPC_DNS_ADDRESS, VPC_SERVICE_CIDR, type VpcService } from '../../../api/pool.ts';
import { contains, isAddress, parseAddress, parseCidr } from '../../addresses/ipv4.ts';
import { isNodeAddress, nodeGroup } from '../../addresses/node-group.ts';

/** The maps and sets of the VPC's table that services fill; `vpc/vpc-rules.ts` says how packets pass through them. */
export type TableMap =
  | 'services'
  | 'backends'
  | 'node-services'
  | 'node-backends'
  | 'local-services'
  | 'local-backends'
  | 'remember'
  | 'hairpin'
  | 'more-services';

/** What one service needs in the table. Values are written as in nft's language; all of them are checked. */
export interface ServiceElements {
  /** Key -> value; the empty value is an element of a set. */
  elements: { map: TableMap; key: string; value: string }[];
  /** Endpoint counts that need a chain `pick-N`, or `node-pick-N` for a node port. */
  picks: Pick[];
  /** One chain a port with session affinity. */
  sticky: StickyPort[];
}

export interface Pick {
  at: Frontend;
  count: number;
}

/** Where a connection arrives: an address of the service, the same from pods of one node, or a port of every node. */
export type Frontend = 'service' | 'local' | 'node';

/** What the names of its maps and chains begin with. */
export const prefixOf = (at: Frontend): '' | 'local-' | 'node-' => (at === 'service' ? '' : `${at}-`);

export const pickChain = ({ at, count }: Pick): string => `${prefixOf(at)}pick-${count}`;

export interface StickyPort {
  at: Frontend;
  /** Name of its chain. */
  chain: string;
  mark: number;
  endpointCount: number;
  timeoutSeconds: number;
  /** `address . port` of each endpoint: who is not among them is forgotten. */
  endpoints: string[];
}

const serviceCidr = parseCidr(VPC_SERVICE_CIDR);
/** Where no ServiceCIDR of a tenant leads: this machine, its links, many at once. */
const nobodys = ['0.0.0.0/8', '127.0.0.0/8', '169.254.0.0/16', '224.0.0.0/3'].map(parseCidr);
const protocols: Record<string, string> = { TCP: 'tcp', UDP: 'udp', SCTP: 'sctp' };

/**
 * Pure: a VpcService's part of the table. What tenants may have written by hand (addresses, ports) is left out when it
 * is not what it should be. A port without ready endpoints gives nothing: the VPC refuses what is not translated.
 */
export function serviceElements(service: VpcService): ServiceElements {
  const result: ServiceElements = { elements: [], picks: [], sticky: [] };
  const { spec } = service;
  const ready = spec.endpoints.filter((endpoint) => endpoint.ready);
  const hairpin = new Set<string>();
  for (const port of spec.proxiedElsewhere ? [] : spec.ports) {
    const protocol = protocols[port.protocol];
    if (protocol === undefined || !isPort(port.port)) continue;
    const lead = (at: Frontend, frontends: string[], among: Endpoint[], node = ''): void => {
      const endpoints = targets(among, port.name);
      if (frontends.length === 0 || endpoints.length === 0) return;
      for (const endpoint of endpoints) hairpin.add(endpoint.slice(0, endpoint.indexOf(' ')));
      const pick = { at, count: endpoints.length };
      result.picks.push(pick);
      let target = `goto ${pickChain(pick)}`;
      const timeoutSeconds = spec.sessionAffinitySeconds;
      if (timeoutSeconds !== undefined && Number.isInteger(timeoutSeconds) && timeoutSeconds > 0) {
        const sticky = stickyPort(service, at, `${port.protocol}/${port.port}${node}`, timeoutSeconds, endpoints);
        result.sticky.push(sticky);
        target = `goto ${sticky.chain}`;
        result.elements.push({
          map: 'remember',
          key: `0x${sticky.mark.toString(16)}`,
          value: `jump ${rememberChain(timeoutSeconds)}`,
        });
      }
      for (const frontend of frontends) {
        result.elements.push({ map: `${prefixOf(at)}services`, key: frontend, value: target });
        for (const [index, endpoint] of endpoints.entries()) {
          result.elements.push({ map: `${prefixOf(at)}backends`, key: `${frontend} . ${index}`, value: endpoint });
        }
      }
    };
    const addresses = spec.clusterIPs.filter(isServiceAddress);
    lead(
      'service',
      addresses.map((address) => `${address} . ${protocol} . ${port.port}`),
      ready,
    );
    const nodes = (spec.localAt ?? []).filter(isNodeAddress);
    const leadLocally = (at: Frontend, frontends: string[], node: string) => {
      const own = localEndpoints(spec.endpoints, node);
      if (targets(own, port.name).length > 0) lead(at, frontends, own, `@${at}@${node}`);
      else for (const key of frontends) result.elements.push({ map: `${prefixOf(at)}services`, key, value: 'drop' });
    };
    const keysFrom = (node: string) => (address: string) =>
      `${nodeGroup(node)} . ${address} . ${protocol} . ${port.port}`;
    for (const node of spec.internalLocal ? nodes : []) leadLocally('local', addresses.map(keysFrom(node)), node);
    const preferring = spec.internalLocal ? [] : unique(ready.flatMap(({ near = [] }) => near)).filter(isNodeAddress);
    for (const node of preferring) {
      const among = ready.filter(({ near }) => near?.includes(node));
      lead('local', addresses.map(keysFrom(node)), among, `@local@${node}`);
    }
    if (!isPort(port.nodePort)) continue;
    lead('node', [`${protocol} . ${port.nodePort}`], ready);
    // A virtual node's address comes before what all nodes answer; the address of this host stands for no virtual node.
    for (const node of spec.externalLocal ? nodes : []) {
      leadLocally('service', [`${node} . ${protocol} . ${port.nodePort}`], node);
    }
  }
  for (const address of spec.clusterIPs.filter(isServiceAddress)) {
    if (!contains(serviceCidr, parseAddress(address))) {
      result.elements.push({ map: 'more-services', key: address, value: '' });
    }
  }
  for (const address of hairpin) result.elements.push({ map: 'hairpin', key: `${address} . ${address}`, value: '' });
  return result;
}

type Endpoint = VpcService['spec']['endpoints'][number];

const targets = (endpoints: Endpoint[], portName: string): string[] =>
  unique(
    endpoints
      .filter(({ address, ports }) => isAddress(address) && isPort(ports[portName]))
      .map(({ address, ports }) => `${address} . ${ports[portName]}`),
  );

/** Those of the node; when none is ready, those that end but still serve. */
function localEndpoints(endpoints: Endpoint[], node: string): Endpoint[] {
  const own = endpoints.filter((endpoint) => endpoint.node === node);
  const ready = own.filter((endpoint) => endpoint.ready);
  return ready.length > 0 ? ready : own.filter((endpoint) => endpoint.serving);
}

export function rememberChain(timeoutSeconds: number): string {
  return `remember-${timeoutSeconds}`;
}

/** Both frontends of a port remember alike: a client that comes by another way meets the same endpoint. */
function stickyPort(
  service: VpcService,
  at: Frontend,
  port: string,
  timeoutSeconds: number,
  endpoints: string[],
): StickyPort {
  const { namespace, name } = service.spec.serviceRef;
  const digest = createHash('sha256').update(`${namespace}/${name}/${port}`).digest();
  const mark = digest.readUInt32BE(0) || 1;
  return {
    chain: `${prefixOf(at)}sticky-${mark.toString(16)}`,
    at,
    mark,
    endpointCount: endpoints.length,
    timeoutSeconds,
    endpoints,
  };
}

/** DNS and `kubernetes.default` are the host's own affair. A tenant's ServiceCIDRs may lie anywhere else. */
function isServiceAddress(address: string): boolean {
  if (address === VPC_API_ADDRESS || address === VPC_DNS_ADDRESS || !isAddress(address)) return false;
  return !nobodys.some((cidr) => contains(cidr, parseAddress(address)));
}

function isPort(port: number | undefined): port is number {
  return port !== undefined && Number.isInteger(port) && port > 0 && port < 65536;
}

function unique(values: string[]): string[] {
  return [...new Set(values)].sort();
}
