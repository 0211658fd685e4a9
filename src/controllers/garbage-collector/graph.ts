import type { KubeObject, OwnerReference } from '../../api/object.ts';
import { keyOf, type ObjectKey } from '../../client/informer.ts';
import type { ResourceInfo } from '../common/resources.ts';

export const FOREGROUND = 'foregroundDeletion';
export const ORPHAN = 'orphan';

/** `tenant/namespace/name/group/resource`: begins as an object's key, so tenants take turns in the queue. */
export type NodeKey = string;

export const nodeKeyOf = (resource: ResourceInfo, object: KubeObject): NodeKey =>
  `${keyOf(object)}/${resource.group}/${resource.resource}`;

export function splitNodeKey(key: NodeKey): { objectKey: ObjectKey; group: string; resource: string } {
  const parts = key.split('/');
  return { objectKey: parts.slice(0, 3).join('/'), group: parts[3]!, resource: parts[4]! };
}

export const waitsForDependents = (object: KubeObject): boolean =>
  object.metadata.deletionTimestamp !== undefined && (object.metadata.finalizers ?? []).includes(FOREGROUND);

export const orphansDependents = (object: KubeObject): boolean =>
  object.metadata.deletionTimestamp !== undefined && (object.metadata.finalizers ?? []).includes(ORPHAN);

/**
 * Who depends on whom, by the owner's tenant and uid: whatever another tenant writes, it names nobody here. Objects that
 * neither own nor are owned cost nothing here.
 */
export class DependencyGraph {
  readonly #dependents = new Map<string, Set<NodeKey>>();

  /** Moves a dependent from the owners it had to those it has; either may be undefined. */
  change(key: NodeKey, before: OwnerReference[] | undefined, after: OwnerReference[] | undefined): void {
    if (before === after) return;
    const tenant = key.slice(0, key.indexOf('/'));
    const kept = new Set(after?.map((reference) => `${tenant}/${reference.uid}`));
    for (const { uid } of before ?? []) {
      const owner = `${tenant}/${uid}`;
      if (kept.has(owner)) continue;
      const dependents = this.#dependents.get(owner);
      dependents?.delete(key);
      if (dependents?.size === 0) this.#dependents.delete(owner);
    }
    for (const owner of kept) {
      const dependents = this.#dependents.get(owner);
      if (dependents === undefined) this.#dependents.set(owner, new Set([key]));
      else dependents.add(key);
    }
  }

  dependentsOf({ metadata }: KubeObject): ReadonlySet<NodeKey> {
    return this.#dependents.get(`${metadata.clusterName ?? ''}/${metadata.uid}`) ?? none;
  }

  /** How many owners have dependents. */
  get size(): number {
    return this.#dependents.size;
  }
}

const none: ReadonlySet<NodeKey> = new Set();
