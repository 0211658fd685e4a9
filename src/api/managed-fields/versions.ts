import type { KubeObject } from '../object.ts';
import type { MergeType } from './merge-type.ts';

/**
 * A kind's versions. Managers own fields of the version they wrote in, so that some are looked at in another form than
 * the request's.
 */
export interface Versions {
  /** Undefined for a version that is no longer served: who owned fields of it owns nothing any more. */
  typeOf(apiVersion: string): MergeType | undefined;
  convert(object: KubeObject, from: string, to: string): KubeObject;
}

/** Most kinds have one. */
export function onlyVersion(apiVersion: string, type: MergeType): Versions {
  return {
    typeOf: (version) => (version === apiVersion ? type : undefined),
    convert: (object) => object,
  };
}
