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
  /** Of the pod's virtual node, in the VPC. */
  nodeAddress?: string | undefined;
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

const tooLarge = {
  environment: 'the environment of the pod is too large',
  volumes: 'the files in the volumes of the pod are too large',
};

/**
 * What one pod's instance may hold of environment, and of files: a pod may refer to the same secret ten thousand times,
 * and services by the thousand are variables of each container.
 */
export class Budget {
  #left: number;
  readonly #what: keyof typeof tooLarge;

  constructor(what: keyof typeof tooLarge) {
    this.#what = what;
    this.#left = what === 'environment' ? 4 * 1024 * 1024 : 16 * 1024 * 1024;
  }

  take(characters: number): void {
    this.#left -= characters;
    if (this.#left < 0) throw new ResolveError(tooLarge[this.#what]);
  }
}

export const bytesOf = (base64: string): Buffer => Buffer.from(base64, 'base64');
