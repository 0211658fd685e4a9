import type { KubeObject } from '../../api/object.ts';
import { ALL_TENANTS } from '../../client/client.ts';
import type { Informer, InformerFactory, InformerHandlers } from '../../client/informer.ts';
import { resourceOfDefinition } from './custom-resources.ts';
import type { ResourceInfo } from './resources.ts';

interface Followed {
  /** What the informer asks for; tenants may serve other versions of it. */
  resource: ResourceInfo;
  informer: Informer<KubeObject>;
  handlers: InformerHandlers<KubeObject>;
  /** Keys of the definitions that need it. */
  definitions: Set<string>;
}

/**
 * One informer for each custom resource that any tenant has, as long as one has it. What a kind means, and in which
 * versions it is served, is each tenant's own.
 */
export class FollowedCustomResources {
  readonly #informers: InformerFactory;
  readonly #definitions: Informer<KubeObject>;
  /** By `group/resource`. */
  readonly #followed = new Map<string, Followed>();

  constructor(informers: InformerFactory, definitions: Informer<KubeObject>) {
    this.#informers = informers;
    this.#definitions = definitions;
  }

  /** For the definitions' informer; `handlers` of each resource that is followed from then on. */
  handlers(handlersOf: (resource: ResourceInfo) => InformerHandlers<KubeObject>): InformerHandlers<KubeObject> {
    const set = (definition: KubeObject) => this.#set(definition, handlersOf);
    return { added: set, updated: (_, after) => set(after), deleted: (definition) => this.#remove(definition) };
  }

  /** A resource of one tenant and everyone's objects of it. */
  find(tenant: string, group: string, resource: string): { resource: ResourceInfo; informer: Informer } | undefined {
    const definition = this.#definitions.get(`${tenant}//${resource}.${group}`);
    const own = definition === undefined ? undefined : resourceOfDefinition(definition);
    const followed = this.#followed.get(`${group}/${resource}`);
    return own === undefined || followed === undefined ? undefined : { resource: own, informer: followed.informer };
  }

  findKind(tenant: string, group: string, kind: string): { resource: ResourceInfo; informer: Informer } | undefined {
    for (const definition of this.#definitions.byIndex('tenant', tenant)) {
      if (definition['spec'].group !== group || definition['spec'].names.kind !== kind) continue;
      return this.find(tenant, group, definition['spec'].names.plural);
    }
    return undefined;
  }

  #set(definition: KubeObject, handlersOf: (resource: ResourceInfo) => InformerHandlers<KubeObject>): void {
    const resource = resourceOfDefinition(definition);
    if (resource === undefined) return;
    const name = `${resource.group}/${resource.resource}`;
    let followed = this.#followed.get(name);
    if (followed === undefined) {
      const informer = this.#informers.informer<KubeObject>(resource, { tenant: ALL_TENANTS });
      const handlers = handlersOf(resource);
      informer.addHandlers(handlers);
      followed = { resource, informer, handlers, definitions: new Set() };
      this.#followed.set(name, followed);
    }
    followed.definitions.add(keyOf(definition));
  }

  #remove(definition: KubeObject): void {
    const { group, names } = definition['spec'];
    const name = `${group}/${names.plural}`;
    const followed = this.#followed.get(name);
    if (followed === undefined || !followed.definitions.delete(keyOf(definition))) return;
    if (followed.definitions.size > 0) return;
    this.#followed.delete(name);
    this.#informers.forget?.(followed.resource, { tenant: ALL_TENANTS });
    // The end of the watch may have come before the last events.
    for (const object of [...followed.informer.values()]) followed.handlers.deleted?.(object);
  }
}

const keyOf = ({ metadata }: KubeObject): string => `${metadata.clusterName}/${metadata.name}`;
