import type { KubeObject } from '../../api/object.ts';
import type { Change } from './change.ts';
import type { CacheScope, CacheWatchRequest } from './watch-cache.ts';

export interface Watcher {
  readonly request: CacheWatchRequest;
  /** The last change it was told, or need not be told. */
  sequence: number;
  closed: boolean;
}

export type FieldValues = Record<string, (object: KubeObject) => string>;

/**
 * Watchers by what they can be interested in, so that a change costs a few look-ups and its own audience, however many
 * watch. Each stands in one bucket: that of its scope (all, a tenant, a namespace), narrowed by the value of one indexed
 * field if its selector names one.
 */
export class WatcherIndex {
  readonly #fields: [name: string, fieldValue: (object: KubeObject) => string][];
  readonly #buckets = new Map<string, Set<Watcher>>();
  /** How many watchers stand in buckets of each field: none, and changes need not be looked into. */
  readonly #fieldWatchers = new Map<string, number>();
  /** How many have each kind of scope: where there are none, no name of a bucket need be made. */
  readonly #scopeWatchers: number[] = [0, 0, 0, 0];
  readonly all = new Set<Watcher>();

  constructor(fields: FieldValues) {
    this.#fields = Object.entries(fields);
  }

  add(watcher: Watcher): void {
    this.all.add(watcher);
    const { bucket, field } = this.#place(watcher.request);
    const set = this.#buckets.get(bucket);
    if (set === undefined) this.#buckets.set(bucket, new Set([watcher]));
    else set.add(watcher);
    if (field !== undefined) this.#fieldWatchers.set(field, (this.#fieldWatchers.get(field) ?? 0) + 1);
    this.#scopeWatchers[scopeKind(watcher.request)]!++;
  }

  remove(watcher: Watcher): void {
    if (!this.all.delete(watcher)) return;
    const { bucket, field } = this.#place(watcher.request);
    const set = this.#buckets.get(bucket)!;
    set.delete(watcher);
    if (set.size === 0) this.#buckets.delete(bucket);
    if (field !== undefined) this.#fieldWatchers.set(field, this.#fieldWatchers.get(field)! - 1);
    this.#scopeWatchers[scopeKind(watcher.request)]!--;
  }

  /** Sets of watchers that may see the change; no watcher is in two of them. Asked for every change of every object. */
  audience(change: Change): Set<Watcher>[] {
    const audience: Set<Watcher>[] = [];
    const { tenant, namespace } = (change.entry ?? change.previous)!;
    for (let kind = 0; kind < scopeKinds; kind++) {
      if (this.#scopeWatchers[kind] === 0) continue;
      const scope = bucketOf((kind & 1) === 0 ? undefined : tenant, (kind & 2) === 0 ? undefined : namespace);
      this.#collect(scope, audience);
      for (let index = 0; index < this.#fields.length; index++) {
        const [field, fieldValue] = this.#fields[index]!;
        if (!this.#fieldWatchers.get(field)) continue;
        const now = change.entry && fieldValue(change.entry.object);
        const before = change.previous && fieldValue(change.previous.object);
        if (now !== undefined) this.#collect(narrowed(scope, field, now), audience);
        if (before !== undefined && before !== now) this.#collect(narrowed(scope, field, before), audience);
      }
    }
    return audience;
  }

  #collect(bucket: string, audience: Set<Watcher>[]): void {
    const set = this.#buckets.get(bucket);
    if (set !== undefined) audience.push(set);
  }

  #place(request: CacheWatchRequest): { bucket: string; field?: string } {
    const scope = bucketOf(request.tenant, request.namespace);
    for (const [field] of this.#fields) {
      const value = request.filter?.exactFields?.[field];
      if (value !== undefined) return { bucket: narrowed(scope, field, value), field };
    }
    return { bucket: scope };
  }
}

/** All objects, a tenant's, those of namespaces of one name, of one namespace of a tenant. */
const scopeKinds = 4;
const scopeKind = ({ tenant, namespace }: CacheScope): number =>
  (tenant === undefined ? 0 : 1) + (namespace === undefined ? 0 : 2);

function bucketOf(tenant: string | undefined, namespace: string | undefined): string {
  if (tenant === undefined) return namespace === undefined ? '*' : `*/${namespace}`;
  return namespace === undefined ? tenant : `${tenant}/${namespace}`;
}

const narrowed = (scope: string, field: string, value: string) => `${scope}\0${field}\0${value}`;
