import type { CustomResourceDefinition } from '../../api/generated/apiextensions-v1.ts';
import type { ResourceDefinition } from '../../api/resource-definition.ts';
import { ALL_TENANTS } from '../../api/tenants.ts';
import { followAgain } from '../watch-cache/follow.ts';
import type { WatchCache } from '../watch-cache/watch-cache.ts';
import type { WebhookClient } from '../webhooks/webhook-client.ts';
import { isConditionTrue } from './conditions.ts';
import { type Converter, webhookConverter } from './conversion/webhook-converter.ts';
import { resourceOf } from './definition.ts';
import { endWatches } from './versioned-watch.ts';

export const CUSTOM_RESOURCE_DEFINITIONS = {
  group: 'apiextensions.k8s.io',
  version: 'v1',
  resource: 'customresourcedefinitions',
};

/** Where the registry finds what tenants define. */
export interface CustomResources {
  /** With tenant `*`: a resource that any tenant has, for reading only. */
  find(tenant: string, group: string, version: string, resource: string): ResourceDefinition | undefined;
  definitions(tenant: string): ResourceDefinition[];
  /** The served versions of one. */
  versions(tenant: string, group: string, resource: string): ResourceDefinition[];
}

export type CatalogListener = (tenant: string, name: string) => void;

/** One CustomResourceDefinition of one tenant; its resources are made when first asked for. */
class Defined {
  readonly crd: CustomResourceDefinition;
  /** Says whether another state of it makes the same resources. */
  readonly identity: string;
  readonly #versions = new Map<string, ResourceDefinition>();

  readonly #converter: Converter | undefined;

  constructor(crd: CustomResourceDefinition, tenant: string, client: WebhookClient | undefined) {
    this.crd = crd;
    const isRemote = crd.spec.conversion?.strategy === 'Webhook';
    this.#converter = isRemote ? webhookConverter(crd, tenant, client) : undefined;
    this.identity = JSON.stringify([
      crd.metadata.uid,
      crd.metadata.generation,
      crd.metadata.deletionTimestamp !== undefined,
      crd.status?.acceptedNames,
    ]);
  }

  get isServed(): boolean {
    return isConditionTrue(this.crd, 'Established') || isConditionTrue(this.crd, 'NamesAccepted');
  }

  resource(version: string): ResourceDefinition {
    let resource = this.#versions.get(version);
    if (resource === undefined)
      this.#versions.set(version, (resource = resourceOf(this.crd, version, this.#converter)));
    return resource;
  }

  /** It is gone, or defined anew: whoever watches in the old form begins again. */
  retire(): void {
    for (const { versioned } of this.#versions.values()) endWatches(versioned!);
  }

  servedVersions(): string[] {
    return this.crd.spec.versions.filter(({ served }) => served).map(({ name }) => name);
  }
}

/**
 * All tenants' custom resources, following the objects that define them. A tenant without any costs nothing, and a
 * definition that nobody uses costs no more than the object.
 */
export class CustomResourceCatalog implements CustomResources {
  readonly #tenants = new Map<string, Map<string, Defined>>();
  /** Tenants by `resource.group`: who is asked when all are meant. */
  readonly #definedBy = new Map<string, Set<string>>();
  readonly #listeners: CatalogListener[] = [];
  readonly #webhookClient: WebhookClient | undefined;

  /** Without a client, definitions that convert by webhook serve what needs no conversion. */
  constructor(webhookClient?: WebhookClient) {
    this.#webhookClient = webhookClient;
  }

  onChange(listener: CatalogListener): void {
    this.#listeners.push(listener);
  }

  /** Begins to follow; what is there already is known when this returns. The returned function ends it. */
  follow(cache: WatchCache, onEnd: () => void): () => void {
    return followAgain(cache, this.#tenants, (tenant, name, object) => this.#set(tenant, name, object), onEnd);
  }

  crd(tenant: string, name: string): CustomResourceDefinition | undefined {
    return this.#tenants.get(tenant)?.get(name)?.crd;
  }

  crdsOfGroup(tenant: string, group: string): CustomResourceDefinition[] {
    return [...(this.#tenants.get(tenant)?.values() ?? [])]
      .map(({ crd }) => crd)
      .filter(({ spec }) => spec.group === group);
  }

  find(tenant: string, group: string, version: string, resource: string): ResourceDefinition | undefined {
    if (tenant === ALL_TENANTS) return this.#findAnywhere(group, version, resource);
    const defined = this.#tenants.get(tenant)?.get(`${resource}.${group}`);
    if (defined === undefined || !defined.isServed) return undefined;
    return defined.servedVersions().includes(version) ? defined.resource(version) : undefined;
  }

  /**
   * What is stored, as it is stored and whether served or not: nothing needs to be converted to go. undefined when there
   * is no such definition.
   */
  storageResource(tenant: string, name: string): ResourceDefinition | undefined {
    const defined = this.#tenants.get(tenant)?.get(name);
    const version = defined?.crd.spec.versions.find(({ storage }) => storage);
    if (version === undefined) return undefined;
    const { versioned: _versioned, ...resource } = defined!.resource(version.name);
    return resource;
  }

  versions(tenant: string, group: string, resource: string): ResourceDefinition[] {
    const defined = this.#tenants.get(tenant)?.get(`${resource}.${group}`);
    return defined?.servedVersions().map((version) => defined.resource(version)) ?? [];
  }

  definitions(tenant: string): ResourceDefinition[] {
    const list: ResourceDefinition[] = [];
    for (const defined of this.#tenants.get(tenant)?.values() ?? []) {
      if (!isConditionTrue(defined.crd, 'Established')) continue;
      for (const version of defined.servedVersions()) list.push(defined.resource(version));
    }
    return list;
  }

  isDefinedAnywhere(name: string): boolean {
    return this.#definedBy.has(name);
  }

  #findAnywhere(group: string, version: string, resource: string): ResourceDefinition | undefined {
    const name = `${resource}.${group}`;
    for (const tenant of this.#definedBy.get(name) ?? []) {
      const defined = this.#tenants.get(tenant)!.get(name)!;
      if (!defined.crd.spec.versions.some((candidate) => candidate.name === version)) continue;
      // As stored: each tenant may mean another thing by the same name.
      const { versioned: _versioned, ...common } = defined.resource(version);
      return { ...common, selectableFields: {}, subresources: [] };
    }
    return undefined;
  }

  #set(tenant: string, name: string, object: object | undefined): void {
    const definitions = this.#tenants.get(tenant) ?? new Map<string, Defined>();
    if (object === undefined) {
      definitions.get(name)?.retire();
      definitions.delete(name);
      const tenants = this.#definedBy.get(name);
      tenants?.delete(tenant);
      if (tenants?.size === 0) this.#definedBy.delete(name);
    } else {
      const known = definitions.get(name);
      const defined = new Defined(object as CustomResourceDefinition, tenant, this.#webhookClient);
      const isSame = known?.identity === defined.identity;
      definitions.set(name, isSame ? withState(known!, defined) : defined);
      if (!isSame) known?.retire();
      const tenants = this.#definedBy.get(name) ?? new Set<string>();
      this.#definedBy.set(name, tenants.add(tenant));
    }
    if (definitions.size === 0) this.#tenants.delete(tenant);
    else this.#tenants.set(tenant, definitions);
    for (const listener of this.#listeners) listener(tenant, name);
  }
}

/** The new state with the resources already made: documents and caches hang on them. */
function withState(known: Defined, now: Defined): Defined {
  (known as { crd: CustomResourceDefinition }).crd = now.crd;
  return known;
}
