import type { VersionedForm } from '../../api/resource-definition.ts';
import type {
  CacheEntry,
  CacheEvent,
  CacheEventType,
  CacheWatch,
  CacheWatchRequest,
  ObjectFilter,
  WatchCache,
} from '../watch-cache/watch-cache.ts';
import { nameFilter, VersionedEntry, versionedEntries, versionedEntry, versionedFilter } from './versioned-entries.ts';

/** Watches to be ended when what they show is defined anew: clients list again, and see the new form. */
const open = new WeakMap<VersionedForm, Set<() => void>>();

export function endWatches(form: VersionedForm): void {
  for (const end of [...(open.get(form) ?? [])]) end();
}

export function watchVersioned(form: VersionedForm, cache: WatchCache, request: CacheWatchRequest): CacheWatch {
  const ends = open.get(form) ?? new Set();
  open.set(form, ends);
  let isClosed = false;
  const close = () => {
    isClosed = true;
    ends.delete(end);
    watch?.close();
  };
  const end = () => {
    if (isClosed) return;
    close();
    request.onEnd();
  };
  ends.add(end);
  const own: CacheWatchRequest = { ...request, onEnd: end };
  let watch: CacheWatch | undefined;
  try {
    watch = cache.watch(
      form.fromStoredRemotely === undefined ? converted(form, own) : remotely(form, own, () => isClosed),
    );
  } catch (error) {
    ends.delete(end);
    throw error;
  }
  if (isClosed) watch.close();
  return { close };
}

function converted(form: VersionedForm, request: CacheWatchRequest): CacheWatchRequest {
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
  const previous = event.previousEntry === undefined ? undefined : versionedEntry(form, event.previousEntry);
  return eventOf(event.type, entry, previous);
}

/** So many events may wait for a webhook before the watch is ended; what is there at the start is free. */
const waitingLimit = 10_000;

/** Events wait for the webhook in their order; those that wait together are converted together. */
function remotely(form: VersionedForm, request: CacheWatchRequest, isClosed: () => boolean): CacheWatchRequest {
  let waiting: CacheEvent[] = [];
  let isRunning = false;
  let hasEnded = false;
  let allowed = 0;
  const run = async () => {
    isRunning = true;
    while (waiting.length > 0 && !isClosed()) {
      const events = waiting;
      waiting = [];
      allowed = waitingLimit;
      try {
        const seen = await convertEvents(form, request.filter, events);
        if (seen.length > 0 && !isClosed()) request.onEvents(seen);
      } catch {
        // Nothing can be left out: the client lists again, and hears then what is wrong.
        hasEnded = true;
        break;
      }
    }
    isRunning = false;
    if (hasEnded) request.onEnd();
  };
  return {
    ...request,
    filter: nameFilter(request.filter),
    onEvents(events) {
      waiting.push(...events);
      if (allowed > 0 && waiting.length > allowed) hasEnded = true;
      if (!isRunning) void run();
    },
    onEnd() {
      hasEnded = true;
      if (!isRunning) request.onEnd();
    },
  };
}

async function convertEvents(
  form: VersionedForm,
  filter: ObjectFilter | undefined,
  events: CacheEvent[],
): Promise<CacheEvent[]> {
  const wanted: CacheEntry[] = [];
  for (const { type, entry, previousEntry } of events) {
    if (type === 'BOOKMARK') continue;
    if (type !== 'DELETED') wanted.push(entry);
    if (previousEntry !== undefined && (type === 'DELETED' || filter !== undefined)) wanted.push(previousEntry);
  }
  const results = await versionedEntries(form, wanted);
  const of = new Map(wanted.map((entry, index) => [entry, results[index]!]));
  const matches = (entry: CacheEntry | undefined) =>
    entry !== undefined && (filter === undefined || filter.matches(entry.object));
  const seen: CacheEvent[] = [];
  for (const event of events) {
    if (event.type === 'BOOKMARK') {
      seen.push(event);
      continue;
    }
    const entry = event.type === 'DELETED' ? undefined : of.get(event.entry);
    const previous =
      event.previousEntry === undefined ? undefined : (of.get(event.previousEntry) ?? event.previousEntry);
    const isNow = matches(entry);
    const was = filter === undefined ? event.type !== 'ADDED' : matches(previous);
    if (isNow) seen.push(eventOf(was ? 'MODIFIED' : 'ADDED', entry!, previous));
    else if (was) seen.push(eventOf('DELETED', at(previous!, event.revision), previous));
  }
  return seen;
}

/** The last state, under the revision it went at. */
function at(entry: CacheEntry, revision: number): CacheEntry {
  const { object } = entry;
  const metadata = { ...object.metadata, resourceVersion: String(revision) };
  return new VersionedEntry(entry, { ...object, metadata }, revision);
}

function eventOf(type: CacheEventType, entry: CacheEntry, previousEntry: CacheEntry | undefined): CacheEvent {
  return {
    type,
    revision: entry.revision,
    entry,
    previousEntry,
    frame: (variant) =>
      Buffer.concat([Buffer.from(`{"type":"${type}","object":`), entry.bytes(variant), Buffer.from('}\n')]),
  };
}
