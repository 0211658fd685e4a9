import { randomUUID } from 'node:crypto';
import type { KubeObject } from '../../api/object.ts';
import { formatTime } from '../../api/object.ts';
import { JSON_PATCH, STRATEGIC_MERGE_PATCH } from '../../api/patch/media-types.ts';
import { alreadyExists, badRequest, conflict, expired, notFound, objectModified } from '../../api/status.ts';
import type { ApiRequest, ApiWatchRequest, Transport, WatchEvent } from '../../api/transport.ts';
import { matchesSelectors } from './selectors.ts';

interface Target {
  tenant: string;
  group: string;
  version: string;
  resource: string;
  namespace?: string;
  name?: string;
  subresource?: string;
}

interface Watcher {
  target: Target;
  query: Record<string, string>;
  deliver(events: WatchEvent[]): void;
  fail(error: Error): void;
}

export interface FakeTransportOptions {
  now?: () => number;
  /** Sees each request before it is served; what it throws is the answer. */
  onRequest?: (request: ApiRequest) => void | Promise<void>;
  /** false: objects carry no clusterName, as on another Kubernetes API server. */
  hasTenants?: boolean;
}

const kindOf: Record<string, string> = {
  endpoints: 'Endpoints',
  endpointslices: 'EndpointSlice',
  replicasets: 'ReplicaSet',
  statefulsets: 'StatefulSet',
  daemonsets: 'DaemonSet',
  configmaps: 'ConfigMap',
  serviceaccounts: 'ServiceAccount',
  cronjobs: 'CronJob',
  controllerrevisions: 'ControllerRevision',
  replicationcontrollers: 'ReplicationController',
  poddisruptionbudgets: 'PodDisruptionBudget',
};

/**
 * An API server in memory for tests of components: resourceVersions, conflicts, uids, generation, status and finalize
 * subresources, merge patches, finalizers, graceful deletion of pods that have a node, list and watch. It defaults and
 * validates nothing and does no garbage collection.
 */
export class FakeTransport implements Transport {
  readonly #options: FakeTransportOptions;
  readonly #objects = new Map<string, KubeObject>();
  readonly #watchers = new Set<Watcher>();
  #history: { revision: number; path: string; event: WatchEvent; before?: KubeObject }[] = [];
  #oldestRevision = 0;
  #revision = 1;
  /** Every write, in order, for assertions. */
  readonly writes: ApiRequest[] = [];
  requestCount = 0;

  constructor(options: FakeTransportOptions = {}) {
    this.#options = options;
  }

  get watcherCount(): number {
    return this.#watchers.size;
  }

  get revision(): number {
    return this.#revision;
  }

  async request<T>(request: ApiRequest): Promise<T> {
    this.requestCount++;
    await this.#options.onRequest?.(request);
    // An answer never comes in the caller's own turn of the event loop, and a loop of requests never starves timers.
    await new Promise((resolve) => setImmediate(resolve));
    if (request.method !== 'GET') this.writes.push(request);
    const target = parsePath(request.path);
    return (await this.#serve(request, target)) as T;
  }

  #serve(request: ApiRequest, target: Target): unknown {
    switch (request.method) {
      case 'GET':
        return target.name === undefined ? this.#list(target, request.query ?? {}) : this.#get(target);
      case 'POST':
        return this.#post(target, structuredClone(request.body) as KubeObject);
      case 'PUT':
        return this.#put(target, structuredClone(request.body) as KubeObject);
      case 'PATCH':
        return this.#patch(target, request);
      case 'DELETE':
        if (target.name === undefined) {
          for (const object of this.#matching(target, request.query ?? {})) {
            this.#delete({ ...target, name: object.metadata.name }, request.body as any);
          }
          return { kind: 'Status', status: 'Success' };
        }
        return this.#delete(target, request.body as any);
    }
  }

  #key(target: Target, name = target.name): string {
    return `${target.group}/${target.resource}/${target.tenant}/${target.namespace ?? ''}/${name}`;
  }

  #get(target: Target): KubeObject {
    const object = this.#objects.get(this.#key(target));
    if (object === undefined) throw notFound(target, target.name!);
    return object;
  }

  #matching(target: Target, query: Record<string, string>): KubeObject[] {
    const prefix = `${target.group}/${target.resource}/`;
    const found: KubeObject[] = [];
    for (const [key, object] of this.#objects) {
      if (key.startsWith(prefix) && inScope(target, key) && matchesSelectors(object, query)) found.push(object);
    }
    return found;
  }

  #list(target: Target, query: Record<string, string>): unknown {
    return { metadata: { resourceVersion: String(this.#revision) }, items: this.#matching(target, query) };
  }

  #post(target: Target, body: KubeObject): KubeObject {
    if (target.subresource === 'binding') {
      const pod = structuredClone(this.#get(target));
      const field = target.resource === 'containerinstances' ? 'hostName' : 'nodeName';
      pod['spec'] = { ...pod['spec'], [field]: body['target'].name };
      return this.#store({ ...target, subresource: undefined as never }, pod);
    }
    if (target.subresource !== undefined) throw badRequest(`the fake does not serve POST ${target.subresource}`);
    const name =
      body.metadata.name ??
      `${body.metadata.generateName ?? ''}${Math.random().toString(36).slice(2, 7).padEnd(5, 'x')}`;
    const key = this.#key(target, name);
    if (this.#objects.has(key)) throw alreadyExists(target, name);
    const { status: _status, ...rest } = body;
    const object: KubeObject = {
      ...rest,
      apiVersion: body.apiVersion ?? (target.group === '' ? target.version : `${target.group}/${target.version}`),
      kind: body.kind ?? kindOf[target.resource] ?? singularKind(target.resource),
      metadata: {
        ...body.metadata,
        name,
        ...(target.namespace !== undefined && { namespace: target.namespace }),
        uid: randomUUID(),
        creationTimestamp: formatTime(this.#options.now?.() ?? Date.now()),
        generation: 1,
        resourceVersion: '',
      },
      // Tests may create an object in any state; a real server would reset it.
      ...(body['status'] !== undefined && { status: body['status'] }),
    };
    return this.#store({ ...target, name }, object);
  }

  #put(target: Target, body: KubeObject): KubeObject {
    const current = this.#get(target);
    const asked = body.metadata.resourceVersion;
    if (asked !== undefined && asked !== '' && asked !== current.metadata.resourceVersion) {
      throw objectModified(target, target.name!);
    }
    if (body.metadata.uid !== undefined && body.metadata.uid !== current.metadata.uid) {
      throw conflict(target, target.name!, `Precondition failed: UID in precondition: ${body.metadata.uid}`);
    }
    return this.#change(target, current, body);
  }

  #change(target: Target, current: KubeObject, body: KubeObject): KubeObject {
    let next: KubeObject;
    if (target.subresource === 'status' || target.subresource === 'approval') {
      next = { ...current, status: body['status'] };
    } else {
      next = { ...body, status: current['status'] };
      if (target.subresource === 'finalize') next = { ...current, spec: body['spec'] };
      const { uid, creationTimestamp, deletionTimestamp, deletionGracePeriodSeconds, generation } = current.metadata;
      next.metadata = { ...next.metadata, uid, creationTimestamp };
      if (deletionTimestamp !== undefined)
        Object.assign(next.metadata, { deletionTimestamp, deletionGracePeriodSeconds });
      const specChanged = JSON.stringify(next['spec']) !== JSON.stringify(current['spec']);
      next.metadata.generation = (generation ?? 1) + (specChanged ? 1 : 0);
    }
    next.metadata = { ...next.metadata };
    delete next.metadata.clusterName;
    if (isSame(current, next)) return current;
    if (
      next.metadata.deletionTimestamp !== undefined &&
      next.metadata.deletionGracePeriodSeconds === 0 &&
      (next.metadata.finalizers ?? []).length === 0 &&
      (target.resource !== 'namespaces' || (next['spec']?.finalizers ?? []).length === 0)
    ) {
      return this.#remove(target, next);
    }
    return this.#store(target, next);
  }

  #patch(target: Target, request: ApiRequest): KubeObject {
    if (request.contentType === JSON_PATCH) throw badRequest('the fake serves merge patches only');
    const current = this.#get(target);
    const patch = request.body as any;
    const asked = patch?.metadata?.resourceVersion;
    if (asked !== undefined && asked !== current.metadata.resourceVersion) throw objectModified(target, target.name!);
    if (patch?.metadata?.uid !== undefined && patch.metadata.uid !== current.metadata.uid) {
      throw conflict(target, target.name!, 'the uid differs');
    }
    const merged = mergePatch(structuredClone(current), patch) as KubeObject;
    if (request.contentType === STRATEGIC_MERGE_PATCH && patch?.status?.conditions !== undefined) {
      merged['status'].conditions = mergeByType(current['status']?.conditions ?? [], patch.status.conditions);
    }
    return this.#change(target, current, merged);
  }

  #delete(target: Target, options: any): KubeObject {
    const current = this.#get(target);
    const { uid, resourceVersion } = options?.preconditions ?? {};
    if (uid !== undefined && uid !== current.metadata.uid) throw conflict(target, target.name!, 'the uid differs');
    if (resourceVersion !== undefined && resourceVersion !== current.metadata.resourceVersion) {
      throw conflict(target, target.name!, 'the resourceVersion differs');
    }
    const next = structuredClone(current);
    const finalizers = new Set(next.metadata.finalizers ?? []);
    if (options?.propagationPolicy === 'Foreground') finalizers.add('foregroundDeletion');
    if (options?.propagationPolicy === 'Orphan') finalizers.add('orphan');
    if (finalizers.size > 0) next.metadata.finalizers = [...finalizers];
    const isBoundPod = target.resource === 'pods' && (current['spec']?.nodeName ?? '') !== '';
    const isOver = ['Succeeded', 'Failed'].includes(current['status']?.phase);
    // An instance with a host stays until its host has cleared it away.
    const isPlacedInstance = target.resource === 'containerinstances' && (current['spec']?.hostName ?? '') !== '';
    const graceSeconds =
      (isBoundPod && !isOver) || isPlacedInstance
        ? (options?.gracePeriodSeconds ?? current['spec']?.terminationGracePeriodSeconds ?? 30)
        : 0;
    const isHeld =
      finalizers.size > 0 || (target.resource === 'namespaces' && (current['spec']?.finalizers ?? []).length > 0);
    if (graceSeconds === 0 && !isHeld) return this.#remove(target, next);
    if (
      current.metadata.deletionTimestamp !== undefined &&
      current.metadata.deletionGracePeriodSeconds === graceSeconds
    ) {
      return current;
    }
    next.metadata.deletionTimestamp ??= formatTime(this.#options.now?.() ?? Date.now());
    next.metadata.deletionGracePeriodSeconds = graceSeconds;
    if (target.resource === 'namespaces') next['status'] = { ...next['status'], phase: 'Terminating' };
    return this.#store(target, next);
  }

  #store(target: Target, object: KubeObject): KubeObject {
    const key = this.#key(target, object.metadata.name);
    const before = this.#objects.get(key);
    const stored: KubeObject = {
      ...object,
      metadata: {
        ...object.metadata,
        resourceVersion: String(++this.#revision),
        ...(this.#options.hasTenants !== false && { clusterName: target.tenant }),
      },
    };
    if (this.#options.hasTenants === false) delete stored.metadata.clusterName;
    this.#objects.set(key, stored);
    this.#emit(key, { type: before === undefined ? 'ADDED' : 'MODIFIED', object: stored }, before);
    return stored;
  }

  #remove(target: Target, object: KubeObject): KubeObject {
    const key = this.#key(target, object.metadata.name);
    const before = this.#objects.get(key);
    this.#objects.delete(key);
    const last = { ...object, metadata: { ...object.metadata, resourceVersion: String(++this.#revision) } };
    if (this.#options.hasTenants !== false) last.metadata.clusterName = target.tenant;
    this.#emit(key, { type: 'DELETED', object: last }, before);
    return last;
  }

  #emit(key: string, event: WatchEvent, before?: KubeObject): void {
    const record = { revision: this.#revision, path: key, event, ...(before !== undefined && { before }) };
    this.#history.push(record);
    if (this.#history.length > 20_000) this.compact(this.#history[10_000]!.revision);
    for (const watcher of [...this.#watchers]) {
      const seen = visible(watcher, record);
      if (seen !== undefined) queueMicrotask(() => this.#watchers.has(watcher) && watcher.deliver([seen]));
    }
  }

  watch(request: ApiWatchRequest): Promise<void> {
    const target = parsePath(request.path);
    const query = request.query ?? {};
    const after = Number(query['resourceVersion'] ?? 0);
    if (after < this.#oldestRevision) return Promise.reject(expired());
    return new Promise((resolve, reject) => {
      if (request.signal.aborted) return resolve();
      const end = () => {
        this.#watchers.delete(watcher);
        request.signal.removeEventListener('abort', end);
        resolve();
      };
      const watcher: Watcher = {
        target,
        query,
        deliver: (events) => request.onEvents(events),
        fail: (error) => {
          this.#watchers.delete(watcher);
          request.signal.removeEventListener('abort', end);
          reject(error);
        },
      };
      request.signal.addEventListener('abort', end, { once: true });
      this.#watchers.add(watcher);
      const missed = this.#history
        .filter((record) => record.revision > after)
        .map((record) => visible(watcher, record))
        .filter((event) => event !== undefined);
      if (missed.length > 0) queueMicrotask(() => request.onEvents(missed));
    });
  }

  /** Forgets history, so that older resourceVersions answer 410. */
  compact(revision = this.#revision): void {
    this.#history = this.#history.filter((record) => record.revision > revision);
    this.#oldestRevision = revision;
  }

  /** Ends all watches as a broken connection does. */
  breakWatches(error: Error = new Error('connection lost')): void {
    for (const watcher of [...this.#watchers]) watcher.fail(error);
  }

  sendBookmarks(): void {
    for (const watcher of this.#watchers) {
      const metadata = { resourceVersion: String(this.#revision) } as KubeObject['metadata'];
      watcher.deliver([{ type: 'BOOKMARK', object: { metadata } }]);
    }
  }

  /** All objects of a resource in every tenant, for assertions. */
  all(resource: string): KubeObject[] {
    return [...this.#objects].filter(([key]) => key.split('/')[1] === resource).map(([, object]) => object);
  }
}

function visible(
  watcher: Watcher,
  record: { path: string; event: WatchEvent; before?: KubeObject },
): WatchEvent | undefined {
  const { target, query } = watcher;
  if (!record.path.startsWith(`${target.group}/${target.resource}/`) || !inScope(target, record.path)) return undefined;
  if (query['labelSelector'] === undefined && query['fieldSelector'] === undefined) return record.event;
  const { type, object } = record.event;
  const did = record.before !== undefined && matchesSelectors(record.before, query);
  const does = type !== 'DELETED' && matchesSelectors(object, query);
  if (!did && !does) return undefined;
  return { type: did ? (does ? 'MODIFIED' : 'DELETED') : 'ADDED', object };
}

function inScope(target: Target, key: string): boolean {
  const [, , tenant, namespace] = key.split('/');
  return (
    (target.tenant === '*' || target.tenant === tenant) &&
    (target.namespace === undefined || target.namespace === namespace)
  );
}

function parsePath(path: string): Target {
  const segments = path.split('/').slice(1).map(decodeURIComponent);
  if (segments[0] !== 'clusters') throw badRequest(`no tenant in ${path}`);
  const tenant = segments[1]!;
  const isCore = segments[2] === 'api';
  const group = isCore ? '' : segments[3]!;
  const version = isCore ? segments[3]! : segments[4]!;
  const rest = segments.slice(isCore ? 4 : 5);
  let namespace: string | undefined;
  // `namespaces/NAME/finalize` and `/status` are about the namespace itself.
  if (rest[0] === 'namespaces' && rest.length >= 3 && !['finalize', 'status'].includes(rest[2]!)) {
    namespace = rest[1]!;
    rest.splice(0, 2);
  }
  return {
    tenant,
    group,
    version,
    resource: rest[0]!,
    ...(namespace !== undefined && { namespace }),
    ...(rest[1] !== undefined && { name: rest[1] }),
    ...(rest[2] !== undefined && { subresource: rest[2] }),
  };
}

function singularKind(resource: string): string {
  const singular = resource.endsWith('ies')
    ? `${resource.slice(0, -3)}y`
    : resource.endsWith('sses')
      ? resource.slice(0, -2)
      : resource.replace(/s$/, '');
  return singular.charAt(0).toUpperCase() + singular.slice(1);
}

function isSame(a: KubeObject, b: KubeObject): boolean {
  const plain = (object: KubeObject) =>
    JSON.stringify({ ...object, metadata: { ...object.metadata, clusterName: undefined, resourceVersion: undefined } });
  return plain(a) === plain(b);
}

/** The one list that strategic patches of components merge. */
function mergeByType(current: any[], patch: any[]): unknown[] {
  const merged = new Map(current.map((condition) => [condition.type, condition]));
  for (const condition of patch) merged.set(condition.type, mergePatch(merged.get(condition.type), condition));
  return [...merged.values()];
}

/** RFC 7386. */
function mergePatch(target: unknown, patch: unknown): unknown {
  if (patch === null || typeof patch !== 'object' || Array.isArray(patch)) return patch;
  const result: Record<string, unknown> =
    target !== null && typeof target === 'object' && !Array.isArray(target) ? { ...target } : {};
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) delete result[key];
    else result[key] = mergePatch(result[key], value);
  }
  return result;
}
