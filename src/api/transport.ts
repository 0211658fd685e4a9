import type { KubeObject } from './object.ts';

/**
 * How the Kubernetes API is spoken: over HTTP(S) (`client/http-transport.ts`), or straight into the API server of the
 * same process (`apiserver/in-process.ts`). Both go through the same filters and verbs.
 */
export interface ApiRequest {
  method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /** Absolute, with the tenant's prefix: `/clusters/default/api/v1/namespaces/a/pods/b`. Segments are URI-encoded. */
  path: string;
  query?: Record<string, string>;
  /** The object, the patch document or the options, as a JSON value. Not mutated, not kept. */
  body?: unknown;
  /** Of a patch: `application/merge-patch+json`, `application/strategic-merge-patch+json`, `application/json-patch+json`. */
  contentType?: string;
  signal?: AbortSignal;
  /** The caller looks at no more than the answer's metadata: over a network, the rest stays where it is. */
  metadataOnly?: boolean;
}

export interface WatchEvent<T extends KubeObject = KubeObject> {
  type: 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK';
  /** Shared: never mutate. */
  object: T;
}

export interface ApiWatchRequest {
  path: string;
  /** `resourceVersion`, `labelSelector`, `fieldSelector`, `allowWatchBookmarks`, ... (`watch=true` is added). */
  query?: Record<string, string>;
  signal: AbortSignal;
  onEvents(events: WatchEvent[]): void;
}

export interface Transport {
  /** The parsed answer (shared: never mutate). Rejects with StatusError for every status >= 400. */
  request<T = KubeObject>(request: ApiRequest): Promise<T>;
  /**
   * Resolves when the server ends the watch or the signal aborts; rejects with StatusError (410 when the
   * resourceVersion is too old).
   */
  watch(request: ApiWatchRequest): Promise<void>;
}
