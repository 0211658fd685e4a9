import type { Steps } from '../../base/steps.ts';
import type { Changes, Endpoint } from './changes.ts';
import { type FieldSet, intersectionSteps, isEmptySet } from './field-set.ts';
import { fieldsOf, type Managed, withFields } from './managed.ts';
import { reconcileFieldSet } from './reconcile.ts';

/** Changed fields that others own, by the owners' identifiers. */
export type Conflicts = Map<string, FieldSet>;

/** Sets that were written under an earlier schema take the present one's form; those of lost versions stay for now. */
export function* reconcileManaged(managed: Managed, { versions }: Endpoint): Steps<void> {
  for (const [identifier, entry] of managed) {
    const type = versions.typeOf(entry.apiVersion ?? '');
    if (type === undefined) continue;
    const fields = fieldsOf(entry);
    const reconciled = yield* reconcileFieldSet(fields, type);
    if (reconciled !== fields) managed.set(identifier, withFields(entry, reconciled));
  }
}

/** What of the change belongs to others than `self`. */
export function* conflictsOf(managed: Managed, changes: Changes, self: string): Steps<Conflicts> {
  const conflicts: Conflicts = new Map();
  for (const [identifier, entry] of managed) {
    const change = identifier === self ? undefined : changes.at(entry.apiVersion ?? '');
    if (change === undefined) continue;
    const set = yield* intersectionSteps(fieldsOf(entry), change.conflicting);
    if (!isEmptySet(set)) conflicts.set(identifier, set);
    yield;
  }
  return conflicts;
}

/** Everyone but `self` loses what changed; who has nothing left goes. */
export function* takeFromOthers(managed: Managed, changes: Changes, self: string | undefined): Steps<void> {
  for (const [identifier, entry] of managed) {
    const fields = fieldsOf(entry);
    let left = fields;
    if (identifier !== self) {
      const change = changes.at(entry.apiVersion ?? '');
      if (change === undefined) {
        managed.delete(identifier);
        continue;
      }
      left = yield* change.leave(fields);
      yield;
    }
    if (isEmptySet(left)) managed.delete(identifier);
    else if (left !== fields) managed.set(identifier, withFields(entry, left));
  }
}
