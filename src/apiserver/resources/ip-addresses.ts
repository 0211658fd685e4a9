import { randomUUID } from 'node:crypto';
import { formatIp, hasServiceAddress, type IpPrefix, parseIp, parsePrefix } from '../../api/ip-prefix.ts';
import { formatTime, type KubeObject } from '../../api/object.ts';
import { VPC_API_ADDRESS, VPC_DNS_ADDRESS } from '../../api/pool.ts';
import { IP_ADDRESSES, SERVICE_CIDRS } from '../../api/resources.ts';
import { ipAddressLabels } from '../../api/service-addresses.ts';
import type { ObjectChange } from '../object-change.ts';
import type { Objects } from '../objects.ts';

/** Where the platform itself answers: never chosen, but a service may ask for the one of the DNS. */
const reserved = new Set([VPC_API_ADDRESS, VPC_DNS_ADDRESS]);

/** One range of a tenant's ServiceCIDRs. */
export interface ServiceRange {
  prefix: IpPrefix;
  /** Of at least one ServiceCIDR that is ready and stays. */
  isReady: boolean;
}

const prefixesOf = new WeakMap<KubeObject, IpPrefix[]>();

/**
 * The IPv4 ranges that a tenant's services may have addresses of: VPCs have no others. Until its controller has spoken,
 * a ServiceCIDR counts as ready.
 */
export async function serviceRanges(objects: Objects, tenant: string): Promise<ServiceRange[]> {
  const ranges = new Map<string, ServiceRange>();
  for (const { object } of await objects.entries(SERVICE_CIDRS, { tenant })) {
    let prefixes = prefixesOf.get(object);
    if (prefixes === undefined) {
      const cidrs: string[] = object['spec']?.cidrs ?? [];
      prefixes = cidrs.map(parsePrefix).filter((prefix) => prefix?.family === 'IPv4') as IpPrefix[];
      prefixesOf.set(object, prefixes);
    }
    const ready = object['status']?.conditions?.find((condition: { type: string }) => condition.type === 'Ready');
    const isReady = object.metadata.deletionTimestamp === undefined && (ready?.status ?? 'True') === 'True';
    for (const prefix of prefixes) {
      ranges.set(prefix.text, { prefix, isReady: isReady || ranges.get(prefix.text)?.isReady === true });
    }
  }
  return [...ranges.values()];
}

/** Whether some range that is ready has the address. */
export function inServiceRange(ranges: ServiceRange[], address: string): boolean {
  const parsed = parseIp(address);
  return parsed !== undefined && ranges.some(({ prefix, isReady }) => isReady && hasServiceAddress(prefix, parsed));
}

/**
 * A free address at random, of any range that is ready: dense packing would hand out an address again soon after its
 * release. The lower end of a range is left to services that name their address as long as there are others.
 */
export function pickAddress(ranges: ServiceRange[], isTaken: (address: string) => boolean): string | undefined {
  const start = Math.floor(Math.random() * ranges.length);
  for (let step = 0; step < ranges.length; step++) {
    const { prefix, isReady } = ranges[(start + step) % ranges.length]!;
    if (!isReady) continue;
    const [first, last] = [Number(prefix.first) + 1, Number(prefix.last) - 1];
    const middle = first + staticPart(2 ** (32 - prefix.length));
    const address = pickBetween(middle, last, isTaken) ?? pickBetween(first, middle - 1, isTaken);
    if (address !== undefined) return address;
  }
  return undefined;
}

function pickBetween(first: number, last: number, isTaken: (address: string) => boolean): string | undefined {
  const count = last - first + 1;
  const offset = Math.floor(Math.random() * count);
  for (let step = 0; step < count; step++) {
    const value = BigInt(first + ((offset + step) % count));
    const address = formatIp({ family: 'IPv4', value });
    if (!reserved.has(address) && !isTaken(address)) return address;
  }
  return undefined;
}

/** How many addresses are kept for those who name theirs. Source: calculateRangeOffset, KEP-3070. */
function staticPart(size: number): number {
  return size <= 16 ? 0 : Math.min(Math.max(Math.floor(size / 16), 16), 256);
}

/** The claim of an address: an IPAddress object, as upstream since 1.33; two services can't both make it. */
export function claim(
  tenant: string,
  address: string,
  service: { namespace: string; name: string },
  nowMs: number,
): ObjectChange {
  const after: KubeObject = {
    kind: 'IPAddress',
    apiVersion: 'networking.k8s.io/v1',
    metadata: {
      name: address,
      uid: randomUUID(),
      creationTimestamp: formatTime(nowMs),
      labels: ipAddressLabels('IPv4'),
    } as Partial<KubeObject['metadata']> as KubeObject['metadata'],
    spec: { parentRef: { resource: 'services', namespace: service.namespace, name: service.name } },
  };
  return { resource: IP_ADDRESSES, tenant, namespace: '', name: address, before: undefined, after };
}
