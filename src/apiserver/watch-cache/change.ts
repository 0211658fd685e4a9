import type { Entry } from './entry.ts';
import type { CacheEvent, CacheEventType, ObjectFilter, Variant } from './watch-cache.ts';

/** An event of one type; its frames are built once, for all watchers that see it so. */
export class Event implements CacheEvent {
  readonly type: CacheEventType;
  readonly entry: Entry;
  readonly previousEntry: Entry | undefined;
  #tenantFrame: Buffer | undefined;
  #platformFrame: Buffer | undefined;

  constructor(type: CacheEventType, entry: Entry, previousEntry: Entry | undefined) {
    this.type = type;
    this.entry = entry;
    this.previousEntry = previousEntry;
  }

  get revision(): number {
    return this.entry.revision;
  }

  frame(variant: Variant): Buffer {
    if (variant === 'tenant') return (this.#tenantFrame ??= this.#build(variant));
    return (this.#platformFrame ??= this.#build(variant));
  }

  /** Frames are for the crowd of the moment; a late reader builds its own. */
  releaseFrames(): void {
    this.#tenantFrame = undefined;
    this.#platformFrame = undefined;
  }

  #build(variant: Variant): Buffer {
    return this.entry.wrapped(`{"type":"${this.type}","object":`, variant, '}\n');
  }
}

/** One change of one object, from which each watcher gets the event that its filter makes of it. */
export class Change {
  /** Counts up within a cache; several changes may share a revision. */
  readonly sequence: number;
  readonly revision: number;
  /** undefined: deleted. */
  readonly entry: Entry | undefined;
  /** undefined: created. */
  readonly previous: Entry | undefined;
  #added: Event | undefined;
  #modified: Event | undefined;
  #deleted: Event | undefined;

  constructor(sequence: number, revision: number, entry: Entry | undefined, previous: Entry | undefined) {
    this.sequence = sequence;
    this.revision = revision;
    this.entry = entry;
    this.previous = previous;
  }

  /**
   * As upstream's cacher: an object that enters the filter is ADDED, one that leaves it is DELETED with the state before.
   * undefined: the watcher does not see it.
   */
  eventFor(filter: ObjectFilter | undefined): Event | undefined {
    const { entry, previous } = this;
    const now = entry !== undefined && (filter === undefined || filter.matches(entry.object));
    const before = previous !== undefined && (filter === undefined || filter.matches(previous.object));
    if (now && before) return (this.#modified ??= new Event('MODIFIED', entry, previous));
    if (now) return (this.#added ??= new Event('ADDED', entry, previous));
    if (before) return (this.#deleted ??= new Event('DELETED', previous.at(this.revision), previous));
    return undefined;
  }

  releaseFrames(): void {
    this.#added?.releaseFrames();
    this.#modified?.releaseFrames();
    this.#deleted?.releaseFrames();
  }
}
