/**
 * The shape every API object shares. Objects handed out by the watch cache, informers and the in-process transport are
 * SHARED: never mutate one; copy what you change (`{...pod, status: {...}}` or structuredClone).
 */
export interface OwnerReference {
  apiVersion: string;
  kind: string;
  name: string;
  uid: string;
  controller?: boolean;
  blockOwnerDeletion?: boolean;
}

export interface ObjectMeta {
  name: string;
  generateName?: string;
  namespace?: string;
  uid: string;
  resourceVersion: string;
  generation?: number;
  /** RFC 3339, seconds, UTC. */
  creationTimestamp: string;
  deletionTimestamp?: string;
  deletionGracePeriodSeconds?: number;
  labels?: Record<string, string>;
  annotations?: Record<string, string>;
  ownerReferences?: OwnerReference[];
  finalizers?: string[];
  managedFields?: unknown[];
  /**
   * The tenant (logical cluster) the object lives in. Present only on objects read through `/clusters/*` paths or the
   * in-process transport; never stored, never shown to tenants, stripped from every write.
   */
  clusterName?: string;
}

export interface KubeObject {
  apiVersion?: string;
  kind?: string;
  metadata: ObjectMeta;
  // Built-in and custom resources take the same path, so the machinery sees fields it has no static type for.
  [field: string]: any;
}

/** What a creator writes: the server fills in the rest of metadata. */
export type Draft<T> = Omit<T, 'metadata'> & { metadata: Partial<ObjectMeta> };

export interface GroupVersionResource {
  /** '' is the core group. */
  group: string;
  version: string;
  /** Plural, lower case: `pods`. */
  resource: string;
}

export interface GroupResource {
  group: string;
  resource: string;
}

export interface GroupVersionKind {
  group: string;
  version: string;
  kind: string;
}

/** `v1` for the core group, `apps/v1` otherwise. */
export function apiVersionOf(gv: { group: string; version: string }): string {
  return gv.group === '' ? gv.version : `${gv.group}/${gv.version}`;
}

export function parseApiVersion(apiVersion: string): { group: string; version: string } {
  const slash = apiVersion.indexOf('/');
  return slash < 0
    ? { group: '', version: apiVersion }
    : { group: apiVersion.slice(0, slash), version: apiVersion.slice(slash + 1) };
}

/** RFC 3339 with seconds, as metav1.Time is written. */
export function formatTime(epochMs: number): string {
  // Busy times ask for the same second over and over.
  const second = Math.floor(epochMs / 1000);
  if (second !== lastSecond) {
    lastText = `${new Date(epochMs).toISOString().slice(0, 19)}Z`;
    lastSecond = second;
  }
  return lastText;
}
let lastSecond = Number.NaN;
let lastText = '';

/** RFC 3339 with microseconds, as metav1.MicroTime is written. */
export function formatMicroTime(epochMs: number): string {
  return `${new Date(epochMs).toISOString().slice(0, 23)}000Z`;
}
