import type { KubeObject } from '../../api/object.ts';
import type { Variant } from './watch-cache.ts';

/** The JSON of an object that carries metadata.clusterName, which tenants never see. */
export function serialized(object: KubeObject, variant: Variant): Buffer {
  if (variant === 'platform') return Buffer.from(JSON.stringify(object));
  const { clusterName: _clusterName, ...metadata } = object.metadata;
  return Buffer.from(JSON.stringify({ ...object, metadata }));
}
