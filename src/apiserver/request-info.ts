import { exactFieldValue } from '../api/selectors/field-selectors.ts';
import { table } from '../base/table.ts';

/**
 * What a path asks for, after the tenant's prefix is taken off. Source: apiserver's RequestInfoFactory, and the URL
 * scheme of https://kubernetes.io/docs/reference/using-api/api-concepts/.
 */
export interface RequestInfo {
  /** The tenant named by `/clusters/TENANT`, `*` for every one; undefined without prefix. */
  tenantPrefix?: string;
  /** Without the tenant's prefix, decoded: what is authorized and served. A segment with an encoded slash stays as sent. */
  path: string;
  /** The same as sent, for whoever passes it on. */
  rawPath: string;
  isResourceRequest: boolean;
  /**
   * get list watch create update patch delete deletecollection, or '' for other methods; the lower-case method for
   * non-resource requests.
   */
  verb: string;
  group: string;
  version: string;
  /** '' when not a resource request. */
  resource: string;
  subresource: string;
  /** '' for cluster-scoped requests and those across namespaces. */
  namespace: string;
  /** '' for collections, unless a fieldSelector pins metadata.name on list and watch. */
  name: string;
  /** True when the path itself names one object. */
  hasNameInPath: boolean;
  /** What follows the subresource (`proxy/a/b` gives `a/b`), still URI-encoded. */
  rest: string;
}

/** What the verbs need of a query; URLSearchParams is one. */
export interface Query {
  get(name: string): string | null;
  getAll(name: string): string[];
  has(name: string): boolean;
}

const verbsByMethod = table<string>({
  GET: 'get',
  HEAD: 'get',
  POST: 'create',
  PUT: 'update',
  PATCH: 'patch',
  DELETE: 'delete',
});

/** Subresources of namespaces; any other third segment names a resource in the namespace. */
const namespaceSubresources = new Set(['status', 'finalize']);

export class MalformedPathError extends Error {}

function decodeSegment(segment: string): string {
  if (!segment.includes('%')) return segment;
  try {
    return decodeURIComponent(segment);
  } catch {
    throw new MalformedPathError(`malformed escape in path segment ${JSON.stringify(segment)}`);
  }
}

function decodedWhole(segment: string): string {
  const decoded = decodeSegment(segment);
  return decoded.includes('/') ? segment : decoded;
}

export function isTrue(value: string | null): boolean {
  // As Go's conversion of query parameters to bool: present and not "false" or "0" is true.
  return value !== null && value !== 'false' && value !== '0';
}

/** @throws MalformedPathError for a segment that is no URI-encoded text. */
export function parseRequestInfo(method: string, fullPath: string, query: Query): RequestInfo {
  let path = fullPath;
  let tenantPrefix: string | undefined;
  if (fullPath.startsWith('/clusters/')) {
    const slash = fullPath.indexOf('/', 10);
    tenantPrefix = decodeSegment(slash < 0 ? fullPath.slice(10) : fullPath.slice(10, slash));
    path = slash < 0 ? '/' : fullPath.slice(slash);
  }
  const rawSegments = path.split('/');
  // A slash that is encoded separates nothing: names in paths are others' words at times, and must not become more than one.
  const segments = path.includes('%') ? rawSegments.map(decodedWhole) : rawSegments;
  const info: RequestInfo = {
    tenantPrefix,
    path: segments === rawSegments ? path : segments.join('/'),
    rawPath: path,
    isResourceRequest: false,
    verb: method.toLowerCase(),
    group: '',
    version: '',
    resource: '',
    subresource: '',
    namespace: '',
    name: '',
    hasNameInPath: false,
    rest: '',
  };

  // '' api v1 pods | '' apis apps v1 deployments. Empty ones count, but for those at the end: what stands after them must
  // not pass for a path of discovery, which everybody may read.
  let count = segments.length;
  while (count > 1 && segments[count - 1] === '') count--;
  let at: number;
  if (segments[1] === 'api' && count > 3) {
    info.version = segments[2]!;
    at = 3;
  } else if (segments[1] === 'apis' && count > 4) {
    info.group = segments[2]!;
    info.version = segments[3]!;
    at = 4;
  } else {
    return info;
  }
  info.isResourceRequest = true;
  info.verb = verbsByMethod[method] ?? '';

  // The old form of watches: /api/v1/watch/namespaces/...
  let oldWatch = false;
  if (segments[at] === 'watch' && count > at + 1) {
    oldWatch = true;
    at += 1;
  }
  if (segments[at] === 'namespaces' && count > at + 1) {
    info.namespace = decodeSegment(rawSegments[at + 1]!);
    if (count > at + 2 && !namespaceSubresources.has(segments[at + 2]!)) at += 2;
  }
  info.resource = decodeSegment(rawSegments[at] ?? '');
  if (segments[at + 1] !== undefined && segments[at + 1] !== '') {
    info.name = decodeSegment(rawSegments[at + 1]!);
    info.hasNameInPath = true;
  }
  if (segments[at + 2] !== undefined) info.subresource = decodeSegment(rawSegments[at + 2]!);
  if (segments.length > at + 3) info.rest = rawSegments.slice(at + 3).join('/');

  if (oldWatch) {
    info.verb = 'watch';
  } else if (!info.hasNameInPath && info.verb === 'get') {
    info.verb = isTrue(query.get('watch')) ? 'watch' : 'list';
  } else if (!info.hasNameInPath && info.verb === 'delete') {
    info.verb = 'deletecollection';
  }
  // Who deletes a collection needs to be allowed to delete any of it, whatever is selected.
  if (!info.hasNameInPath && (info.verb === 'list' || info.verb === 'watch')) {
    info.name = nameInFieldSelector(query.get('fieldSelector'));
  }
  return info;
}

/** `metadata.name=x` alone or among other terms: authorization may then be for that one object. */
function nameInFieldSelector(selector: string | null): string {
  const name = exactFieldValue(selector ?? '', 'metadata.name') ?? '';
  return name === '.' || name === '..' || /[/%]/.test(name) ? '' : name;
}
