import type { GroupResource, KubeObject } from '../../api/object.ts';
import type { ResourceDefinition, VersionedForm } from '../../api/resource-definition.ts';
import { serialized } from '../watch-cache/serialized.ts';
import type { CacheEntry, ObjectFilter, Variant } from '../watch-cache/watch-cache.ts';
import { keepForm, noteGrowth, roughSize } from './grown-forms.ts';

/** The form a resource is asked for in, where that may differ from what is stored. */
export const versionedFormOf = (resource: GroupResource): VersionedForm | undefined =>
  (resource as Partial<ResourceDefinition>).versioned;

/** By entry, made once as long as both live: any number of readers of a revision cost one conversion. */
const made = new WeakMap<VersionedForm, WeakMap<CacheEntry, CacheEntry | Promise<CacheEntry>>>();

function madeOf(form: VersionedForm): WeakMap<CacheEntry, CacheEntry | Promise<CacheEntry>> {
  let ofForm = made.get(form);
  if (ofForm === undefined) made.set(form, (ofForm = new WeakMap()));
  return ofForm;
}

/** The entry as one version shows it; the very entry where nothing differs. Not for forms that a webhook makes. */
export function versionedEntry(form: VersionedForm, entry: CacheEntry): CacheEntry {
  const object = form.fromStored(entry.object);
  if (object === entry.object) return entry;
  const ofForm = madeOf(form);
  let versioned = ofForm.get(entry) as CacheEntry | undefined;
  if (versioned === undefined) {
    ofForm.set(entry, (versioned = new VersionedEntry(entry, object)));
    keepForm(object, () => ofForm.delete(entry));
  }
  return versioned;
}

/**
 * The same, worked out when it is looked at: of ten thousand that are sent in pieces, those of one piece at a time. Not
 * for forms that a webhook makes.
 */
export const versionedLater = (form: VersionedForm, entries: readonly CacheEntry[]): CacheEntry[] =>
  entries.map((entry) => new LaterEntry(form, entry));

class LaterEntry implements CacheEntry {
  readonly #form: VersionedForm;
  readonly #stored: CacheEntry;

  constructor(form: VersionedForm, stored: CacheEntry) {
    this.#form = form;
    this.#stored = stored;
  }

  get tenant(): string {
    return this.#stored.tenant;
  }

  get namespace(): string {
    return this.#stored.namespace;
  }

  get name(): string {
    return this.#stored.name;
  }

  get revision(): number {
    return this.#stored.revision;
  }

  get key(): string {
    return this.#stored.key;
  }

  get object(): KubeObject {
    return versionedEntry(this.#form, this.#stored).object;
  }

  bytes(variant: Variant): Buffer {
    return versionedEntry(this.#form, this.#stored).bytes(variant);
  }

  representation<T>(name: string, build: (object: KubeObject) => T): T {
    return versionedEntry(this.#form, this.#stored).representation(name, build);
  }
}

/** The same for any form, in the same order; what a webhook has to convert goes there in one call. */
export async function versionedEntries(form: VersionedForm, entries: readonly CacheEntry[]): Promise<CacheEntry[]> {
  const { fromStoredRemotely } = form;
  if (fromStoredRemotely === undefined) return entries.map((entry) => versionedEntry(form, entry));
  const ofForm = madeOf(form);
  const missing = [...new Set(entries)].filter((entry) => !ofForm.has(entry));
  if (missing.length > 0) {
    const batch = fromStoredRemotely(missing.map(({ object }) => object));
    missing.forEach((entry, index) => {
      const one = batch.then((objects) => {
        const object = objects[index]!;
        if (object === entry.object) {
          ofForm.set(entry, entry);
          return entry;
        }
        const versioned = new VersionedEntry(entry, object);
        ofForm.set(entry, versioned);
        noteGrowth(object, roughSize(object) - 4 * (entry.size ?? 0));
        keepForm(object, () => ofForm.delete(entry));
        return versioned;
      });
      ofForm.set(entry, one);
      // The next reader tries again.
      one.catch(() => ofForm.delete(entry));
    });
  }
  return Promise.all(entries.map((entry) => ofForm.get(entry)!));
}

/** Stored under another version than is stored today: a write brings it up to date even if it changes nothing else. */
export function isStoredElsewise(resource: GroupResource, entry: CacheEntry): boolean {
  const form = versionedFormOf(resource);
  if (form === undefined) return false;
  const stored = entry instanceof VersionedEntry ? entry.storedApiVersion : entry.object.apiVersion;
  return stored !== form.storedApiVersion;
}

/** Selectors speak of the version's fields. Not for forms that a webhook makes. */
export function versionedFilter(form: VersionedForm, filter: ObjectFilter | undefined): ObjectFilter | undefined {
  if (filter === undefined) return undefined;
  return { ...filter, matches: (object) => filter.matches(form.fromStored(object)) };
}

/** What can be said of the stored form already: an object has one name in all versions. */
export function nameFilter(filter: ObjectFilter | undefined): ObjectFilter | undefined {
  const name = filter?.exactFields?.['metadata.name'];
  if (name === undefined) return undefined;
  return { matches: (object) => object.metadata.name === name, exactFields: { 'metadata.name': name } };
}

export class VersionedEntry implements CacheEntry {
  readonly tenant: string;
  readonly namespace: string;
  readonly name: string;
  readonly revision: number;
  readonly key: string;
  readonly object: KubeObject;
  declare readonly stale?: true;
  readonly storedApiVersion: string | undefined;
  readonly #representations = new Map<string, unknown>();

  constructor(entry: CacheEntry, object: KubeObject, revision = entry.revision) {
    this.tenant = entry.tenant;
    this.namespace = entry.namespace;
    this.name = entry.name;
    this.revision = revision;
    this.key = entry.key;
    this.object = object;
    if (entry.stale === true) this.stale = true;
    this.storedApiVersion = entry instanceof VersionedEntry ? entry.storedApiVersion : entry.object.apiVersion;
  }

  bytes(variant: Variant): Buffer {
    return this.representation(`bytes-${variant}`, (object) => serialized(object, variant));
  }

  representation<T>(name: string, build: (object: KubeObject) => T): T {
    if (!this.#representations.has(name)) this.#representations.set(name, build(this.object));
    return this.#representations.get(name) as T;
  }
}
