import { runAtOnce, type Steps } from '../../base/steps.ts';
import type { KubeObject } from '../object.ts';
import { Changes, type Endpoint } from './changes.ts';
import { isEmptySet } from './field-set.ts';
import {
  capUpdaters,
  encodeManaged,
  entryOf,
  fieldsOf,
  identifierOfManager,
  type Managed,
  type ManagedFieldsEntry,
  type Manager,
  managedOfUpdate,
} from './managed.ts';
import { reconcileManaged, takeFromOthers } from './take-from-others.ts';

export interface TrackedUpdate {
  endpoint: Endpoint;
  /** The manager's name, the client's own words. */
  manager: string;
  /** Undefined for a creation: what an empty object of the type looks like is then `empty`. */
  live: KubeObject | undefined;
  empty: KubeObject;
  /** The state to be written; its managedFields as the client sent them. */
  object: KubeObject;
  /** RFC 3339, seconds. */
  now: string;
}

/**
 * The managedFields of an object that someone creates, updates or patches: who changes a field owns it from then on.
 * An object whose fields nobody owns stays so until somebody applies. Source: apimachinery's FieldManager.Update.
 */
export function* trackUpdateSteps(update: TrackedUpdate): Steps<ManagedFieldsEntry[] | undefined> {
  const { endpoint, live, object } = update;
  const liveEntries = live?.metadata.managedFields as ManagedFieldsEntry[] | undefined;
  const managed = yield* managedOfUpdate(liveEntries, object.metadata.managedFields, endpoint.subresource);
  yield;
  if (managed.size === 0 && live !== undefined) return undefined;
  const manager: Manager = {
    name: update.manager,
    operation: 'Update',
    apiVersion: endpoint.apiVersion,
    subresource: endpoint.subresource,
  };
  yield* trackChange(managed, endpoint, manager, live ?? update.empty, object, update.now);
  yield;
  capUpdaters(managed);
  return encodeManaged(managed, liveEntries);
}

export const trackUpdate = (update: TrackedUpdate): ManagedFieldsEntry[] | undefined =>
  runAtOnce(trackUpdateSteps(update));

/** Gives the manager what changed from one state to another, and takes it from all others. */
export function* trackChange(
  managed: Managed,
  endpoint: Endpoint,
  manager: Manager,
  before: KubeObject,
  after: KubeObject,
  now: string,
): Steps<void> {
  yield* reconcileManaged(managed, endpoint);
  yield;
  const changes = yield* Changes.between(endpoint, before, after);
  const { own } = changes;
  yield;
  if (own.isSame && managed.size === 0) return;
  const identifier = identifierOfManager(manager);
  const previous = managed.get(identifier);
  yield* takeFromOthers(managed, changes, undefined);
  yield;
  if (isEmptySet(own.own)) return;
  const extended = previous === undefined ? own.own : yield* own.extend(fieldsOf(previous));
  managed.set(identifier, entryOf(manager, extended, now));
}
