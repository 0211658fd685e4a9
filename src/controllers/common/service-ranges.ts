import type { IPAddress, ServiceCIDR } from '../../api/generated/networking-v1.ts';
import { hasServiceAddress, type IpPrefix, parseIp, parsePrefix } from '../../api/ip-prefix.ts';
import type { KubeObject } from '../../api/object.ts';
import { VPC_API_ADDRESS, VPC_SERVICE_CIDR } from '../../api/pool.ts';
import { IP_ADDRESSES, SERVICE_CIDRS } from '../../api/resources.ts';
import { DEFAULT_SERVICE_CIDR_NAME, IP_ALLOCATOR, MANAGED_BY_LABEL } from '../../api/service-addresses.ts';
import { ALL_TENANTS } from '../../client/client.ts';
import type { Informer, InformerFactory } from '../../client/informer.ts';

export interface NamedRange {
  name: string;
  prefix: IpPrefix;
}

const byTenant = { tenant: (object: KubeObject) => [object.metadata.clusterName ?? ''] };
const defaultRange: NamedRange = { name: DEFAULT_SERVICE_CIDR_NAME, prefix: parsePrefix(VPC_SERVICE_CIDR)! };

/**
 * The ServiceCIDRs and IPAddresses of all tenants. Across tenants only those that are stored are seen: the default
 * ServiceCIDR and the address of `kubernetes`, which every tenant has, are known here as long as nothing stands over them.
 */
export class ServiceRanges {
  readonly cidrs: Informer<ServiceCIDR>;
  readonly addresses: Informer<IPAddress>;
  readonly #prefixes = new WeakMap<ServiceCIDR, NamedRange[]>();

  constructor(informers: InformerFactory) {
    this.cidrs = informers.informer<ServiceCIDR>(SERVICE_CIDRS, { tenant: ALL_TENANTS, indexes: byTenant });
    this.addresses = informers.informer<IPAddress>(IP_ADDRESSES, { tenant: ALL_TENANTS, indexes: byTenant });
  }

  of(tenant: string): NamedRange[] {
    const stored = this.cidrs.byIndex('tenant', tenant);
    const ranges = stored.flatMap((cidr) => this.rangesOf(cidr));
    const hasDefault = stored.some(({ metadata }) => metadata.name === DEFAULT_SERVICE_CIDR_NAME);
    return hasDefault ? ranges : [...ranges, defaultRange];
  }

  rangesOf(cidr: ServiceCIDR): NamedRange[] {
    let ranges = this.#prefixes.get(cidr);
    if (ranges === undefined) {
      const prefixes = (cidr.spec?.cidrs ?? []).map(parsePrefix).filter((prefix) => prefix !== undefined);
      ranges = prefixes.map((prefix) => ({ name: cidr.metadata.name, prefix }));
      this.#prefixes.set(cidr, ranges);
    }
    return ranges;
  }

  /** Names of the ServiceCIDRs that a service may have the address of. */
  containing(tenant: string, address: string): string[] {
    const parsed = parseIp(address);
    if (parsed === undefined) return [];
    return this.of(tenant).flatMap(({ name, prefix }) => (hasServiceAddress(prefix, parsed) ? [name] : []));
  }

  /** Addresses that the allocator gave. */
  allocated(tenant: string): string[] {
    const names = this.addresses
      .byIndex('tenant', tenant)
      .filter(isAllocated)
      .map(({ metadata }) => metadata.name);
    return names.includes(VPC_API_ADDRESS) ? names : [...names, VPC_API_ADDRESS];
  }
}

export const isAllocated = ({ metadata }: IPAddress): boolean => metadata.labels?.[MANAGED_BY_LABEL] === IP_ALLOCATOR;
