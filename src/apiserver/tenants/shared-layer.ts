import type { GroupResource, KubeObject } from '../../api/object.ts';
import { HOST_LEASE_NAMESPACE, VPC_API_ADDRESS, VPC_SERVICE_CIDR } from '../../api/pool.ts';
import { DEFAULT_SERVICE_CIDR_NAME, ipAddressLabels, SERVICE_CIDR_FINALIZER } from '../../api/service-addresses.ts';
import { qualifiedResource } from '../../api/status.ts';
import { SYSTEM_TENANT } from '../../api/tenants.ts';
import { SERVICE_NAME_LABEL } from '../../api/well-known.ts';
import { bootstrapObjects } from '../authorization/bootstrap/policy.ts';
import { flowControlObjects } from '../fairness/bootstrap.ts';
import { storeKey } from '../watch-cache/keys.ts';
import type { CacheEntry } from '../watch-cache/watch-cache.ts';
import { derivedUid, VirtualEntry } from './virtual-entry.ts';
import type { Withdrawals } from './withdrawals.ts';

const DEFAULT_NAMESPACES = ['default', 'kube-node-lease', 'kube-public', 'kube-system'];

export interface SharedLayerOptions {
  /** What kube-root-ca.crt holds. */
  caPem: string;
  /** Where the API server is reached, and those of other control planes: for the `kubernetes` EndpointSlice. */
  advertise: Advertise & { peers?: Advertise[] };
  /** More that every tenant has, the system's included, by `resource.group`. */
  everyTenantTemplates?: Readonly<Record<string, Template[]>>;
  /** More that the system's tenant has. */
  systemTemplates?: Readonly<Record<string, Template[]>>;
  /** More that every tenant but the system's has (virtual nodes), by `resource.group`; compose/ hands them in. */
  tenantTemplates?: Readonly<Record<string, Template[]>>;
}

export interface Advertise {
  /** IPv4 or IPv6. */
  address: string;
  port: number;
}

export type Template = Omit<KubeObject, 'metadata'> & {
  metadata: {
    name: string;
    namespace?: string;
    labels?: Record<string, string>;
    annotations?: Record<string, string>;
    generation?: number;
    finalizers?: string[];
  };
  /** Another shared object of the tenant, to be its one owner. */
  owner?: { apiVersion: string; kind: string; name: string; resource: GroupResource };
  /**
   * It has getters that say something else each time it is read, under one resourceVersion: nothing is written, and no
   * watcher hears of it.
   */
  isLive?: true;
  /** What else depends on when the tenant was made (RFC 3339). */
  build?(createdAt: string, tenant: string): object;
};

/**
 * What every tenant has from the start: its namespaces, their default service accounts and root CA, the `kubernetes`
 * service and where it leads. One set of templates serves all tenants; an object a tenant writes over one is an
 * ordinary stored object from then on.
 */
export class SharedLayer {
  readonly #templates = new Map<string, Template[]>();
  readonly #systemTemplates = new Map<string, Template[]>();
  /** Entries of the tenants asked for last, by their Tenant entry: pods' admission looks some up for every pod. */
  readonly #recent = new Map<CacheEntry, Map<string, VirtualEntry[]>>();
  readonly #tenantTemplates: ReadonlyMap<string, Template[]>;
  readonly #placesOf = new Map<string, Places>();
  readonly withdrawals: Withdrawals | undefined;

  constructor(options: SharedLayerOptions, withdrawals?: Withdrawals) {
    this.withdrawals = withdrawals;
    this.#tenantTemplates = new Map(Object.entries(options.tenantTemplates ?? {}));
    const add = (into: Map<string, Template[]>, resource: string, template: Template) => {
      const list = into.get(resource) ?? [];
      if (list.length === 0) into.set(resource, list);
      list.push(template);
    };
    for (const namespace of DEFAULT_NAMESPACES) {
      add(this.#templates, 'namespaces', namespaceTemplate(namespace));
      add(this.#templates, 'serviceaccounts', {
        kind: 'ServiceAccount',
        apiVersion: 'v1',
        metadata: { name: 'default', namespace },
      });
      add(this.#templates, 'configmaps', {
        kind: 'ConfigMap',
        apiVersion: 'v1',
        metadata: { name: 'kube-root-ca.crt', namespace },
        data: { 'ca.crt': options.caPem },
      });
    }
    const endpoints = endpointsOf(options.advertise);
    add(this.#templates, 'services', kubernetesService(endpoints.port));
    add(this.#templates, serviceCidrs, defaultServiceCidr);
    add(this.#templates, ipAddresses, kubernetesAddress);
    add(this.#templates, 'endpoints', kubernetesEndpoints(endpoints));
    add(this.#templates, 'endpointslices.discovery.k8s.io', kubernetesEndpointSlice(endpoints));
    for (const priorityClass of systemPriorityClasses) {
      add(this.#templates, 'priorityclasses.scheduling.k8s.io', priorityClass);
    }
    for (const [resource, objects] of Object.entries({ ...bootstrapObjects, ...flowControlObjects })) {
      for (const object of objects) add(this.#templates, resource, object);
    }
    for (const [resource, objects] of Object.entries(options.everyTenantTemplates ?? {})) {
      for (const object of objects) add(this.#templates, resource, object);
    }
    add(this.#systemTemplates, 'namespaces', namespaceTemplate(HOST_LEASE_NAMESPACE));
    for (const [resource, objects] of Object.entries(options.systemTemplates ?? {})) {
      for (const object of objects) add(this.#systemTemplates, resource, object);
    }
  }

  /**
   * Whether there are shared objects of this resource to be seen by who asks for `tenant` (undefined: for all at once);
   * everything else skips the layer. The roles, bindings and flow schemas that every tenant starts with are many: across tenants only
   * those that a tenant wrote are seen, or each watcher would hold that many objects for every idle tenant.
   */
  covers(resource: GroupResource, tenant: string | undefined): boolean {
    const qualified = qualifiedResource(resource);
    if (tenant === undefined && (qualified in bootstrapObjects || qualified in flowControlObjects)) return false;
    if (tenant === undefined && tenantsOwnOnly.has(qualified)) return false;
    return this.#templates.has(qualified) || this.#tenantTemplates.has(qualified);
  }

  /** Where shared objects of a resource are, in any tenant: whatever is elsewhere need not ask for more. */
  places(resource: GroupResource): Places {
    const qualified = qualifiedResource(resource);
    let places = this.#placesOf.get(qualified);
    if (places === undefined) {
      places = { namespaces: new Set(), names: new Set() };
      for (const templates of [this.#templates, this.#systemTemplates, this.#tenantTemplates]) {
        for (const { metadata } of templates.get(qualified) ?? []) {
          places.namespaces.add(metadata.namespace ?? '');
          places.names.add(`${metadata.namespace ?? ''}/${metadata.name}`);
        }
      }
      this.#placesOf.set(qualified, places);
    }
    return places;
  }

  /** The shared objects of one tenant, as of its Tenant object; without those that it has withdrawn. */
  entries(resource: GroupResource, tenant: CacheEntry): VirtualEntry[] {
    const entries = this.#allEntries(resource, tenant);
    const { withdrawals } = this;
    if (withdrawals === undefined || withdrawals.isEmpty || !withdrawals.covers(resource)) return entries;
    return entries.filter(({ namespace, name }) => !withdrawals.has(tenant, resource, namespace, name));
  }

  #allEntries(resource: GroupResource, tenant: CacheEntry): VirtualEntry[] {
    let byResource = this.#recent.get(tenant);
    if (byResource === undefined) {
      byResource = new Map();
      this.#recent.set(tenant, byResource);
      if (this.#recent.size > recentTenantsLimit) this.#recent.delete(this.#recent.keys().next().value!);
    }
    const qualified = qualifiedResource(resource);
    let entries = byResource.get(qualified);
    if (entries === undefined) {
      const own = tenant.name === SYSTEM_TENANT ? this.#systemTemplates : this.#tenantTemplates;
      const templates = [...(this.#templates.get(qualified) ?? []), ...(own.get(qualified) ?? [])];
      entries = templates.map((template) => virtualEntry(resource, tenant, template));
      byResource.set(qualified, entries);
    }
    return entries;
  }

  entry(resource: GroupResource, tenant: CacheEntry, namespace: string, name: string): VirtualEntry | undefined {
    const { withdrawals } = this;
    const isWithdrawn = withdrawals?.covers(resource) === true && withdrawals.has(tenant, resource, namespace, name);
    return isWithdrawn ? undefined : this.original(resource, tenant, namespace, name);
  }

  /** As `entry`, also of what the tenant has withdrawn. */
  original(resource: GroupResource, tenant: CacheEntry, namespace: string, name: string): VirtualEntry | undefined {
    for (const entry of this.#allEntries(resource, tenant)) {
      if (entry.name === name && entry.namespace === namespace) return entry;
    }
    return undefined;
  }
}

export interface Places {
  namespaces: Set<string>;
  /** `namespace/name` */
  names: Set<string>;
}

const serviceCidrs = 'servicecidrs.networking.k8s.io';
const ipAddresses = 'ipaddresses.networking.k8s.io';

/** Whoever looks across tenants knows what every tenant has of these. */
const tenantsOwnOnly = new Set([
  'apiservices.apiregistration.k8s.io',
  'leases.coordination.k8s.io',
  serviceCidrs,
  ipAddresses,
]);

/** So many tenants' shared objects are kept built; the rest cost nothing. */
const recentTenantsLimit = 256;

function virtualEntry(resource: GroupResource, tenant: CacheEntry, template: Template): VirtualEntry {
  const { name, namespace = '' } = template.metadata;
  const key = storeKey(resource, tenant.name, namespace, name);
  const place = { tenant: tenant.name, namespace, name, revision: tenant.revision, key };
  const built = () => {
    const { metadata: tenantMetadata } = tenant.object;
    const { kind, apiVersion, metadata, build, owner, isLive, ...rest } = template;
    const uidOf = (of: GroupResource, ...path: [string, string]) =>
      derivedUid(tenantMetadata.uid, qualifiedResource(of), ...path);
    return {
      kind,
      apiVersion,
      metadata: {
        ...metadata,
        ...(owner !== undefined && {
          ownerReferences: [
            {
              apiVersion: owner.apiVersion,
              kind: owner.kind,
              name: owner.name,
              uid: uidOf(owner.resource, '', owner.name),
            },
          ],
        }),
        uid: uidOf(resource, namespace, name),
        resourceVersion: String(tenant.revision),
        creationTimestamp: tenantMetadata.creationTimestamp,
        clusterName: tenant.name,
      },
      ...rest,
      ...build?.(tenantMetadata.creationTimestamp ?? '', tenant.name),
    };
  };
  return new VirtualEntry(place, built, template.isLive);
}

function namespaceTemplate(name: string): Template {
  return {
    kind: 'Namespace',
    apiVersion: 'v1',
    metadata: { name, labels: { 'kubernetes.io/metadata.name': name } },
    spec: { finalizers: ['kubernetes'] },
    status: { phase: 'Active' },
  };
}

const systemPriorityClasses: Template[] = [
  ['system-cluster-critical', 2_000_000_000],
  ['system-node-critical', 2_000_001_000],
].map(([name, value]) => ({
  kind: 'PriorityClass',
  apiVersion: 'scheduling.k8s.io/v1',
  metadata: { name: String(name), generation: 1 },
  value,
  preemptionPolicy: 'PreemptLowerPriority',
}));

/** The one range of service addresses there is, as the API server's own flag would make it. */
const defaultServiceCidr: Template = {
  kind: 'ServiceCIDR',
  apiVersion: 'networking.k8s.io/v1',
  metadata: { name: DEFAULT_SERVICE_CIDR_NAME, finalizers: [SERVICE_CIDR_FINALIZER] },
  spec: { cidrs: [VPC_SERVICE_CIDR] },
  build: (createdAt) => ({
    status: {
      conditions: [
        {
          type: 'Ready',
          status: 'True',
          reason: '',
          message: 'Kubernetes default Service CIDR is ready',
          lastTransitionTime: createdAt,
        },
      ],
    },
  }),
};

/** The claim of the `kubernetes` service's address. */
const kubernetesAddress: Template = {
  kind: 'IPAddress',
  apiVersion: 'networking.k8s.io/v1',
  metadata: { name: VPC_API_ADDRESS, labels: ipAddressLabels('IPv4') },
  spec: { parentRef: { resource: 'services', namespace: 'default', name: 'kubernetes' } },
};

function kubernetesService(targetPort: number): Template {
  return {
    kind: 'Service',
    apiVersion: 'v1',
    metadata: {
      name: 'kubernetes',
      namespace: 'default',
      labels: { component: 'apiserver', provider: 'kubernetes' },
    },
    spec: {
      ports: [{ name: 'https', protocol: 'TCP', port: 443, targetPort }],
      clusterIP: VPC_API_ADDRESS,
      clusterIPs: [VPC_API_ADDRESS],
      type: 'ClusterIP',
      sessionAffinity: 'None',
      ipFamilies: ['IPv4'],
      ipFamilyPolicy: 'SingleStack',
      internalTrafficPolicy: 'Cluster',
    },
    status: { loadBalancer: {} },
  };
}

interface ServerEndpoints {
  addresses: string[];
  port: number;
}

/**
 * The same on every control plane, whichever of them is "we": one list of addresses goes with one port, so where ports
 * differ (on one machine) the first's counts.
 */
function endpointsOf({ peers = [], ...own }: SharedLayerOptions['advertise']): ServerEndpoints {
  const all = [own, ...peers].sort((a, b) =>
    a.address === b.address ? a.port - b.port : a.address < b.address ? -1 : 1,
  );
  const { port } = all[0]!;
  return { addresses: all.filter((each) => each.port === port).map(({ address }) => address), port };
}

function kubernetesEndpoints({ addresses, port }: ServerEndpoints): Template {
  return {
    kind: 'Endpoints',
    apiVersion: 'v1',
    metadata: {
      name: 'kubernetes',
      namespace: 'default',
      labels: { 'endpointslice.kubernetes.io/skip-mirror': 'true' },
    },
    subsets: [
      {
        addresses: addresses.map((ip) => ({ ip })),
        ports: [{ name: 'https', port, protocol: 'TCP' }],
      },
    ],
  };
}

function kubernetesEndpointSlice({ addresses, port }: ServerEndpoints): Template {
  return {
    kind: 'EndpointSlice',
    apiVersion: 'discovery.k8s.io/v1',
    metadata: { name: 'kubernetes', namespace: 'default', labels: { [SERVICE_NAME_LABEL]: 'kubernetes' } },
    addressType: 'IPv4',
    endpoints: addresses.map((address) => ({ addresses: [address], conditions: { ready: true } })),
    ports: [{ name: 'https', port, protocol: 'TCP' }],
  };
}
