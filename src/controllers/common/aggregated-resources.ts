import type { APIService } from '../../api/generated/apiregistration-v1.ts';
import { ALL_TENANTS, type Client } from '../../client/client.ts';
import type { Informer, InformerFactory } from '../../client/informer.ts';
import type { ResourceInfo } from './resources.ts';

const API_SERVICES = { group: 'apiregistration.k8s.io', version: 'v1', resource: 'apiservices' };

/** What tenants registered; the local APIServices that all of them have are not among it. */
export const apiServicesOf = (informers: InformerFactory): Informer<APIService> =>
  informers.informer<APIService>(API_SERVICES, {
    tenant: ALL_TENANTS,
    indexes: { tenant: (service) => [service.metadata.clusterName ?? ''] },
  });

/** Servers that did not answer, by `group/version`. Source: client-go's ErrGroupDiscoveryFailed. */
export class DiscoveryError extends Error {
  readonly failing: number;

  constructor(groups: ReadonlyMap<string, string>) {
    const parts = [...groups].map(([groupVersion, why]) => `${groupVersion}: ${why}`).sort();
    super(`unable to retrieve the complete list of server APIs: ${parts.join(', ')}`);
    this.failing = groups.size;
  }
}

/**
 * The resources that a tenant's own API servers serve, asked of them now. A server that is known not to be there is left
 * out: unlike upstream, where it would hold every namespace, and here with it the deletion of its whole tenant. One that
 * should be there and does not answer is told of as an error beside what the others serve.
 */
export async function aggregatedResourcesOf(
  services: Informer<APIService>,
  client: Client,
  tenant: string,
): Promise<{ resources: ResourceInfo[]; error?: DiscoveryError }> {
  const remote = services.byIndex('tenant', tenant).filter(({ spec }) => spec?.service != null);
  const failures = new Map<string, string>();
  const lists = await Promise.all(
    remote.filter(isAvailable).map(async ({ spec }) => {
      const { group = '', version = '' } = spec;
      const path = `/clusters/${tenant}/apis/${group}/${version}`;
      try {
        const list = await client.transport.request<{ resources?: ListedResource[] }>({ method: 'GET', path });
        return (list.resources ?? [])
          .filter(({ name }) => !name.includes('/'))
          .map(({ name, kind, namespaced, verbs }) => ({ group, version, resource: name, kind, namespaced, verbs }));
      } catch (error) {
        failures.set(`${group}/${version}`, error instanceof Error ? error.message : String(error));
        return [];
      }
    }),
  );
  return { resources: lists.flat(), ...(failures.size > 0 && { error: new DiscoveryError(failures) }) };
}

interface ListedResource {
  name: string;
  kind: string;
  namespaced: boolean;
  verbs: string[];
}

const isAvailable = ({ status }: APIService): boolean =>
  status?.conditions?.some((one) => one.type === 'Available' && one.status === 'True') ?? false;
