import type { GroupVersionResource, KubeObject } from '../api/object.ts';
import { isExpired, isNotFound } from '../api/status.ts';
import type { WatchEvent } from '../api/transport.ts';
import { pause } from '../base/abort.ts';
import { type Clock, spanClock } from '../base/clock.ts';
import type { Logger } from '../base/log.ts';
import { type Client, collectionPath, type ListOptions } from './client.ts';
import type { ObjectCache } from './object-cache.ts';

export interface ReflectorOptions {
  client: Client;
  resource: GroupVersionResource;
  tenant: string;
  namespace?: string;
  selectors: Pick<ListOptions, 'labelSelector' | 'fieldSelector'>;
  cache: ObjectCache<KubeObject>;
  logger: Logger;
  clock: Clock;
}

// client-go's reflector: 800 ms, doubled up to 30 s, each with up to as much again at random.
const firstBackoffMs = 800;
const longestBackoffMs = 30_000;

/** Keeps an ObjectCache like the server's collection: one list, then watches that resume where the last one ended. */
export class Reflector {
  readonly #options: ReflectorOptions;
  readonly #path: string;
  readonly #spanMs: () => number;
  #backoffMs = firstBackoffMs;
  #resourceVersion: string | undefined;
  #listedMs = 0;

  constructor(options: ReflectorOptions) {
    this.#options = options;
    this.#spanMs = spanClock(options.clock);
    this.#path = collectionPath(options.tenant, options.resource, options.namespace);
  }

  /** Resolves when the signal aborts; failures are logged and tried again. */
  async run(signal: AbortSignal): Promise<void> {
    const { logger } = this.#options;
    while (!signal.aborted) {
      const startedMs = this.#spanMs();
      let sawEvents = false;
      try {
        if (this.#resourceVersion === undefined) await this.#list(signal);
        await this.#watch(signal, () => {
          sawEvents = true;
          this.#backoffMs = firstBackoffMs;
        });
        // A watch that ends at once and empty is a failure in disguise; going on without a pause would spin.
        if (sawEvents || this.#spanMs() - startedMs >= 1000) continue;
      } catch (error) {
        if (signal.aborted) return;
        if (isExpired(error)) {
          this.#resourceVersion = undefined;
          logger.debug({}, 'the watch fell behind; listing again');
          // At once, unless the server forgets quicker than a list takes.
          if (sawEvents || this.#spanMs() - this.#listedMs >= 1000) continue;
        } else if (isNotFound(error)) {
          logger.debug({ error }, 'the resource is not served (yet)');
        } else {
          logger.warn({ error }, 'list and watch failed; trying again');
        }
      }
      await this.#pause(signal);
    }
  }

  async #list(signal: AbortSignal): Promise<void> {
    const { client, selectors, cache } = this.#options;
    const list = await client.transport.request<any>({
      method: 'GET',
      path: this.#path,
      query: { ...selectors },
      signal,
    });
    cache.replace(list.items ?? []);
    this.#listedMs = this.#spanMs();
    this.#resourceVersion = list.metadata.resourceVersion;
  }

  #watch(signal: AbortSignal, onProgress: () => void): Promise<void> {
    const { client, selectors, cache } = this.#options;
    return client.transport.watch({
      path: this.#path,
      query: {
        ...selectors,
        resourceVersion: this.#resourceVersion!,
        allowWatchBookmarks: 'true',
        // As client-go: between 5 and 10 minutes, so that watches of many informers don't end together.
        timeoutSeconds: String(Math.round(300 * (1 + Math.random()))),
      },
      signal,
      onEvents: (events: WatchEvent[]) => {
        onProgress();
        for (const { type, object } of events) {
          if (type === 'DELETED') cache.remove(object);
          else if (type !== 'BOOKMARK') cache.put(object);
          this.#resourceVersion = object.metadata.resourceVersion;
        }
      },
    });
  }

  #pause(signal: AbortSignal): Promise<void> {
    const delayMs = this.#backoffMs * (1 + Math.random());
    this.#backoffMs = Math.min(this.#backoffMs * 2, longestBackoffMs);
    return pause(this.#options.clock, delayMs, signal);
  }
}
