import type { KubeObject } from '../../api/object.ts';
import type { ResourceDefinition } from '../../api/resource-definition.ts';
import type { Answer } from '../answer.ts';
import { serialized } from '../watch-cache/serialized.ts';
import type { CacheEntry, CacheEvent, ObjectFilter, Variant } from '../watch-cache/watch-cache.ts';

/**
 * Some APIs show objects that are kept in another API's form (events.k8s.io/v1 those of the core group). Requests to
 * them are served with the stored definition; what comes in and goes out is converted here.
 */
export function toStored(view: ResourceDefinition | undefined, object: KubeObject): KubeObject {
  return view?.storedAs === undefined ? object : view.storedAs.toStored(object);
}

export function fromStored(view: ResourceDefinition | undefined, object: KubeObject): KubeObject {
  return view?.storedAs === undefined ? object : view.storedAs.fromStored(object);
}

/** Selectors speak of the view's fields. */
export function viewFilter(
  view: ResourceDefinition | undefined,
  filter: ObjectFilter | undefined,
): ObjectFilter | undefined {
  if (view === undefined || filter === undefined) return filter;
  return { matches: (object) => filter.matches(fromStored(view, object)) };
}

export function viewAnswer(view: ResourceDefinition, answer: Answer): Answer {
  switch (answer.type) {
    case 'entry':
      return { ...answer, definition: view, entry: new ViewEntry(answer.entry, view) };
    case 'list':
      return { ...answer, definition: view, entries: answer.entries.map((entry) => new ViewEntry(entry, view)) };
    case 'watch':
      return {
        ...answer,
        definition: view,
        start: (onEvents, onEnd) =>
          answer.start((events) => onEvents(events.map((event) => viewEvent(event, view))), onEnd),
      };
    case 'object': {
      if (answer.definition === undefined) return answer;
      return { ...answer, definition: view, object: fromStored(view, answer.object as KubeObject) };
    }
    default:
      return answer;
  }
}

/** Another API's look at an entry; converted and encoded once per revision. */
class ViewEntry implements CacheEntry {
  readonly #entry: CacheEntry;
  readonly #view: ResourceDefinition;
  readonly #prefix: string;

  constructor(entry: CacheEntry, view: ResourceDefinition) {
    this.#entry = entry;
    this.#view = view;
    this.#prefix = `${view.group}/${view.version}`;
  }

  get tenant() {
    return this.#entry.tenant;
  }
  get namespace() {
    return this.#entry.namespace;
  }
  get name() {
    return this.#entry.name;
  }
  get revision() {
    return this.#entry.revision;
  }
  get key() {
    return this.#entry.key;
  }
  get object(): KubeObject {
    return this.#entry.representation(`${this.#prefix}/object`, (object) => fromStored(this.#view, object));
  }
  bytes(variant: Variant): Buffer {
    return this.representation(`bytes-${variant}`, (object) => serialized(object, variant));
  }
  representation<T>(name: string, build: (object: KubeObject) => T): T {
    return this.#entry.representation(`${this.#prefix}/${name}`, () => build(this.object));
  }
}

function viewEvent(event: CacheEvent, view: ResourceDefinition): CacheEvent {
  if (event.type === 'BOOKMARK') return event;
  const entry = new ViewEntry(event.entry, view);
  return {
    type: event.type,
    revision: event.revision,
    entry,
    previousEntry: event.previousEntry === undefined ? undefined : new ViewEntry(event.previousEntry, view),
    frame: (variant) =>
      Buffer.concat([Buffer.from(`{"type":"${event.type}","object":`), entry.bytes(variant), Buffer.from('}\n')]),
  };
}
