import type { KubeObject } from '../object.ts';
import { type Comparison, compareObjects, excludeFields } from './compare.ts';
import { difference, type FieldSet, intersection, isEmptySet, union } from './field-set.ts';
import { fieldsOf, type Managed, withFields } from './managed.ts';
import type { MergeType } from './merge-type.ts';
import { reconcileFieldSet } from './reconcile.ts';
import { trackedTypeOf } from './tracked-type.ts';
import type { Versions } from './versions.ts';

/** An endpoint: where writes come from and what they cannot change. */
export interface Endpoint {
  apiVersion: string;
  type: MergeType;
  versions: Versions;
  /** '' for the resource itself. */
  subresource: string;
  /** What the endpoint resets to the old state; the same object every time, for it is a cache's key. */
  reset: FieldSet;
  /** Kept of all changes where an endpoint lets only some through; undefined: all. */
  only?: (set: FieldSet) => FieldSet;
}

/** Fields of `changed` that others own, by their identifier. */
export type Conflicts = Map<string, FieldSet>;

export function compareAt(endpoint: Endpoint, before: unknown, after: unknown): Comparison {
  const type = trackedTypeOf(endpoint.type, endpoint.reset);
  const comparison = excludeFields(compareObjects(type, before, after), endpoint.reset);
  const { only } = endpoint;
  if (only === undefined) return comparison;
  return { removed: only(comparison.removed), modified: only(comparison.modified), added: only(comparison.added) };
}

/** The change as each manager's version shows it. */
export class Changes {
  readonly #endpoint: Endpoint;
  readonly #before: KubeObject;
  readonly #after: KubeObject;
  readonly #byVersion = new Map<string, Comparison | undefined>();

  constructor(endpoint: Endpoint, before: KubeObject, after: KubeObject, own: Comparison) {
    this.#endpoint = endpoint;
    this.#before = before;
    this.#after = after;
    this.#byVersion.set(endpoint.apiVersion, own);
  }

  /** Undefined where the version is not served any more. */
  at(apiVersion: string): Comparison | undefined {
    if (!this.#byVersion.has(apiVersion)) this.#byVersion.set(apiVersion, this.#convert(apiVersion));
    return this.#byVersion.get(apiVersion);
  }

  #convert(apiVersion: string): Comparison | undefined {
    const { versions, apiVersion: own } = this.#endpoint;
    const type = versions.typeOf(apiVersion);
    if (type === undefined) return undefined;
    const before = versions.convert(this.#before, own, apiVersion);
    const after = versions.convert(this.#after, own, apiVersion);
    return compareAt({ ...this.#endpoint, type }, before, after);
  }
}

/** Sets that were written under an earlier schema take the present one's form; those of lost versions stay for now. */
export function reconcileManaged(managed: Managed, { versions }: Endpoint): void {
  for (const [identifier, entry] of managed) {
    const type = versions.typeOf(entry.apiVersion ?? '');
    if (type !== undefined) managed.set(identifier, withFields(entry, reconcileFieldSet(fieldsOf(entry), type)));
  }
}

/** What of the change belongs to others than `self`. */
export function conflictsOf(managed: Managed, changes: Changes, self: string): Conflicts {
  const conflicts: Conflicts = new Map();
  for (const [identifier, entry] of managed) {
    const comparison = identifier === self ? undefined : changes.at(entry.apiVersion ?? '');
    if (comparison === undefined) continue;
    const set = intersection(fieldsOf(entry), union(comparison.modified, comparison.added));
    if (!isEmptySet(set)) conflicts.set(identifier, set);
  }
  return conflicts;
}

/** Everyone but `self` loses what changed; who has nothing left goes. */
export function takeFromOthers(managed: Managed, changes: Changes, self: string | undefined): void {
  for (const [identifier, entry] of managed) {
    if (identifier !== self) {
      const comparison = changes.at(entry.apiVersion ?? '');
      if (comparison === undefined) {
        managed.delete(identifier);
        continue;
      }
      const taken = union(union(comparison.modified, comparison.added), comparison.removed);
      managed.set(identifier, withFields(entry, difference(fieldsOf(entry), taken)));
    }
    if (isEmptySet(fieldsOf(managed.get(identifier)!))) managed.delete(identifier);
  }
}
