import type { Steps } from '../../base/steps.ts';
import { deepEqual } from '../equality.ts';
import { emptySet, type FieldSet, fieldSetSteps, isEmptySet, union } from './field-set.ts';
import { compareText, goJson } from './path-element.ts';

/** metav1.ManagedFieldsEntry. Shared: never mutate one. */
export interface ManagedFieldsEntry {
  manager?: string;
  operation?: string;
  apiVersion?: string;
  /** RFC 3339, seconds. */
  time?: string;
  fieldsType?: string;
  fieldsV1?: FieldSet;
  subresource?: string;
}

/** Who owns what, by identifier. An entry whose set is unchanged keeps its identity. */
export type Managed = Map<string, ManagedFieldsEntry>;

export interface Manager {
  /** `unknown` when empty. */
  name: string;
  operation: 'Apply' | 'Update';
  apiVersion: string;
  subresource: string;
}

/** One applier is the same whatever version it applies in. */
export const identifierOf = ({ manager = '', operation = '', apiVersion = '', subresource = '' }: ManagedFieldsEntry) =>
  `${operation}\n${manager}\n${operation === 'Apply' ? '' : apiVersion}\n${subresource}`;

export const identifierOfManager = ({ name, ...rest }: Manager) =>
  identifierOf({ manager: name || 'unknown', ...rest });

/** The identifier as upstream has it, which decides where nothing else orders managers. */
export function upstreamIdentifierOf({ manager, operation, apiVersion, subresource }: ManagedFieldsEntry): string {
  const parts: string[] = [];
  if (manager) parts.push(`"manager":${goJson(manager)}`);
  if (operation) parts.push(`"operation":"${operation}"`);
  if (apiVersion && operation !== 'Apply') parts.push(`"apiVersion":${goJson(apiVersion)}`);
  if (subresource) parts.push(`"subresource":${goJson(subresource)}`);
  return `{${parts.join(',')}}`;
}

export function entryOf(manager: Manager, fields: FieldSet, time: string | undefined): ManagedFieldsEntry {
  return {
    manager: manager.name || 'unknown',
    operation: manager.operation,
    apiVersion: manager.apiVersion,
    ...(time !== undefined && { time }),
    fieldsType: 'FieldsV1',
    fieldsV1: fields,
    ...(manager.subresource !== '' && { subresource: manager.subresource }),
  };
}

export const fieldsOf = (entry: ManagedFieldsEntry): FieldSet => entry.fieldsV1 ?? emptySet;

export const withFields = (entry: ManagedFieldsEntry, fields: FieldSet): ManagedFieldsEntry =>
  fields === entry.fieldsV1 ? entry : { ...entry, fieldsV1: fields };

/** Of entries that this process or an earlier one stored: their sets are canonical. */
export function managedOfStored(entries: readonly ManagedFieldsEntry[] | undefined): Managed {
  const managed: Managed = new Map();
  for (const entry of entries ?? []) managed.set(identifierOf(entry), entry);
  return managed;
}

/** Of entries that a client sent. Throws, in upstream's words, for entries that are none. */
export function* managedOfSent(entries: readonly any[]): Steps<Managed> {
  const managed: Managed = new Map();
  for (const [index, entry] of entries.entries()) {
    yield;
    if (entry?.operation !== 'Apply' && entry?.operation !== 'Update') {
      throw new Error('operation must be `Apply` or `Update`');
    }
    if (typeof entry.apiVersion !== 'string' || entry.apiVersion === '')
      throw new Error('apiVersion must not be empty');
    if (entry.fieldsType === undefined || entry.fieldsType === '') {
      throw new Error(`missing fieldsType in managed fields entry ${index}`);
    }
    if (entry.fieldsType !== 'FieldsV1') {
      throw new Error(`invalid fieldsType ${JSON.stringify(entry.fieldsType)} in managed fields entry ${index}`);
    }
    const { manager, operation, apiVersion, time, subresource } = entry;
    for (const text of [manager, time, subresource]) {
      if (text !== undefined && text !== null && typeof text !== 'string') throw new Error('expected a string');
    }
    managed.set(identifierOf(entry), {
      ...(manager && { manager }),
      operation,
      apiVersion,
      ...(time && { time }),
      fieldsType: 'FieldsV1',
      fieldsV1: yield* fieldSetSteps(entry.fieldsV1 ?? {}),
      ...(subresource && { subresource }),
    });
  }
  return managed;
}

/**
 * The entries an update starts from: what the client sent when that says anything, for clients may rewrite them; else
 * the live object's. `sent` as it came, undefined when absent. An empty list, or one empty entry, clears them.
 */
export function* managedOfUpdate(
  live: readonly ManagedFieldsEntry[] | undefined,
  sent: readonly unknown[] | undefined,
  subresource: string,
): Steps<Managed> {
  if (subresource !== '' || sent === undefined || deepEqual(sent, live)) return managedOfStored(live);
  if (sent.length === 0 || (sent.length === 1 && isEmptySet((sent[0] ?? {}) as FieldSet))) return new Map();
  try {
    return yield* managedOfSent(sent);
  } catch {
    return managedOfStored(live);
  }
}

/** In the order in which they are shown; undefined when there are none. `live` itself when it says the same. */
export function encodeManaged(
  managed: Managed,
  live: readonly ManagedFieldsEntry[] | undefined,
): ManagedFieldsEntry[] | undefined {
  if (managed.size === 0) return undefined;
  const entries = [...managed.values()];
  if (entries.length > 1) entries.sort(compareEntries);
  const same = live?.length === entries.length && entries.every((entry, index) => entry === live[index]);
  return same ? (live as ManagedFieldsEntry[]) : entries;
}

function compareEntries(a: ManagedFieldsEntry, b: ManagedFieldsEntry): number {
  return (
    compareText(a.operation ?? '', b.operation ?? '') ||
    compareTimes(a.time, b.time) ||
    compareText(a.manager ?? '', b.manager ?? '') ||
    compareText(a.apiVersion ?? '', b.apiVersion ?? '') ||
    compareText(a.subresource ?? '', b.subresource ?? '')
  );
}

/** Ours are all of one length and zone, and so sort as text. */
function compareTimes(a = '', b = ''): number {
  if (a === b) return 0;
  if (a.length === b.length && a.endsWith('Z') && b.endsWith('Z')) return a < b ? -1 : 1;
  return secondsOf(a) - secondsOf(b);
}

const secondsOf = (time: string) => (time === '' ? 0 : Math.floor(Date.parse(time) / 1000));

const maximumUpdaters = 10;

/** Merges the oldest of too many updaters into one entry a version. Source: apimachinery's capManagersManager. */
export function capUpdaters(managed: Managed): void {
  let count = 0;
  for (const entry of managed.values()) if (entry.operation !== 'Apply') count++;
  if (count <= maximumUpdaters) return;
  const updaters = [...managed]
    .filter(([, entry]) => entry.operation !== 'Apply')
    .sort(
      ([, a], [, b]) => compareTimes(a.time, b.time) || compareText(upstreamIdentifierOf(a), upstreamIdentifierOf(b)),
    );
  const first = new Map<string, string>();
  for (const [identifier, entry] of updaters) {
    if (count <= maximumUpdaters) break;
    const { apiVersion = '' } = entry;
    const earlier = first.get(apiVersion);
    if (earlier === undefined) {
      first.set(apiVersion, identifier);
      continue;
    }
    const bucket = identifierOf({ manager: 'ancient-changes', operation: 'Update', apiVersion });
    const held = managed.get(bucket) ?? managed.get(earlier)!;
    if (!managed.has(bucket)) managed.delete(earlier);
    managed.delete(identifier);
    const manager: Manager = { name: 'ancient-changes', operation: 'Update', apiVersion, subresource: '' };
    managed.set(bucket, entryOf(manager, unionOf(entry, held), entry.time));
    count--;
  }
}

const unionOf = (a: ManagedFieldsEntry, b: ManagedFieldsEntry) => union(fieldsOf(a), fieldsOf(b));
