import type { ResourceDefinition } from '../api/resource-definition.ts';
import { SYSTEM_TENANT } from './filters/tenant-resolution.ts';

/**
 * Which resources a tenant's API has. Built-in ones are everyone's; the platform's own are the system tenant's; custom
 * ones will be a tenant's own, behind the same interface.
 */
export class ResourceRegistry {
  readonly #builtin = new Map<string, ResourceDefinition>();
  readonly #platform = new Map<string, ResourceDefinition>();
  readonly #platformGroups = new Set<string>();

  constructor(builtin: ResourceDefinition[], platform: ResourceDefinition[]) {
    for (const definition of builtin) this.#builtin.set(keyOf(definition), definition);
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
    return tenant === SYSTEM_TENANT || tenant === '*' ? this.#platform.get(key) : undefined;
  }

  definitions(tenant: string): ResourceDefinition[] {
    const all = [...this.#builtin.values()];
    return tenant === SYSTEM_TENANT || tenant === '*' ? [...all, ...this.#platform.values()] : all;
  }

  isPlatformGroup(group: string): boolean {
    return this.#platformGroups.has(group);
  }
}

const keyOf = (definition: ResourceDefinition) => `${definition.group}/${definition.version}/${definition.resource}`;
