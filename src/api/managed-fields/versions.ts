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

/**
 * Thrown by `convert` where a webhook makes the form that is needed: who can wait gets it there and begins anew, which
 * comes to the same as nothing was changed till then.
 */
export class Unconverted extends Error {
  readonly object: KubeObject;
  readonly apiVersion: string;

  constructor(object: KubeObject, apiVersion: string) {
    super(`not in version ${apiVersion} yet`);
    this.object = object;
    this.apiVersion = apiVersion;
  }
}

/** Most kinds have one. */
export function onlyVersion(apiVersion: string, type: MergeType): Versions {
  return {
    typeOf: (version) => (version === apiVersion ? type : undefined),
    convert: (object) => object,
  };
}
