import type { Draft, GroupVersionResource, KubeObject } from '../api/object.ts';
import { JSON_PATCH, MERGE_PATCH, STRATEGIC_MERGE_PATCH } from '../api/patch/media-types.ts';
import type { Transport } from '../api/transport.ts';

export { ALL_TENANTS, SYSTEM_TENANT } from '../api/tenants.ts';

export type PatchType = 'merge' | 'strategic' | 'json';

const patchContentTypes: Record<PatchType, string> = {
  merge: MERGE_PATCH,
  strategic: STRATEGIC_MERGE_PATCH,
  json: JSON_PATCH,
};

export interface ListOptions {
  labelSelector?: string;
  fieldSelector?: string;
  limit?: number;
  continue?: string;
  resourceVersion?: string;
}

export interface DeleteOptions {
  gracePeriodSeconds?: number;
  propagationPolicy?: 'Background' | 'Foreground' | 'Orphan';
  preconditions?: { uid?: string; resourceVersion?: string };
}

export interface ObjectList<T> {
  metadata: { resourceVersion: string; continue?: string; remainingItemCount?: number };
  items: T[];
}

/** The path of a collection. `namespace` undefined: cluster-scoped, or a namespaced resource across namespaces. */
export function collectionPath(tenant: string, gvr: GroupVersionResource, namespace?: string): string {
  const root = gvr.group === '' ? `/api/${gvr.version}` : `/apis/${gvr.group}/${gvr.version}`;
  const scope = namespace === undefined ? '' : `/namespaces/${encodeURIComponent(namespace)}`;
  return `/clusters/${tenant}${root}${scope}/${gvr.resource}`;
}

/** One resource in one tenant and (if namespaced) one namespace. Returned objects are shared: never mutate them. */
export class ResourceClient<T extends KubeObject = KubeObject> {
  readonly #transport: Transport;
  readonly #path: string;

  constructor(transport: Transport, tenant: string, gvr: GroupVersionResource, namespace?: string) {
    this.#transport = transport;
    this.#path = collectionPath(tenant, gvr, namespace);
  }

  #item(name: string, subresource?: string): string {
    const path = `${this.#path}/${encodeURIComponent(name)}`;
    return subresource === undefined ? path : `${path}/${subresource}`;
  }

  get(name: string): Promise<T> {
    return this.#transport.request({ method: 'GET', path: this.#item(name) });
  }

  list(options: ListOptions = {}): Promise<ObjectList<T>> {
    const query: Record<string, string> = {};
    for (const [key, value] of Object.entries(options)) if (value !== undefined) query[key] = String(value);
    return this.#transport.request({ method: 'GET', path: this.#path, query });
  }

  create(object: Draft<T>): Promise<T> {
    return this.#transport.request({ method: 'POST', path: this.#path, body: object });
  }

  /** POST to a subresource of one object: `binding`, `eviction`, `token`. */
  createSubresource<R = KubeObject>(name: string, subresource: string, body: unknown): Promise<R> {
    return this.#transport.request({ method: 'POST', path: this.#item(name, subresource), body });
  }

  update(object: T): Promise<T> {
    return this.#transport.request({ method: 'PUT', path: this.#item(object.metadata.name), body: object });
  }

  updateStatus(object: T): Promise<T> {
    return this.#transport.request({ method: 'PUT', path: this.#item(object.metadata.name, 'status'), body: object });
  }

  patch(name: string, type: PatchType, patch: unknown, subresource?: string): Promise<T> {
    return this.#transport.request({
      method: 'PATCH',
      path: this.#item(name, subresource),
      body: patch,
      contentType: patchContentTypes[type],
    });
  }

  delete(name: string, options: DeleteOptions = {}): Promise<KubeObject> {
    return this.#transport.request({
      method: 'DELETE',
      path: this.#item(name),
      body: { kind: 'DeleteOptions', apiVersion: 'v1', ...options },
    });
  }

  deleteCollection(options: DeleteOptions = {}, list: ListOptions = {}): Promise<KubeObject> {
    const query: Record<string, string> = {};
    for (const [key, value] of Object.entries(list)) if (value !== undefined) query[key] = String(value);
    return this.#transport.request({
      method: 'DELETE',
      path: this.#path,
      query,
      body: { kind: 'DeleteOptions', apiVersion: 'v1', ...options },
    });
  }
}

export class Client {
  readonly transport: Transport;

  constructor(transport: Transport) {
    this.transport = transport;
  }

  resource<T extends KubeObject = KubeObject>(
    tenant: string,
    gvr: GroupVersionResource,
    namespace?: string,
  ): ResourceClient<T> {
    return new ResourceClient<T>(this.transport, tenant, gvr, namespace);
  }

  /** The same, for writers that look at no answer but for its metadata. */
  forWriting(): Client {
    const { transport } = this;
    return new Client({
      request: (request) => transport.request({ ...request, metadataOnly: true }),
      watch: (request) => transport.watch(request),
    });
  }

  /** The client for an object read earlier: its tenant and namespace are in its metadata. */
  for<T extends KubeObject>(gvr: GroupVersionResource, object: T): ResourceClient<T> {
    if (object.metadata.clusterName === undefined) throw new Error('the object does not say its tenant');
    return new ResourceClient<T>(this.transport, object.metadata.clusterName, gvr, object.metadata.namespace);
  }
}
