import { badRequest, expired, type StatusError } from '../../api/status.ts';
import { CompactedError, type Store } from '../../store/store.ts';
import { describeJsonError } from '../json-syntax.ts';
import { Entry } from './entry.ts';
import { parseKey } from './keys.ts';
import type { CacheList, CacheListRequest } from './watch-cache.ts';

/** Of a token that goes on with whatever is newest by then. */
export const NEWEST = -1;

/** Where a list goes on: after which key (its resource's prefix left out), at which revision. */
export interface Position {
  revision: number;
  /** The first key suffix that may come, `tenant/namespace/name`. */
  start: string;
}

/** Opaque to clients; the form is upstream's. */
function encodeContinue({ revision, start }: Position): string {
  return Buffer.from(JSON.stringify({ v: 'meta.k8s.io/v1', rv: revision, start })).toString('base64url');
}

/** Throws badRequest for what was not handed out for this scope: a token must not lead into another tenant. */
export function decodeContinue(token: string, scope: string): Position {
  const { v, rv, start } = readContinue(token);
  if (v !== 'meta.k8s.io/v1') throw notValid(`server does not recognize this encoded version ${v ?? ''}`);
  if (rv === 0 || rv === undefined) throw notValid('incorrect encoded start resourceVersion (version meta.k8s.io/v1)');
  if (!isRevision(rv) || typeof start !== 'string' || start === '') {
    throw notValid('encoded start key empty (version meta.k8s.io/v1)');
  }
  if (start.split('/').includes('..')) throw notValid(start);
  if (!start.startsWith(scope)) throw notValid('it belongs to another list');
  return { revision: rv, start };
}

const notValid = (why: string) => badRequest(`invalid continue token: continue key is not valid: ${why}`);

/** What a token says, whatever that is worth; throws for what nobody can have handed out. */
export function readContinue(token: string): { v?: unknown; rv?: unknown; start?: unknown } {
  const text = Buffer.from(token, 'base64url').toString();
  try {
    return JSON.parse(text) ?? {};
  } catch {
    const wrong = /[^A-Za-z0-9_-]/.exec(token);
    throw notValid(wrong === null ? describeJsonError(text) : `illegal base64 data at input byte ${wrong.index}`);
  }
}

const isRevision = (rv: unknown): rv is number => rv === NEWEST || (Number.isSafeInteger(rv) && (rv as number) > 0);

/**
 * 410 when the revision of a continued list is compacted, whether or not memory still knows it: clients hear the same
 * on every control plane. The status says how to go on all the same. Source: upstream's handleCompactedErrorForContinue.
 */
export async function checkNotCompacted(store: Store, prefix: string, { revision, start }: Position): Promise<void> {
  const key = prefix + start;
  await store.range({ start: key, end: `${key}\0`, revision, limit: 1 }).catch((error) => {
    throw error instanceof CompactedError ? expiredPage(start) : error;
  });
}

function expiredPage(start: string): StatusError {
  const error = expired(
    'The provided continue parameter is too old to display a consistent list result. You can start a new list without ' +
      'the continue parameter, or use the continue token in this response to retrieve the remainder of the results. ' +
      'Continuing with the provided token results in an inconsistent list - objects that were created, modified, or ' +
      'deleted between the time the first chunk was returned and now may show up in the list.',
  );
  error.continue = encodeContinue({ revision: NEWEST, start });
  return error;
}

/** Cuts an ordered sequence of entries into a page. `total`: how many there are from the first on, if known. */
export function cutPage(
  entries: Iterable<Entry>,
  revision: number,
  limit: number | undefined,
  total: number | undefined,
): CacheList {
  if (!limit) return { entries: [...entries], revision };
  const page: Entry[] = [];
  for (const entry of entries) {
    if (page.length < limit) {
      page.push(entry);
      continue;
    }
    const next = { revision, start: `${page.at(-1)!.suffix}\0` };
    return {
      entries: page,
      revision,
      continue: encodeContinue(next),
      ...(total !== undefined && { remainingItemCount: total - page.length }),
    };
  }
  return { entries: page, revision };
}

const storePageSize = 500;

/** A list at a revision of the past, from the store's history. */
export async function listFromStore(
  store: Store,
  prefix: string,
  scope: string,
  request: CacheListRequest,
  position: Position,
): Promise<CacheList> {
  const { filter, limit } = request;
  const found: Entry[] = [];
  let start = position.start;
  let total: number | undefined;
  do {
    // One more than asked for tells whether there is more.
    const pageSize = limit && !filter ? limit + 1 : storePageSize;
    const range = { start: prefix + start, end: endOf(prefix + scope), revision: position.revision, limit: pageSize };
    const { items, count } = await store.range(range).catch((error) => {
      if (!(error instanceof CompactedError)) throw error;
      throw request.continue === undefined
        ? expired(`The resourceVersion for the provided list is too old: ${error.message}`)
        : expiredPage(position.start);
    });
    const counted = filter === undefined && (request.tenant !== undefined || request.namespace === undefined);
    if (counted) total ??= count;
    for (const { key, value, modRevision } of items) {
      const { tenant, namespace, name } = parseKey(prefix.length, key);
      if (request.namespace !== undefined && namespace !== request.namespace) continue;
      const entry = new Entry(prefix, tenant, namespace, name, modRevision, value);
      if (filter === undefined || filter.matches(entry.object)) found.push(entry);
    }
    if (items.length < pageSize) break;
    start = `${items.at(-1)!.key.slice(prefix.length)}\0`;
  } while (!limit || found.length <= limit);
  return cutPage(found, position.revision, limit, total);
}

/** All our scopes end in `/`, which `0` follows. */
const endOf = (prefix: string) => `${prefix.slice(0, -1)}0`;
