import type { KubeObject } from '../../../api/object.ts';
import { copyField } from './metadata.ts';

/**
 * Subresources that write one part of an object: each takes its part out of what was sent and leaves the rest as it is.
 * `old` is shared: never mutate.
 */
export const parts: Record<string, (sent: KubeObject, old: KubeObject) => KubeObject> = {
  finalize: (sent, old) => withSpec(old, { finalizers: sent['spec']?.finalizers }),
  ephemeralcontainers: (sent, old) => withSpec(old, { ephemeralContainers: sent['spec']?.ephemeralContainers }),
  resize: (sent, old) =>
    withSpec(old, {
      containers: withResources(sent['spec']?.containers, old['spec'].containers),
      initContainers: withResources(sent['spec']?.initContainers, old['spec'].initContainers),
      resources: sent['spec']?.resources,
    }),
  approval: (sent, old) => ({ ...old, status: { ...old['status'], conditions: sent['status']?.conditions } }),
};

/** Those by which labels, annotations and the like may change too. */
const withMetadata = new Set(['approval', 'finalize']);

/** Makes `object` the old one but for the subresource's part and the metadata that goes with every write. */
export function restrictTo(subresource: string, object: KubeObject, old: KubeObject): void {
  const merged = parts[subresource]!(object, old);
  for (const field of new Set([...Object.keys(object), ...Object.keys(old)])) {
    if (field !== 'metadata') copyField(object, merged, field);
  }
  if (withMetadata.has(subresource)) return;
  const { resourceVersion, managedFields } = object.metadata;
  object.metadata = { ...old.metadata, resourceVersion };
  copyField(object.metadata, { managedFields }, 'managedFields');
}

function withSpec(old: KubeObject, fields: Record<string, unknown>): KubeObject {
  const spec: Record<string, unknown> = { ...old['spec'] };
  for (const field of Object.keys(fields)) copyField(spec, fields, field);
  return { ...old, spec };
}

/** The old containers with the sizes that were sent; other changes are ignored. More, fewer and others are validation's. */
function withResources(sent: any[] | undefined, old: any[] | undefined): unknown[] | undefined {
  if ((sent?.length ?? 0) !== (old?.length ?? 0)) return sent;
  if (old?.some(({ name }, index) => sent![index].name !== name)) return sent;
  return old?.map((container, index) => {
    const wanted = sent![index];
    const copy = { ...container };
    copyField(copy, wanted, 'resources');
    copyField(copy, wanted, 'resizePolicy');
    return copy;
  });
}
