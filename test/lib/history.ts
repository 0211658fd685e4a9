import { StatusError } from '../../src/api/status.ts';
import type { HttpTransport } from '../../src/client/http-transport.ts';
import { prefixEnd, type Store } from '../../src/store/store.ts';
import type { ControlPlane } from './control-planes.ts';

/** What etcd holds at the end: each change of a config map of namespace `default`, in order. */
export interface HistoryEvent {
  type: 'ADDED' | 'MODIFIED' | 'DELETED';
  name: string;
  /** `data.value`; undefined for deletions. */
  value: string | undefined;
  revision: number;
}

const prefix = '/core/configmaps/default/default/';
export const configMaps = '/api/v1/namespaces/default/configmaps';

/** Names of writers; every namespace has a config map with the authority's certificate besides. */
const isOurs = (name: string) => /^w\d+-/.test(name);

/** Writes down what happens in the store from its beginning on, so that history may be compacted behind it. */
export interface Recorder {
  readonly history: HistoryEvent[];
  /** Up to here everything is in `history`. */
  readonly revision: number;
  /** Why it could not go on. */
  readonly error: Error | undefined;
}

export function recordHistory(store: Store): Recorder {
  const recorder = { history: [] as HistoryEvent[], revision: 1, error: undefined as Error | undefined };
  store.watch({
    start: prefix,
    end: prefixEnd(prefix),
    afterRevision: 1,
    onEvents(events, revision) {
      for (const event of events) {
        const name = event.key.slice(prefix.length);
        if (!isOurs(name)) continue;
        if (event.type === 'delete') {
          recorder.history.push({ type: 'DELETED', name, value: undefined, revision: event.revision });
          continue;
        }
        const { data } = JSON.parse(Buffer.from(event.value).toString());
        const type = event.createRevision === event.revision ? 'ADDED' : 'MODIFIED';
        recorder.history.push({ type, name, value: data?.value, revision: event.revision });
      }
      recorder.revision = revision;
    },
    onError: (error) => {
      recorder.error = error;
    },
  });
  return recorder;
}

/** Problems of what was recorded against what is stored now: name -> revision. */
export async function checkRecorder({ history }: Recorder, store: Store): Promise<string[]> {
  const { items, revision } = await store.range({ start: prefix, end: prefixEnd(prefix) });
  const stored = new Map(items.map(({ key, modRevision }) => [key.slice(prefix.length), modRevision]));
  for (const name of [...stored.keys()]) if (!isOurs(name)) stored.delete(name);
  return differences(`what is stored at ${revision}`, stateAt(history, revision), stored);
}

/** name -> resourceVersion, after all that happened up to a revision. */
function stateAt(history: HistoryEvent[], upTo: number): Map<string, number> {
  const state = new Map<string, number>();
  for (const { type, name, revision } of history) {
    if (revision > upTo) break;
    if (type === 'DELETED') state.delete(name);
    else state.set(name, revision);
  }
  return state;
}

function differences(what: string, expected: Map<string, number>, found: Map<string, number>): string[] {
  return [...new Set([...expected.keys(), ...found.keys()])]
    .filter((name) => expected.get(name) !== found.get(name))
    .map((name) => `${what} has ${name} at ${found.get(name)}, not ${expected.get(name)}`);
}

/** `refused`: the server said that it was not done. `unknown`: it did not say. */
export type Outcome = 'acknowledged' | 'refused' | 'unknown';

export interface Operation {
  verb: 'create' | 'update' | 'delete';
  name: string;
  /** Unique among all operations; undefined for deletions. */
  value: string | undefined;
  outcome: Outcome;
  /** The resourceVersion that was answered to a create or an update. */
  revision?: number;
  detail?: string;
}

/**
 * One writer: creates config maps, updates and deletes them, each name its own, through a control plane at random, and
 * reads what was acknowledged through another. `journal` is what it was told.
 */
export async function write(
  id: number,
  planes: ControlPlane[],
  journal: Operation[],
  problems: string[],
  stop: AbortSignal,
): Promise<void> {
  let sequence = 0;
  const anyone = () => planes[Math.floor(Math.random() * planes.length)]!;
  const attempt = async (operation: Omit<Operation, 'outcome'>, request: (via: HttpTransport) => Promise<any>) => {
    const via = anyone();
    try {
      const answer = await request(via.transport);
      const revision = operation.verb === 'delete' ? undefined : Number(answer.metadata.resourceVersion);
      journal.push({ ...operation, outcome: 'acknowledged', ...(revision !== undefined && { revision }) });
      return revision ?? 0;
    } catch (error) {
      // There was nobody to ask.
      if ((error as NodeJS.ErrnoException).code === 'ECONNREFUSED') return undefined;
      // Only these say that nothing was done; a 5xx may come after the write.
      const isRefusal = error instanceof StatusError && error.code < 500;
      const detail = `${(error as Error).message} (through ${via.index})`;
      journal.push({ ...operation, outcome: isRefusal ? 'refused' : 'unknown', detail });
      return undefined;
    }
  };
  const readElsewhere = async (name: string, revision: number) => {
    const via = anyone();
    try {
      const { metadata } = await via.transport.request<any>({ method: 'GET', path: `${configMaps}/${name}` });
      if (Number(metadata.resourceVersion) !== revision) {
        problems.push(
          `${name} was read at ${metadata.resourceVersion} through ${via.index}, after ${revision} was acknowledged`,
        );
      }
    } catch (error) {
      if (error instanceof StatusError && error.code < 500) {
        problems.push(`${name}, acknowledged at ${revision}, could not be read through ${via.index}: ${error.message}`);
      }
    }
  };
  while (!stop.aborted) {
    const name = `w${id}-${sequence}`;
    const body = (value: string, resourceVersion?: number) => ({
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name, ...(resourceVersion !== undefined && { resourceVersion: String(resourceVersion) }) },
      data: { value },
    });
    let value = `${name}/${sequence++}`;
    let revision = await attempt({ verb: 'create', name, value }, (via) =>
      via.request({ method: 'POST', path: configMaps, body: body(value) }),
    );
    for (let update = 0; update < 3 && revision !== undefined && !stop.aborted; update++) {
      await readElsewhere(name, revision);
      value = `${name}/${sequence++}`;
      const before = revision;
      revision = await attempt({ verb: 'update', name, value }, (via) =>
        via.request({ method: 'PUT', path: `${configMaps}/${name}`, body: body(value, before) }),
      );
    }
    if (revision !== undefined && sequence % 3 === 0) {
      await attempt({ verb: 'delete', name, value: undefined }, (via) =>
        via.request({ method: 'DELETE', path: `${configMaps}/${name}` }),
      );
    }
    if (revision === undefined) await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** What one watch, resumed wherever it broke, was told between two lists. */
export interface WatchSession {
  listedAt: number;
  /** name -> resourceVersion. */
  listed: Map<string, number>;
  events: HistoryEvent[];
  /** The last resourceVersion seen, bookmarks included. */
  seen: number;
}

/** Watches through one control plane until it fails, then through the next, from where it was. */
export async function observe(
  first: number,
  planes: ControlPlane[],
  sessions: WatchSession[],
  stop: AbortSignal,
): Promise<void> {
  let index = first;
  let session: WatchSession | undefined;
  while (!stop.aborted) {
    const { transport } = planes[index % planes.length]!;
    try {
      if (session === undefined) {
        const list = await transport.request<any>({ method: 'GET', path: configMaps });
        const listedAt = Number(list.metadata.resourceVersion);
        const listed = new Map<string, number>(
          list.items
            .map((item: any) => [item.metadata.name, Number(item.metadata.resourceVersion)])
            .filter(([name]: [string, number]) => isOurs(name)),
        );
        session = { listedAt, listed, events: [], seen: listedAt };
        sessions.push(session);
      }
      const current = session;
      await transport.watch({
        path: configMaps,
        query: { resourceVersion: String(current.seen), allowWatchBookmarks: 'true' },
        signal: stop,
        onEvents(events) {
          for (const { type, object } of events) {
            const revision = Number(object.metadata.resourceVersion);
            current.seen = revision;
            if (type === 'BOOKMARK' || !isOurs(object.metadata.name)) continue;
            const value = type === 'DELETED' ? undefined : object['data']?.value;
            current.events.push({ type, name: object.metadata.name, value, revision });
          }
        },
      });
    } catch (error) {
      // The control plane was started a moment ago and does not know what was before: as every client, list again.
      if (error instanceof StatusError && error.code === 410) session = undefined;
      else index++;
    }
    if (!stop.aborted) await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** Problems of the journal against the history: writes lost, done twice, or done though they were refused. */
export function checkJournal(journal: Operation[], history: HistoryEvent[]): string[] {
  const problems: string[] = [];
  const byValue = new Map<string, HistoryEvent[]>();
  const byName = new Map<string, HistoryEvent[]>();
  for (const event of history) {
    byName.set(event.name, [...(byName.get(event.name) ?? []), event]);
    if (event.value !== undefined) byValue.set(event.value, [...(byValue.get(event.value) ?? []), event]);
  }
  const unsettled = new Set<string>();
  const issued = new Set<string>();
  for (const { verb, name, value, outcome, revision, detail } of journal) {
    const said = `${verb} of ${name} (${value ?? ''}) ${outcome} ${revision ?? ''} ${detail ?? ''}`;
    const done = value === undefined ? [] : (byValue.get(value) ?? []);
    if (value !== undefined) issued.add(value);
    if (done.length > 1) problems.push(`done ${done.length} times: ${said}`);
    if (outcome === 'acknowledged' && value !== undefined && done[0]?.revision !== revision) {
      problems.push(`lost, or at another revision (${done[0]?.revision}): ${said}`);
    }
    if (outcome === 'acknowledged' && verb === 'delete' && byName.get(name)?.at(-1)?.type !== 'DELETED') {
      problems.push(`still there: ${said}`);
    }
    if (outcome === 'refused' && done.length > 0) problems.push(`done all the same: ${said}`);
    // Nobody else writes this name: without an open question there is no reason to refuse.
    if (outcome === 'refused' && !unsettled.has(name)) problems.push(`refused without a reason: ${said}`);
    if (outcome === 'unknown') unsettled.add(name);
  }
  for (const { value } of history) {
    if (value !== undefined && !issued.has(value)) problems.push(`nobody wrote ${value}`);
  }
  return problems;
}

/** Problems of what a watcher was told, against the history. */
export function checkSession(session: WatchSession, history: HistoryEvent[]): string[] {
  const problems: string[] = [];
  problems.push(...differences(`the list at ${session.listedAt}`, stateAt(history, session.listedAt), session.listed));
  const expected = history.filter(({ revision }) => revision > session.listedAt && revision <= session.seen);
  for (let index = 0; index < Math.max(expected.length, session.events.length); index++) {
    const [want, got] = [JSON.stringify(expected[index]), JSON.stringify(session.events[index])];
    if (want === got) continue;
    problems.push(`event ${index} of the watch from ${session.listedAt} is ${got}, not ${want}`);
    break;
  }
  return problems;
}

/** A list read in pages, each through another control plane. */
export interface PagedList {
  revision: number;
  /** name -> resourceVersion. */
  items: Map<string, number>;
  pages: number;
}

/** Lists in pages again and again. A list whose revision is compacted in between is begun anew, as by every client. */
export async function page(planes: ControlPlane[], lists: PagedList[], problems: string[], stop: AbortSignal) {
  for (let turn = 0; !stop.aborted; ) {
    const list: PagedList = { revision: 0, items: new Map(), pages: 0 };
    let token = '';
    try {
      do {
        const { transport } = planes[turn++ % planes.length]!;
        const query = { limit: '7', ...(token !== '' && { continue: token }) };
        const { metadata, items } = await transport.request<any>({ method: 'GET', path: configMaps, query });
        const revision = Number(metadata.resourceVersion);
        if (list.pages++ > 0 && revision !== list.revision) {
          problems.push(`page ${list.pages} of the list at ${list.revision} says ${revision}`);
        }
        list.revision = revision;
        for (const { metadata: each } of items) {
          if (list.items.has(each.name)) problems.push(`${each.name} is twice in the list at ${revision}`);
          if (isOurs(each.name)) list.items.set(each.name, Number(each.resourceVersion));
        }
        token = metadata.continue ?? '';
      } while (token !== '' && !stop.aborted);
      if (token === '') lists.push(list);
    } catch {
      // The control plane is gone, or the list has expired.
    }
    if (!stop.aborted) await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

export const checkList = (list: PagedList, history: HistoryEvent[]): string[] =>
  differences(`the list of ${list.pages} pages at ${list.revision}`, stateAt(history, list.revision), list.items);
