import type { ResourceDefinition } from '../api/resource-definition.ts';
import { ALL_TENANTS, SYSTEM_TENANT } from '../api/tenants.ts';
import type { CustomResources } from './custom-resources/catalog.ts';

/**
 * Which resources a tenant's API has. Built-in ones are everyone's; the platform's own are the system tenant's; custom
 * ones are a tenant's own.
 */
export class ResourceRegistry {
  readonly #builtin = new Map<string, ResourceDefinition>();
  readonly #platform = new Map<string, ResourceDefinition>();
  readonly #platformGroups = new Set<string>();
  readonly #builtinNames = new Set<string>();
  readonly #builtinGroups = new Set<string>();
  readonly #custom: CustomResources | undefined;
  #viewsByStored: Map<string, ResourceDefinition[]> | undefined;

  constructor(builtin: ResourceDefinition[], platform: ResourceDefinition[], custom?: CustomResources) {
    this.#custom = custom;
    for (const definition of builtin) {
      this.#builtin.set(keyOf(definition), definition);
      this.#builtinGroups.add(definition.group);
      this.#builtinNames.add(`${definition.group}/${definition.resource}`);
    }
    for (const definition of platform) {
      this.#platform.set(keyOf(definition), definition);
      this.#platformGroups.add(definition.group);
    }
  }

  /** `tenant` may be `*`: components of the platform see every resource. */
  find(tenant: string, group: string, version: string, resource: string): ResourceDefinition | undefined {
    const key = `${group}/${version}/${resource}`;
    const builtin = this.#builtin.get(key);
    if (builtin !== undefined) return builtin;
    const platform = tenant === SYSTEM_TENANT || tenant === ALL_TENANTS ? this.#platform.get(key) : undefined;
    return platform ?? this.#custom?.find(tenant, group, version, resource);
  }

  definitions(tenant: string): ResourceDefinition[] {
    const all = [...this.#builtin.values(), ...this.#customOf(tenant)];
    return tenant === SYSTEM_TENANT || tenant === ALL_TENANTS ? [...all, ...this.#platform.values()] : all;
  }

  /** Everything that shows the same objects as `definition` (what is stored), itself included: other versions, other APIs. */
  equivalents(tenant: string, definition: ResourceDefinition): ResourceDefinition[] {
    if (definition.versioned !== undefined) {
      return this.#custom?.versions(tenant, definition.group, definition.resource) ?? [];
    }
    return [definition, ...(this.#views().get(keyOf(definition)) ?? [])];
  }

  /** An API that is there for every tenant, whatever it defines. */
  hasBuiltinGroup(tenant: string, group: string): boolean {
    return this.#builtinGroups.has(group) || (tenant === SYSTEM_TENANT && this.#platformGroups.has(group));
  }

  isBuiltin(group: string, resource: string): boolean {
    return this.#builtinNames.has(`${group}/${resource}`);
  }

  isPlatformGroup(group: string): boolean {
    return this.#platformGroups.has(group);
  }

  #views(): Map<string, ResourceDefinition[]> {
    if (this.#viewsByStored !== undefined) return this.#viewsByStored;
    this.#viewsByStored = new Map();
    for (const view of this.#builtin.values()) {
      if (view.storedAs === undefined) continue;
      const { group, version, resource } = view.storedAs;
      const key = `${group}/${version}/${resource}`;
      this.#viewsByStored.set(key, [...(this.#viewsByStored.get(key) ?? []), view]);
    }
    return this.#viewsByStored;
  }

  /** What a built-in resource has the name of is never served. */
  #customOf(tenant: string): ResourceDefinition[] {
    const definitions = this.#custom?.definitions(tenant) ?? [];
    return definitions.filter((definition) => !this.#builtin.has(keyOf(definition)));
  }
}

const keyOf = (definition: ResourceDefinition) => `${definition.group}/${definition.version}/${definition.resource}`;
