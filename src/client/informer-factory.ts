import type { GroupVersionResource, KubeObject } from '../api/object.ts';
import type { Clock } from '../base/clock.ts';
import type { Logger } from '../base/log.ts';
import { ALL_TENANTS, type Client } from './client.ts';
import type { Informer, InformerFactory, InformerOptions } from './informer.ts';
import { ObjectCache } from './object-cache.ts';
import { Reflector } from './reflector.ts';

export interface InformerFactoryOptions {
  logger: Logger;
  clock: Clock;
}

/** Informers that share one list and one watch per (resource, tenant, namespace, selectors). */
export function createInformerFactory(client: Client, options: InformerFactoryOptions): InformerFactory {
  const informers = new Map<string, { cache: ObjectCache<any>; reflector: Reflector; stop: AbortController }>();
  let stopSignal: AbortSignal | undefined;

  const identify = (resource: GroupVersionResource, asked: InformerOptions<any>): string => {
    const { group, version, resource: plural } = resource;
    const { tenant, namespace, labelSelector, fieldSelector } = asked;
    return JSON.stringify([group, version, plural, tenant, namespace, labelSelector, fieldSelector]);
  };
  const run = ({ reflector, stop }: { reflector: Reflector; stop: AbortController }, signal: AbortSignal) =>
    reflector.run(AbortSignal.any([signal, stop.signal]));

  return {
    client,
    informer<T extends KubeObject>(resource: GroupVersionResource, informerOptions: InformerOptions<T>): Informer<T> {
      const { tenant, namespace, indexes, labelSelector, fieldSelector } = informerOptions;
      const identity = identify(resource, informerOptions);
      let entry = informers.get(identity);
      if (entry === undefined) {
        const logger = options.logger.child({ resource: resource.resource, tenant });
        const cache = new ObjectCache<T>(tenant === ALL_TENANTS ? '' : tenant, logger);
        const reflector = new Reflector({
          client,
          resource,
          tenant,
          ...(namespace !== undefined && { namespace }),
          selectors: {
            ...(labelSelector !== undefined && { labelSelector }),
            ...(fieldSelector !== undefined && { fieldSelector }),
          },
          cache,
          logger,
          clock: options.clock,
        });
        entry = { cache, reflector, stop: new AbortController() };
        informers.set(identity, entry);
        if (stopSignal !== undefined) void run(entry, stopSignal);
      }
      for (const [name, index] of Object.entries(indexes ?? {})) entry.cache.addIndex(name, index);
      return entry.cache as Informer<T>;
    },

    forget(resource, informerOptions): void {
      const identity = identify(resource, informerOptions);
      informers.get(identity)?.stop.abort();
      informers.delete(identity);
    },

    start(signal: AbortSignal): void {
      if (stopSignal !== undefined) throw new Error('the informers run already');
      stopSignal = signal;
      for (const entry of informers.values()) void run(entry, signal);
    },

    async waitForSync(): Promise<void> {
      await Promise.all([...informers.values()].map(({ cache }) => cache.synced()));
    },
  };
}
