import type { GroupVersionResource, KubeObject } from '../api/object.ts';
import type { Client, ListOptions } from './client.ts';

/** `tenant/namespace/name`, the namespace empty for cluster-scoped objects. */
export type ObjectKey = string;

export function keyOf(object: KubeObject): ObjectKey {
  const { clusterName = '', namespace = '', name } = object.metadata;
  return `${clusterName}/${namespace}/${name}`;
}

export interface InformerHandlers<T extends KubeObject> {
  added?(object: T): void;
  updated?(before: T, after: T): void;
  deleted?(object: T): void;
}

/**
 * A local copy of one resource, kept up to date by list and watch. Objects are shared: never mutate them.
 * Lookups cost O(1) or O(result); nothing is copied.
 */
export interface Informer<T extends KubeObject = KubeObject> {
  get(key: ObjectKey): T | undefined;
  values(): IterableIterator<T>;
  readonly size: number;
  /** Objects whose index function gave `value`. */
  byIndex(index: string, value: string): T[];
  addHandlers(handlers: InformerHandlers<T>): void;
  /** Resolves when the first list is in. */
  synced(): Promise<void>;
  hasSynced(): boolean;
}

export interface InformerOptions<T extends KubeObject> extends ListOptions {
  /** ALL_TENANTS ('*') or one tenant. */
  tenant: string;
  namespace?: string;
  /** Index name -> the values an object is found under. */
  indexes?: Record<string, (object: T) => string[]>;
}

/** One informer a resource and scope, shared by all who ask; started by `start`. */
export interface InformerFactory {
  readonly client: Client;
  /** Same (resource, tenant, namespace, selectors) -> same informer; later `indexes` are added to it. */
  informer<T extends KubeObject = KubeObject>(resource: GroupVersionResource, options: InformerOptions<T>): Informer<T>;
  /** Ends an informer that nobody needs any more (of a resource that is no more); its copy stays as it is. */
  forget?(resource: GroupVersionResource, options: InformerOptions<any>): void;
  start(signal: AbortSignal): void;
  waitForSync(): Promise<void>;
}
