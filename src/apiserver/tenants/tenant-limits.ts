import type { GroupResource } from '../../api/object.ts';
import { quantityValue } from '../../api/quantity.ts';
import { qualifiedResource, StatusError } from '../../api/status.ts';
import { SYSTEM_TENANT } from '../../api/tenants.ts';
import { ValueTooLargeError } from '../../store/store.ts';
import type { Usage } from '../watch-cache/tenant-usage.ts';
import type { CacheEntry, WatchCaches } from '../watch-cache/watch-cache.ts';
import type { TenantDirectory } from './tenant-directory.ts';
import type { UnloadedUsage } from './unloaded-usage.ts';

/** What a tenant may store: memory and disk are shared by all. */
export interface TenantLimits {
  /** Of all kinds. */
  objects: number;
  bytes: number;
}

/** Four times what one Kubernetes cluster's etcd is made for by default would be too much to give everybody. */
const defaultTenantLimits: TenantLimits = { objects: 200_000, bytes: 2 * 1024 ** 3 };

/** As etcd's --max-request-bytes. */
const objectLimitBytes = 1.5 * 1024 * 1024;
/** The platform's own objects hold several of a tenant's. */
const platformObjectLimitBytes = 32 * 1024 * 1024;

/** Of kinds that cost far more than their bytes: schemas, documents, probes. */
const limitsByResource: Record<string, number> = {
  'customresourcedefinitions.apiextensions.k8s.io': 1000,
  'apiservices.apiregistration.k8s.io': 1200,
  'validatingadmissionpolicies.admissionregistration.k8s.io': 1000,
  'mutatingadmissionpolicies.admissionregistration.k8s.io': 1000,
  'flowschemas.flowcontrol.apiserver.k8s.io': 1000,
  'prioritylevelconfigurations.flowcontrol.apiserver.k8s.io': 200,
};

const nothing: Usage = { objects: 0, bytes: 0 };

/** Objects that are there already may still say how they are doing when a tenant is full. */
const updateSlack = 1.1;

export interface Growth {
  resource: GroupResource;
  tenant: string;
  isNew: boolean;
  bytesBefore: number;
  bytesAfter: number;
}

/** What a tenant may store: the objects and bytes of all its resources are counted together. */
export class TenantQuota {
  readonly #caches: WatchCaches;
  readonly #tenants: TenantDirectory;
  readonly #limits: TenantLimits;
  readonly #unloaded: UnloadedUsage | undefined;

  /** `unloaded`: what the caches do not know of; nothing when absent. */
  constructor(
    caches: WatchCaches,
    tenants: TenantDirectory,
    limits: Partial<TenantLimits> = {},
    unloaded?: UnloadedUsage,
  ) {
    this.#unloaded = unloaded;
    this.#caches = caches;
    this.#tenants = tenants;
    this.#limits = { ...defaultTenantLimits, ...limits };
  }

  /**
   * Throws ValueTooLargeError (413) for an object and 403 for a tenant that would grow too large. A promise only where
   * the tenant has to be loaded.
   */
  check(growth: Growth): void | Promise<void> {
    const { tenant, bytesBefore, bytesAfter } = growth;
    if (tenant === SYSTEM_TENANT) {
      if (bytesAfter > platformObjectLimitBytes) throw tooLarge(platformObjectLimitBytes);
      return;
    }
    if (bytesAfter > objectLimitBytes && bytesAfter > bytesBefore) throw tooLarge(objectLimitBytes);
    if (bytesAfter <= bytesBefore) return;
    const entry = this.#tenants.find(tenant);
    if (entry instanceof Promise) return entry.then((loaded) => this.#checkAll(growth, loaded));
    return this.#checkAll(growth, entry);
  }

  /** With what is not in memory, which is counted at the first growth. */
  #checkAll(growth: Growth, entry: CacheEntry | undefined): void | Promise<void> {
    if (this.#unloaded === undefined || entry === undefined) return this.#checkUsage(growth, entry, nothing);
    const { tenant } = growth;
    const identity = `${tenant}/${entry.object.metadata.uid}`;
    const unloaded = this.#unloaded.of(identity);
    if (unloaded !== undefined) return this.#checkUsage(growth, entry, unloaded);
    return this.#unloaded
      .count(identity, tenant)
      .then(() => this.#checkUsage(growth, entry, this.#unloaded?.of(identity) ?? nothing));
  }

  #checkUsage(
    { resource, tenant, isNew, bytesBefore, bytesAfter }: Growth,
    entry: CacheEntry | undefined,
    unloaded: Usage,
  ): void {
    const loaded = this.#caches.usage.of(tenant);
    const usage: Usage = { objects: loaded.objects + unloaded.objects, bytes: loaded.bytes + unloaded.bytes };
    const limits = this.#limitsOf(entry);
    const slack = isNew ? 1 : updateSlack;
    if (isNew && usage.objects >= limits.objects) throw exceeded(resource, `objects=${limits.objects}`);
    if (usage.bytes + bytesAfter - bytesBefore > limits.bytes * slack)
      throw exceeded(resource, `bytes=${limits.bytes}`);
    const most = isNew ? limitsByResource[qualifiedResource(resource)] : undefined;
    if (most !== undefined && (this.#caches.peek(resource)?.count({ tenant }) ?? 0) >= most) {
      throw exceeded(resource, `count/${qualifiedResource(resource)}=${most}`);
    }
  }

  #limitsOf(entry: CacheEntry | undefined): TenantLimits {
    const own = entry?.object['spec']?.limits;
    if (own === undefined) return this.#limits;
    return {
      objects: own.objects ?? this.#limits.objects,
      bytes: own.storage === undefined ? this.#limits.bytes : quantityValue(own.storage),
    };
  }
}

const tooLarge = (limit: number) => new ValueTooLargeError(`limit of an object as it is stored is ${limit}`);

const exceeded = (resource: GroupResource, limited: string) =>
  new StatusError(
    403,
    'Forbidden',
    `${qualifiedResource(resource)} is forbidden: exceeded quota of the tenant, limited: ${limited}`,
    {
      kind: resource.resource,
      ...(resource.group !== '' && { group: resource.group }),
    },
  );
