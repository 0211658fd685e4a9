import type { ConfigMap, Secret, Service } from '../../api/generated/core-v1.ts';

/** Everything outside the pod that resolving it needs, already there: resolving itself waits for nothing. */
export interface Lookups {
  configMap(name: string): ConfigMap | undefined;
  secret(name: string): Secret | undefined;
  /** Services of the pod's namespace. */
  services(): readonly Service[];
  /** The `kubernetes` service of namespace `default`. */
  kubernetesService(): Service | undefined;
  /** The token issued for a serviceAccountToken source; undefined when there is none to have. */
  token(request: TokenWish): string | undefined;
  /** What resourceFieldRef gives for limits a container does not set. */
  allocatable: { cpuMillis: number; memoryBytes: number; ephemeralStorageBytes: number };
}

export interface TokenWish {
  audience: string;
  expirationSeconds: number;
}

export const tokenKey = ({ audience, expirationSeconds }: TokenWish): string => `${expirationSeconds}/${audience}`;

/** A part of the pod that cannot be resolved as things are; the message is upstream's. */
export class ResolveError extends Error {}

export const bytesOf = (base64: string): Buffer => Buffer.from(base64, 'base64');
