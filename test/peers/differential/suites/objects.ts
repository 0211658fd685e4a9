import type { Twin } from '../twin.ts';

export const TABLE = 'application/json;as=Table;v=v1;g=meta.k8s.io,application/json';
export const PARTIAL = 'application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io,application/json';
export const PARTIAL_LIST = 'application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io,application/json';
export const PROTOBUF = 'application/vnd.kubernetes.protobuf';
export const MERGE = 'application/merge-patch+json';
export const JSON_PATCH = 'application/json-patch+json';
export const STRATEGIC = 'application/strategic-merge-patch+json';
export const APPLY = 'application/apply-patch+yaml';

/** A namespace that takes pods. */
export async function makeNamespace(twin: Twin, name: string): Promise<void> {
  await twin.prepare({ method: 'POST', path: '/api/v1/namespaces', body: { metadata: { name } } });
  await twin.prepare({
    method: 'POST',
    path: `/api/v1/namespaces/${name}/serviceaccounts`,
    body: { metadata: { name: 'default' } },
  });
}

/** A copy for a namespace. */
export function plain(object: any, namespace: string): any {
  const copy = structuredClone(object);
  if (copy.metadata.namespace !== undefined) copy.metadata.namespace = namespace;
  return copy;
}

/** Scheduled by nobody. */
export function pod(name: string, more: { metadata?: object; spec?: object } = {}): any {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, ...more.metadata },
    spec: { schedulerName: 'nobody', containers: [{ name: 'main', image: 'registry.example/image:1' }], ...more.spec },
  };
}

export function configMap(name: string, data: Record<string, string> = { a: '1' }, metadata: object = {}): any {
  return { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, ...metadata }, data };
}
