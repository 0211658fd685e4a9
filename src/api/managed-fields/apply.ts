import { runAtOnce, type Steps } from '../../base/steps.ts';
import { deepEqual } from '../equality.ts';
import { apiVersionOf, type GroupVersionKind, type KubeObject, parseApiVersion } from '../object.ts';
import { badRequest, StatusError } from '../status.ts';
import { Changes, type Endpoint } from './changes.ts';
import { conflictError } from './conflicts.ts';
import { difference, differenceSteps, isEmptySet, recursiveDifference } from './field-set.ts';
import { fieldSetSteps } from './field-set-of.ts';
import { fieldsOfLastApplied, lastAppliedOf, withLastApplied } from './last-applied.ts';
import {
  encodeManaged,
  entryOf,
  fieldsOf,
  identifierOfManager,
  type Managed,
  type ManagedFieldsEntry,
  type Manager,
  managedOfStored,
  withFields,
} from './managed.ts';
import { mergeSteps } from './merge.ts';
import { prune } from './prune.ts';
import { type Conflicts, conflictsOf, reconcileManaged, takeFromOthers } from './take-from-others.ts';
import { strippedFields } from './tracked-type.ts';
import { trackChange } from './update.ts';
import { validateConfiguration, validationSteps } from './validate.ts';
import { Unconverted } from './versions.ts';

export interface Application {
  endpoint: Endpoint;
  kind: GroupVersionKind;
  /** The manager's name, as asked for. */
  manager: string;
  force: boolean;
  /** Undefined when the configuration creates the object. */
  live: KubeObject | undefined;
  /** What an object of the type is before anything is set. */
  empty: KubeObject;
  /** As sent: neither decoded nor defaulted. */
  configuration: KubeObject;
  /** RFC 3339, seconds. */
  now: string;
}

/**
 * The live object with a configuration applied to it and its managedFields brought up to date; still to be decoded and
 * defaulted. Shares with its arguments. Throws StatusError: 400 for a wrong kind, 500 (as upstream) for a configuration
 * that does not fit the schema, 409 for fields that others own. Source: apimachinery's FieldManager.Apply.
 */
export function* applySteps(application: Application): Steps<KubeObject> {
  try {
    return yield* applied(application);
  } catch (error) {
    // A stored object need not fit the schema (lists without the keys of their items): upstream says so with a 500.
    const { endpoint, live } = application;
    const isKnown = error instanceof StatusError || error instanceof Unconverted;
    const fault = isKnown || live === undefined ? undefined : validateConfiguration(endpoint.type, live);
    if (fault === undefined) throw error;
    throw new StatusError(500, '', `failed to create typed live object (${describe(live!)}): ${fault}`);
  }
}

export const applyConfiguration = (application: Application): KubeObject => runAtOnce(applySteps(application));

function* applied(application: Application): Steps<KubeObject> {
  const { endpoint, live, empty, configuration } = application;
  checkKind(application);
  const fault = yield* validationSteps(endpoint.type, configuration);
  if (fault !== undefined) {
    throw new StatusError(500, '', `failed to create typed patch object (${describe(configuration)}): ${fault}`);
  }
  yield;
  const liveEntries = live?.metadata.managedFields as ManagedFieldsEntry[] | undefined;
  const managed = managedOfStored(liveEntries);
  if (managed.size === 0 && live !== undefined) {
    const first: Manager = { ...managerOf(application), name: 'before-first-apply', operation: 'Update' };
    yield* trackChange(managed, endpoint, first, empty, live, application.now);
  }
  const before = live ?? empty;
  let result = yield* attempt(application, before, managed, application.force);
  if (result.conflicts !== undefined) {
    const left =
      application.manager === 'kubectl'
        ? yield* withoutLastApplied(endpoint, before, result.conflicts)
        : result.conflicts;
    if (left.size > 0) throw yield* conflictError(left, managed);
    result = yield* attempt(application, before, managed, true);
  }
  let object = result.object!;
  if (application.manager === 'kubectl' && lastAppliedOf(object) !== '')
    object = yield* withLastApplied(object, configuration);
  const managedFields = encodeManaged(result.managed, liveEntries);
  const { managedFields: _before, ...metadata } = object.metadata ?? {};
  return { ...object, metadata: managedFields === undefined ? metadata : { ...metadata, managedFields } };
}

interface Attempt {
  managed: Managed;
  object?: KubeObject;
  conflicts?: Conflicts;
}

/** `known` stays as it is. */
function* attempt(application: Application, before: KubeObject, known: Managed, force: boolean): Steps<Attempt> {
  const { endpoint, configuration } = application;
  const managed: Managed = new Map(known);
  yield* reconcileManaged(managed, endpoint);
  yield;
  const manager = managerOf(application);
  const identifier = identifierOfManager(manager);
  const last = managed.get(identifier);
  const configured = yield* fieldSetSteps(endpoint.type, configuration);
  yield;
  const set = recursiveDifference(configured, endpoint.reset);
  managed.set(identifier, entryOf(manager, set, last?.time));
  yield;
  const merged = yield* mergeSteps(endpoint.type, before, configuration);
  yield;
  const object = yield* prune(endpoint, merged, managed, last);
  yield;

  const changes = yield* Changes.between(endpoint, before, object);
  yield;
  const conflicts = yield* conflictsOf(managed, changes, identifier);
  if (!force && conflicts.size > 0) return { managed, conflicts };
  yield* takeFromOthers(managed, changes, identifier);
  yield;

  const entry = managed.get(identifier);
  if (entry !== undefined) {
    const own = difference(fieldsOf(entry), strippedFields);
    const isNoop = deepEqual(before, object);
    if (isEmptySet(own)) managed.delete(identifier);
    else if (!isNoop) managed.set(identifier, { ...entry, time: application.now, fieldsV1: own });
    else managed.set(identifier, sameAsLast(withFields(entry, own), last));
  }
  return { managed, object };
}

/** The last entry itself when nothing changed, so that the list as a whole can stay the same. */
const sameAsLast = (entry: ManagedFieldsEntry, last: ManagedFieldsEntry | undefined) =>
  last !== undefined && deepEqual(entry, last) ? last : entry;

const managerOf = ({ endpoint, manager }: Application): Manager => ({
  name: manager,
  operation: 'Apply',
  apiVersion: endpoint.apiVersion,
  subresource: endpoint.subresource,
});

/** Client-side apply is kubectl's own past: what it owns is no conflict. */
function* withoutLastApplied(endpoint: Endpoint, live: KubeObject, conflicts: Conflicts): Steps<Conflicts> {
  const allowed = yield* fieldsOfLastApplied(endpoint, live);
  if (allowed === undefined) return conflicts;
  const left: Conflicts = new Map();
  for (const [identifier, set] of conflicts) {
    const others = yield* differenceSteps(set, allowed);
    if (!isEmptySet(others)) left.set(identifier, others);
  }
  return left;
}

function checkKind({ configuration, kind, endpoint }: Application): void {
  const version = typeof configuration.apiVersion === 'string' ? configuration.apiVersion : '';
  const given = { ...parseApiVersion(version), kind: typeof configuration.kind === 'string' ? configuration.kind : '' };
  if (given.kind !== kind.kind || version !== apiVersionOf(kind)) {
    throw badRequest(`invalid object type: ${printKind(given)}`);
  }
  if (version !== endpoint.apiVersion) {
    throw badRequest(
      `Incorrect version specified in apply patch. Specified patch version: ${version}, expected: ${endpoint.apiVersion}`,
    );
  }
  const sent = configuration.metadata?.managedFields;
  if (sent !== undefined && sent !== null) throw badRequest('metadata.managedFields must be nil');
}

const printKind = ({ group, version, kind }: GroupVersionKind) => `${group}/${version}, Kind=${kind}`;

function describe(object: KubeObject): string {
  const { name: givenName = '', namespace: givenNamespace = '' } = object.metadata ?? {};
  // Not checked yet: it may be anything JSON can say.
  const [name, namespace] = [givenName, givenNamespace].map((one: unknown) => (typeof one === 'string' ? one : ''));
  const kind = { ...parseApiVersion(object.apiVersion ?? ''), kind: object.kind ?? '' };
  return `${namespace}/${name}; ${printKind(kind)}`;
}
