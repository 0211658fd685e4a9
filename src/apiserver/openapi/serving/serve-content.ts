import type { Answer } from '../../answer.ts';
import type { RequestContext } from '../../request-context.ts';

export interface Content {
  contentType: string;
  bytes: Buffer;
  /** With its quotes; absent: none is said. */
  etag?: string;
  modifiedMs: number;
}

type Headers = Record<string, string>;

/**
 * Answers as Go's http.ServeContent: whole, not at all to who has it already, or the one range that is asked for.
 * Several ranges at once are answered with the whole, which RFC 9110 leaves to the server.
 */
export function serveContent(context: RequestContext, content: Content, more: Headers = {}): Answer {
  const { contentType, bytes, etag, modifiedMs } = content;
  const modified = new Date(modifiedMs).toUTCString();
  const tagged: Headers = { ...more, ...(etag !== undefined && { etag }) };
  const plain = (code: number, headers: Headers): Answer => ({
    type: 'bytes',
    code,
    bytes: '',
    headers,
  });
  switch (precondition(context, content)) {
    case 'failed':
      return plain(412, { ...tagged, 'last-modified': modified });
    case 'unchanged':
      return plain(304, { ...tagged, ...(etag === undefined && { 'last-modified': modified }) });
  }
  const headers: Headers = { 'accept-ranges': 'bytes', ...tagged, 'last-modified': modified };
  const range = rangeOf(context, content);
  if (range === 'unsatisfiable') {
    return {
      type: 'bytes',
      code: 416,
      contentType: 'text/plain; charset=utf-8',
      bytes: 'invalid range: failed to overlap\n',
      headers: { ...headers, 'content-range': `bytes */${bytes.length}`, 'x-content-type-options': 'nosniff' },
    };
  }
  if (range === undefined) return { type: 'bytes', code: 200, contentType, bytes, headers };
  const { from, to } = range;
  headers['content-range'] = `bytes ${from}-${to}/${bytes.length}`;
  return { type: 'bytes', code: 206, contentType, bytes: bytes.subarray(from, to + 1), headers };
}

/** Source: RFC 9110, section 13.2.2. */
function precondition(context: RequestContext, { etag, modifiedMs }: Content): 'failed' | 'unchanged' | undefined {
  const said = (name: string) => {
    const value = context.headers[name];
    return value === undefined ? undefined : String(value);
  };
  // Dates have whole seconds.
  const modified = Math.floor(modifiedMs / 1000) * 1000;
  const isRead = context.method === 'GET' || context.method === 'HEAD';
  const match = said('if-match');
  const unmodifiedSince = Date.parse(said('if-unmodified-since') ?? '');
  if (match !== undefined) {
    if (!names(match, etag, false)) return 'failed';
  } else if (modified > unmodifiedSince) return 'failed';
  const noneMatch = said('if-none-match');
  if (noneMatch !== undefined) {
    if (!names(noneMatch, etag, true)) return undefined;
    return isRead ? 'unchanged' : 'failed';
  }
  return isRead && modified <= Date.parse(said('if-modified-since') ?? '') ? 'unchanged' : undefined;
}

/** Whether a list of tags has this one; `*` has every one. */
function names(list: string, etag: string | undefined, weakly: boolean): boolean {
  return list.split(',').some((one) => {
    const tag = one.trim();
    return tag === '*' || (etag !== undefined && (weakly ? tag.replace(/^W\//, '') : tag) === etag);
  });
}

/** Both ends are inclusive. */
function rangeOf(
  { method, headers }: RequestContext,
  { bytes, etag, modifiedMs }: Content,
): { from: number; to: number } | 'unsatisfiable' | undefined {
  if (method !== 'GET' && method !== 'HEAD') return undefined;
  const match = /^bytes=(\d*)-(\d*)$/.exec(String(headers['range'] ?? ''));
  if (match === null) return undefined;
  const condition = headers['if-range'];
  if (condition !== undefined) {
    const isSame = String(condition) === etag || Date.parse(String(condition)) === Math.floor(modifiedMs / 1000) * 1000;
    if (!isSame) return undefined;
  }
  const [first, last] = [match[1]!, match[2]!];
  if (first === '' && last === '') return undefined;
  const size = bytes.length;
  const from = first === '' ? Math.max(size - Number(last), 0) : Number(first);
  const to = first === '' || last === '' ? size - 1 : Math.min(Number(last), size - 1);
  if (first !== '' && last !== '' && Number(last) < Number(first)) return undefined;
  return from >= size || to < from ? 'unsatisfiable' : { from, to };
}
