import type { APIService } from '../../api/generated/apiregistration-v1.ts';
import { followAgain, type ObjectListener } from '../watch-cache/follow.ts';
import type { WatchCache } from '../watch-cache/watch-cache.ts';
import { apiServiceName } from './api-service.ts';

/**
 * What tenants wrote into apiregistration.k8s.io, following the objects. The local APIServices that every tenant has by
 * itself are not here: a tenant that registered nothing costs nothing.
 */
export class ApiServiceCatalog {
  readonly #tenants = new Map<string, Map<string, APIService>>();
  readonly #listeners: ObjectListener<APIService>[] = [];

  onChange(listener: ObjectListener<APIService>): void {
    this.#listeners.push(listener);
  }

  /** Begins to follow; what is there already is known when this returns. The returned function ends it. */
  follow(cache: WatchCache, onEnd: () => void): () => void {
    const listener: ObjectListener = (tenant, name, object) =>
      this.#set(tenant, name, object as APIService | undefined);
    return followAgain(cache, this.#tenants, listener, onEnd);
  }

  get(tenant: string, name: string): APIService | undefined {
    return this.#tenants.get(tenant)?.get(name);
  }

  /** The APIService that sends a group and version to a server of the tenant's; undefined: it is served here. */
  remote(tenant: string, group: string, version: string): APIService | undefined {
    const services = this.#tenants.get(tenant);
    if (services === undefined) return undefined;
    const service = services.get(apiServiceName(group, version));
    return service?.spec?.service == null ? undefined : service;
  }

  all(tenant: string): Iterable<APIService> {
    return this.#tenants.get(tenant)?.values() ?? [];
  }

  *everybodys(): IterableIterator<APIService> {
    for (const services of this.#tenants.values()) yield* services.values();
  }

  count(tenant: string): number {
    return this.#tenants.get(tenant)?.size ?? 0;
  }

  /** Every tenant that registered something, with what it registered. */
  entries(): Iterable<[string, ReadonlyMap<string, APIService>]> {
    return this.#tenants;
  }

  #set(tenant: string, name: string, service: APIService | undefined): void {
    const services = this.#tenants.get(tenant) ?? new Map<string, APIService>();
    if (service === undefined) services.delete(name);
    else services.set(name, service);
    if (services.size === 0) this.#tenants.delete(tenant);
    else this.#tenants.set(tenant, services);
    for (const listener of this.#listeners) listener(tenant, name, service);
  }
}
