import type { GroupResource } from '../../../api/object.ts';
import type { Logger } from '../../../base/log.ts';
import type { CacheEvent, CacheWatch, WatchCache } from '../../watch-cache/watch-cache.ts';
import { type CompiledWebhook, compileWebhooks } from './compiled-webhook.ts';

const none: readonly CompiledWebhook[] = [];

/** A tenant's configurations of one kind, by name; their webhooks in upstream's order: by name, then as written. */
class TenantWebhooks {
  readonly #configurations = new Map<string, CompiledWebhook[]>();
  #all: CompiledWebhook[] | undefined;

  get all(): readonly CompiledWebhook[] {
    this.#all ??= [...this.#configurations.keys()].sort().flatMap((name) => this.#configurations.get(name)!);
    return this.#all;
  }

  get isEmpty(): boolean {
    return this.#configurations.size === 0;
  }

  set(name: string, webhooks: CompiledWebhook[] | undefined): void {
    if (webhooks === undefined) this.#configurations.delete(name);
    else this.#configurations.set(name, webhooks);
    this.#all = undefined;
  }
}

/**
 * The webhooks of all tenants, compiled when their configuration is written. It follows the watch cache, which hears of a
 * write before its writer does: a configuration counts from the next request on. A tenant without any costs nothing.
 */
export class WebhookConfigurations {
  readonly #resource: GroupResource;
  readonly #cacheOf: () => WatchCache | Promise<WatchCache>;
  readonly #logger: Logger;
  readonly #tenants = new Map<string, TenantWebhooks>();
  #watch: CacheWatch | undefined;
  #loading: Promise<void> | undefined;

  constructor(resource: GroupResource, cacheOf: () => WatchCache | Promise<WatchCache>, logger: Logger) {
    this.#resource = resource;
    this.#cacheOf = cacheOf;
    this.#logger = logger;
  }

  /** undefined until `load` is through: at the first request, and after the store was lost. */
  ofTenant(tenant: string): readonly CompiledWebhook[] | undefined {
    if (this.#watch === undefined) return undefined;
    return this.#tenants.get(tenant)?.all ?? none;
  }

  load(): Promise<void> {
    this.#loading ??= this.#follow().finally(() => (this.#loading = undefined));
    return this.#loading;
  }

  close(): void {
    this.#watch?.close();
    this.#watch = undefined;
  }

  async #follow(): Promise<void> {
    const cache = await this.#cacheOf();
    this.#tenants.clear();
    this.#watch = cache.watch({
      tenant: undefined,
      afterRevision: undefined,
      onEvents: (events) => {
        for (const event of events) this.#hear(event);
      },
      onEnd: () => (this.#watch = undefined),
    });
  }

  #hear({ type, entry }: CacheEvent): void {
    if (type === 'BOOKMARK') return;
    const { tenant, name } = entry;
    const webhooks = this.#tenants.get(tenant) ?? new TenantWebhooks();
    webhooks.set(name, type === 'DELETED' ? undefined : this.#compile(tenant, entry.object));
    if (webhooks.isEmpty) this.#tenants.delete(tenant);
    else this.#tenants.set(tenant, webhooks);
  }

  #compile(tenant: string, configuration: CacheEvent['entry']['object']): CompiledWebhook[] {
    try {
      return compileWebhooks(tenant, configuration);
    } catch (error) {
      // Validation lets none of these in; one tenant's must not end the watch that serves all.
      const { resource } = this.#resource;
      this.#logger.warn({ tenant, resource, name: configuration.metadata.name, error }, 'webhooks cannot be compiled');
      return [];
    }
  }
}
