import type { GroupResource } from '../../api/object.ts';
import { qualifiedResource } from '../../api/status.ts';
import { prefixEnd, type Store } from '../../store/store.ts';
import { scopePrefix } from '../watch-cache/keys.ts';
import type { Usage } from '../watch-cache/tenant-usage.ts';
import type { WatchCaches } from '../watch-cache/watch-cache.ts';

export interface UnloadedUsageOptions {
  store: Pick<Store, 'range'>;
  caches: Pick<WatchCaches, 'peek'>;
  /** All that a tenant may have objects of. */
  resources(tenant: string): readonly GroupResource[];
}

/** So many tenants' counts are kept, the oldest forgotten first: they are made anew at the tenant's next write. */
const tenantsKept = 4096;
const pageSize = 500;

/**
 * What tenants have stored of resources that nobody has asked for since the start, and that are therefore not in memory.
 * Looked at when a tenant first wants to store more, its own keys alone. A resource that comes into memory later counts
 * there from then on, and nobody writes to one that is not.
 */
export class UnloadedUsage {
  readonly #options: UnloadedUsageOptions;
  readonly #counted = new Map<string, Map<string, Usage>>();
  readonly #counting = new Map<string, Promise<void>>();

  constructor(options: UnloadedUsageOptions) {
    this.#options = options;
  }

  /** undefined: not counted yet. `identity`: another of every tenant, of those of one name too. */
  of(identity: string): Usage | undefined {
    const counts = this.#counted.get(identity);
    if (counts === undefined) return undefined;
    const total = { objects: 0, bytes: 0 };
    for (const [name, { objects, bytes }] of counts) {
      const [resource = '', ...group] = name.split('.');
      if (this.#options.caches.peek({ group: group.join('.'), resource }) !== undefined) continue;
      total.objects += objects;
      total.bytes += bytes;
    }
    return total;
  }

  /** Whoever comes meanwhile waits for the same. */
  count(identity: string, tenant: string): Promise<void> {
    let counting = this.#counting.get(identity);
    if (counting === undefined) {
      counting = this.#count(identity, tenant).finally(() => this.#counting.delete(identity));
      this.#counting.set(identity, counting);
    }
    return counting;
  }

  async #count(identity: string, tenant: string): Promise<void> {
    const { caches, resources } = this.#options;
    const counts = new Map<string, Usage>();
    for (const resource of resources(tenant)) {
      if (caches.peek(resource) !== undefined) continue;
      const usage = await this.#usageOf(resource, tenant);
      if (usage.objects > 0) counts.set(qualifiedResource(resource), usage);
    }
    this.#counted.set(identity, counts);
    if (this.#counted.size > tenantsKept) this.#counted.delete(this.#counted.keys().next().value!);
  }

  async #usageOf(resource: GroupResource, tenant: string): Promise<Usage> {
    const usage: Usage = { objects: 0, bytes: 0 };
    const prefix = scopePrefix(resource, tenant);
    const end = prefixEnd(prefix);
    for (let start = prefix; ; ) {
      const { items } = await this.#options.store.range({ start, end, limit: pageSize });
      for (const { value } of items) usage.bytes += value.length;
      usage.objects += items.length;
      if (items.length < pageSize) return usage;
      start = `${items.at(-1)!.key}\0`;
      // Others' requests go first.
      await new Promise((resolve) => setImmediate(resolve));
    }
  }
}
