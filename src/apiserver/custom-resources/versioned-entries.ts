import type { GroupResource, KubeObject } from '../../api/object.ts';
import type { ResourceDefinition, VersionedForm } from '../../api/resource-definition.ts';
import type { CacheEntry, CacheEvent, CacheWatchRequest, ObjectFilter, Variant } from '../watch-cache/watch-cache.ts';

/** The form a resource is asked for in, where that may differ from what is stored. */
export const versionedFormOf = (resource: GroupResource): VersionedForm | undefined =>
  (resource as Partial<ResourceDefinition>).versioned;

const entries = new WeakMap<VersionedForm, WeakMap<CacheEntry, CacheEntry>>();

/** The entry as one version shows it, made once as long as both live; the very entry where nothing differs. */
export function versionedEntry(form: VersionedForm, entry: CacheEntry): CacheEntry {
  if (form.fromStored(entry.object) === entry.object) return entry;
  let ofForm = entries.get(form);
  if (ofForm === undefined) entries.set(form, (ofForm = new WeakMap()));
  let versioned = ofForm.get(entry);
  if (versioned === undefined)
    ofForm.set(entry, (versioned = new VersionedEntry(entry, form.fromStored(entry.object))));
  return versioned;
}

/** Selectors speak of the version's fields. */
export function versionedFilter(form: VersionedForm, filter: ObjectFilter | undefined): ObjectFilter | undefined {
  if (filter === undefined) return undefined;
  return { ...filter, matches: (object) => filter.matches(form.fromStored(object)) };
}

export function versionedWatch(form: VersionedForm, request: CacheWatchRequest): CacheWatchRequest {
  return {
    ...request,
    filter: versionedFilter(form, request.filter),
    onEvents: (events) => request.onEvents(events.map((event) => versionedEvent(form, event))),
  };
}

function versionedEvent(form: VersionedForm, event: CacheEvent): CacheEvent {
  if (event.type === 'BOOKMARK') return event;
  const entry = versionedEntry(form, event.entry);
  if (entry === event.entry) return event;
  return {
    type: event.type,
    revision: event.revision,
    entry,
    previousEntry: event.previousEntry === undefined ? undefined : versionedEntry(form, event.previousEntry),
    frame: (variant) =>
      Buffer.concat([Buffer.from(`{"type":"${event.type}","object":`), entry.bytes(variant), Buffer.from('}\n')]),
  };
}

class VersionedEntry implements CacheEntry {
  readonly tenant: string;
  readonly namespace: string;
  readonly name: string;
  readonly revision: number;
  readonly key: string;
  declare readonly stale?: true;
  readonly object: KubeObject;
  readonly #representations = new Map<string, unknown>();

  constructor(entry: CacheEntry, object: KubeObject) {
    this.tenant = entry.tenant;
    this.namespace = entry.namespace;
    this.name = entry.name;
    this.revision = entry.revision;
    this.key = entry.key;
    if (entry.stale === true) this.stale = true;
    this.object = object;
  }

  bytes(variant: Variant): Buffer {
    return this.representation(`bytes-${variant}`, (object) => {
      if (variant === 'platform') return Buffer.from(JSON.stringify(object));
      const { clusterName: _clusterName, ...metadata } = object.metadata;
      return Buffer.from(JSON.stringify({ ...object, metadata }));
    });
  }

  representation<T>(name: string, build: (object: KubeObject) => T): T {
    if (!this.#representations.has(name)) this.#representations.set(name, build(this.object));
    return this.#representations.get(name) as T;
  }
}
