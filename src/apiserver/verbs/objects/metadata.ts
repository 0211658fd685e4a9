import { randomUUID } from 'node:crypto';
import { formatTime, type KubeObject, type ObjectMeta } from '../../../api/object.ts';
import type { ResourceDefinition } from '../../../api/resource-definition.ts';
import { badRequest } from '../../../api/status.ts';

/** The namespace of a body must be that of the path; an absent one is filled in. */
export function matchNamespace(object: KubeObject, definition: ResourceDefinition, namespace: string, message: string) {
  const { metadata } = object;
  if (!definition.namespaced) {
    delete metadata.namespace;
    return;
  }
  if (metadata.namespace !== undefined && metadata.namespace !== '' && metadata.namespace !== namespace) {
    throw badRequest(message);
  }
  metadata.namespace = namespace;
}

/** What the server alone decides about a new object's metadata. */
export function prepareMetadataForCreate(object: KubeObject, definition: ResourceDefinition, nowMs: number): void {
  const { metadata } = object;
  delete metadata.deletionTimestamp;
  delete metadata.deletionGracePeriodSeconds;
  if (definition.hasGeneration) delete metadata.generation;
  metadata.uid = randomUUID();
  metadata.creationTimestamp = formatTime(nowMs);
  if (definition.hasGeneration) metadata.generation = 1;
}

/** Keeps what no writer may change; `object` is the writer's copy. */
export function keepServerMetadata(object: KubeObject, old: KubeObject): void {
  const { metadata } = object;
  const fixed: (keyof ObjectMeta)[] = ['creationTimestamp', 'generation', 'uid'];
  for (const field of fixed) copyField(metadata, old.metadata, field);
  // Absent means unchanged; a different value is refused by validation.
  if (metadata.deletionTimestamp === undefined) copyField(metadata, old.metadata, 'deletionTimestamp');
  if (metadata.deletionGracePeriodSeconds === undefined)
    copyField(metadata, old.metadata, 'deletionGracePeriodSeconds');
  metadata.name = old.metadata.name;
  copyField(metadata, old.metadata, 'namespace');
}

export function copyField(into: Record<string, any>, from: Record<string, any>, field: string): void {
  if (from[field] === undefined) delete into[field];
  else into[field] = from[field];
}

/** A copy of an object's top level and metadata: enough for a writer that replaces, and never edits, what is deeper. */
export function shallowCopy(object: KubeObject): KubeObject {
  return { ...object, metadata: { ...object.metadata } };
}

/** Makes `target` what `source` is, keeping `target` and its metadata the objects they are: others hold on to them. */
export function replaceObject(target: KubeObject, source: KubeObject): void {
  const { metadata } = target as Partial<KubeObject>;
  const wanted = { ...source.metadata };
  if (target !== source) {
    for (const field of Object.keys(target)) if (!(field in source)) delete target[field];
    Object.assign(target, source);
  }
  // A connection's options have none.
  if (metadata === undefined) return;
  for (const field of Object.keys(metadata)) delete (metadata as unknown as Record<string, unknown>)[field];
  target.metadata = Object.assign(metadata, wanted);
}
