import type { GroupResource, KubeObject } from '../../api/object.ts';
import { runAtOnce, type Steps } from '../../base/steps.ts';
import { followObjects } from './follow.ts';
import type { WatchCache } from './watch-cache.ts';

const none: readonly never[] = [];

interface Made<T> {
  object: KubeObject;
  making?: Steps<readonly T[]>;
  made?: readonly T[];
}

/**
 * What is made of all tenants' objects of one kind, each when it is first asked for. It follows the watch cache, which
 * hears of a write before its writer does: an object counts from the next request on. A tenant without any costs nothing.
 */
export class Followed<T> {
  readonly #resource: GroupResource;
  readonly #cacheOf: (resource: GroupResource) => WatchCache | Promise<WatchCache>;
  readonly #make: (object: KubeObject, tenant: string) => Steps<readonly T[]>;
  readonly #tenants = new Map<string, Map<string, Made<T>>>();
  readonly #sorted = new Map<string, readonly T[]>();
  #isLoaded = false;
  #loading: Promise<void> | undefined;

  /** `make` gives what one object stands for; it must not throw. */
  constructor(
    resource: GroupResource,
    cacheOf: (resource: GroupResource) => WatchCache | Promise<WatchCache>,
    make: (object: KubeObject, tenant: string) => Steps<readonly T[]>,
  ) {
    this.#resource = resource;
    this.#cacheOf = cacheOf;
    this.#make = make;
  }

  /** False until `load` is through: at the first request, and after the store was lost. */
  get isLoaded(): boolean {
    return this.#isLoaded;
  }

  /** Only once loaded. */
  hasAny(tenant: string): boolean {
    return this.#tenants.has(tenant);
  }

  /** By the objects' names. Only once loaded. */
  ofTenant(tenant: string): readonly T[] {
    return runAtOnce(this.steps(tenant));
  }

  /** The same where to make them takes long. */
  *steps(tenant: string): Steps<readonly T[]> {
    const known = this.#sorted.get(tenant);
    if (known !== undefined) return known;
    const kept = this.#tenants.get(tenant);
    if (kept === undefined) return none;
    // Objects come and go meanwhile: those that were there count, and are not taken for all there are.
    const entries = [...kept].sort(([a], [b]) => (a < b ? -1 : 1));
    const sorted: T[] = [];
    for (const [, one] of entries) {
      // All who wait for it go on with the same.
      one.making ??= this.#make(one.object, tenant);
      while (one.made === undefined) {
        const { done, value } = one.making.next();
        if (done === true) one.made = value ?? none;
        else yield;
      }
      for (const made of one.made) sorted.push(made);
      if (one.made.length > 0) yield;
    }
    const isSame = kept.size === entries.length && entries.every(([name, one]) => kept.get(name) === one);
    if (isSame && this.#tenants.get(tenant) === kept) this.#sorted.set(tenant, sorted);
    return sorted;
  }

  load(): Promise<void> {
    this.#loading ??= this.#follow().finally(() => (this.#loading = undefined));
    return this.#loading;
  }

  async #follow(): Promise<void> {
    const cache = await this.#cacheOf(this.#resource);
    this.#tenants.clear();
    this.#sorted.clear();
    let hasEnded = false;
    const onEnd = () => {
      hasEnded = true;
      this.#isLoaded = false;
    };
    followObjects(cache, (tenant, name, object) => this.#set(tenant, name, object), onEnd);
    this.#isLoaded = !hasEnded;
  }

  #set(tenant: string, name: string, object: KubeObject | undefined): void {
    this.#sorted.delete(tenant);
    const kept = this.#tenants.get(tenant) ?? new Map();
    if (object === undefined) kept.delete(name);
    else kept.set(name, { object });
    if (kept.size === 0) this.#tenants.delete(tenant);
    else this.#tenants.set(tenant, kept);
  }
}
