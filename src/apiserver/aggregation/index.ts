import type { APIService } from '../../api/generated/apiregistration-v1.ts';
import type { ResourceDefinition } from '../../api/resource-definition.ts';
import type { Answer } from '../answer.ts';
import type { ServiceDialer } from '../connect/service-dialer.ts';
import type { CustomResourceCatalog } from '../custom-resources/index.ts';
import type { Environment } from '../environment.ts';
import type { RequestContext } from '../request-context.ts';
import type { SharedLayerOptions } from '../tenants/shared-layer.ts';
import { keepFollowing } from '../watch-cache/follow.ts';
import type { WatchCache } from '../watch-cache/watch-cache.ts';
import { API_SERVICES, apiServiceName, prioritiesOf } from './api-service.ts';
import { AvailabilityController } from './availability.ts';
import { ApiServiceCatalog } from './catalog.ts';
import { DiscoveredResources, discoveredResources, type RemoteVersion } from './discovered.ts';
import { createFetch } from './fetch.ts';
import { authenticationConfig, type FrontProxy } from './front-proxy.ts';
import { createRemoteHandler, passToServer, type RemoteHandler } from './handler.ts';
import { AggregationMetrics } from './metrics.ts';
import { CustomGroupRegistration, localTemplates } from './registration.ts';
import { RemoteOpenApis } from './remote-open-api.ts';

export interface AggregationOptions {
  /** Served by this server whatever tenants register. */
  own: ResourceDefinition[];
  dialService: ServiceDialer;
  frontProxy: FrontProxy;
  clock: Environment['clock'];
}

/**
 * API servers of tenants behind our own: apiregistration.k8s.io. Source: kube-aggregator. A request for a group and
 * version that a tenant registered goes into the tenant's VPC, and nowhere else.
 */
export class Aggregation {
  readonly serve: RemoteHandler;
  /** Hands a request on whatever its path: for what is the server's but lies elsewhere. */
  readonly pass: (context: RequestContext, service: APIService) => Promise<Answer>;
  readonly openApi: RemoteOpenApis;
  readonly #catalog = new ApiServiceCatalog();
  readonly metrics = new AggregationMetrics(this.#catalog);
  readonly #own: ReadonlySet<string>;
  readonly #fetch: ReturnType<typeof createFetch>;
  readonly #discovered = new DiscoveredResources();

  constructor({ own, dialService, frontProxy, clock }: AggregationOptions) {
    this.#own = new Set(own.map(({ group, version }) => apiServiceName(group, version)));
    this.#fetch = createFetch(dialService, frontProxy);
    this.openApi = new RemoteOpenApis(this.#fetch, clock);
    const isOwn = (group: string, version: string) => this.#own.has(apiServiceName(group, version));
    this.pass = (context, service) => passToServer(context, service, dialService, frontProxy);
    this.serve = createRemoteHandler({ catalog: this.#catalog, pass: this.pass, isOwn });
  }

  /** What the tenant wrote of its own, for the order of groups. */
  registered(tenant: string): Iterable<APIService> {
    return this.#catalog.all(tenant);
  }

  /** The APIServices of a tenant that lead to its own servers. */
  remotes(tenant: string): APIService[] {
    return [...this.#catalog.all(tenant)].filter(
      ({ spec, metadata }) => spec?.service != null && !this.#own.has(metadata.name),
    );
  }

  remoteVersions(tenant: string): RemoteVersion[] {
    return this.remotes(tenant).map(({ spec, metadata }) => {
      const known = this.#discovered.get(tenant, metadata.name);
      const { group = '', version = '' } = spec;
      return { group, version, resources: known?.resources ?? noResources, isStale: known?.isStale ?? true };
    });
  }

  /**
   * Follows what is registered. To be called before custom resources are followed; the returned `begin` after it, when
   * it is known which groups there are. `stop` ends both.
   */
  async start(environment: Environment, customResources: CustomResourceCatalog) {
    const { registry, objects, clock, logger } = environment;
    const { group, version, resource } = API_SERVICES;
    const definition = registry.find('', group, version, resource);
    if (definition === undefined) return { begin() {}, stop() {} };
    const catalog = this.#catalog;
    const availability = new AvailabilityController({
      environment,
      catalog,
      definition,
      fetch: this.#fetch,
      metrics: this.metrics,
      onDiscovered: (tenant, name, list) => this.#onDiscovered(tenant, name, list),
    });
    const isOwn = (ofGroup: string, ofVersion: string) => this.#own.has(apiServiceName(ofGroup, ofVersion));
    const registration = new CustomGroupRegistration({ environment, catalog, customResources, definition, isOwn });
    const follow = (cache: WatchCache, onEnd: () => void) => catalog.follow(cache, onEnd);
    const stopFollowing = await keepFollowing({ resource: API_SERVICES, objects, clock, logger, follow });
    return {
      begin: () => registration.begin(),
      stop: () => {
        availability.close();
        registration.close();
        stopFollowing();
      },
    };
  }

  #onDiscovered(tenant: string, name: string, list: unknown): void {
    const service = this.#catalog.get(tenant, name);
    if (service?.spec?.service == null) {
      this.#discovered.delete(tenant, name);
      return;
    }
    const { group = '', version = '' } = service.spec;
    if (list === undefined) this.#discovered.markStale(tenant, name);
    else this.#discovered.set(tenant, name, discoveredResources(group, version, list));
  }
}

const noResources: object[] = [];

/** What every tenant has of this from the start. */
export function aggregationTemplates(
  frontProxy: FrontProxy,
  builtin: ResourceDefinition[],
  platform: ResourceDefinition[],
): Pick<SharedLayerOptions, 'everyTenantTemplates' | 'systemTemplates'> {
  const apiServices = 'apiservices.apiregistration.k8s.io';
  return {
    everyTenantTemplates: {
      [apiServices]: localTemplates(builtin, prioritiesOf),
      configmaps: [
        {
          kind: 'ConfigMap',
          apiVersion: 'v1',
          metadata: { name: 'extension-apiserver-authentication', namespace: 'kube-system' },
          build: (_created, tenant) => ({ data: authenticationConfig(frontProxy, tenant) }),
        },
      ],
    },
    systemTemplates: { [apiServices]: localTemplates(platform, prioritiesOf) },
  };
}
