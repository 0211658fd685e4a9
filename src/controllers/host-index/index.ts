import type { Host } from '../../api/pool.ts';
import { HOSTS } from '../../api/resources.ts';
import { SYSTEM_TENANT } from '../../client/client.ts';
import { type Controller, watchOwn } from '../../client/controller.ts';
import type { ControllerDependencies } from '../common/dependencies.ts';
import { smallestUnused } from './smallest-unused.ts';

/**
 * Gives every Host the number its pod addresses derive from (spec.index). Hosts may read no other Host, so they cannot
 * choose one themselves. One worker, and what it gave is remembered until it is seen: no number is given twice.
 */
export function createHostIndexController({
  client,
  informers,
}: Pick<ControllerDependencies, 'client' | 'informers'>): Controller {
  const hosts = informers.informer<Host>(HOSTS, { tenant: SYSTEM_TENANT });
  const given = new Map<string, number>();
  return {
    name: 'host-index-controller',
    workers: 1,
    watches: [watchOwn(hosts, (host) => void given.delete(host.metadata.name))],
    async reconcile(key) {
      const host = hosts.get(key);
      if (host === undefined) return;
      if (host.spec.index !== undefined) {
        given.set(host.metadata.name, host.spec.index);
        return;
      }
      const { name } = host.metadata;
      const taken = new Set(given.values());
      for (const { spec } of hosts.values()) if (spec.index !== undefined) taken.add(spec.index);
      const index = given.get(name) ?? smallestUnused(taken);
      await client.resource<Host>(SYSTEM_TENANT, HOSTS).update({ ...host, spec: { ...host.spec, index } });
      given.set(name, index);
    },
  };
}
