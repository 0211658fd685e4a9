import type { PodSpec } from '../../api/generated/core-v1.ts';
import { type TokenWish, tokenKey } from './lookups.ts';

/** What a pod names outside itself, in its own namespace. */
export interface References {
  configMaps: Set<string>;
  secrets: Set<string>;
  /** By tokenKey. */
  tokens: Map<string, TokenWish>;
}

const DEFAULT_TOKEN_SECONDS = 3600;

export function referencesOf(spec: PodSpec): References {
  const configMaps = new Set<string>();
  const secrets = new Set<string>();
  const tokens = new Map<string, TokenWish>();
  const note = (names: Set<string>, name: string | undefined) => {
    if (name) names.add(name);
  };
  for (const container of [...spec.containers, ...(spec.initContainers ?? []), ...(spec.ephemeralContainers ?? [])]) {
    for (const { configMapRef, secretRef } of container.envFrom ?? []) {
      note(configMaps, configMapRef?.name);
      note(secrets, secretRef?.name);
    }
    for (const { valueFrom } of container.env ?? []) {
      note(configMaps, valueFrom?.configMapKeyRef?.name);
      note(secrets, valueFrom?.secretKeyRef?.name);
    }
  }
  for (const volume of spec.volumes ?? []) {
    note(configMaps, volume.configMap?.name);
    note(secrets, volume.secret?.secretName);
    for (const source of volume.projected?.sources ?? []) {
      note(configMaps, source.configMap?.name);
      note(secrets, source.secret?.name);
      if (source.serviceAccountToken === undefined) continue;
      const wish = tokenWish(source.serviceAccountToken);
      tokens.set(tokenKey(wish), wish);
    }
  }
  for (const { name } of spec.imagePullSecrets ?? []) note(secrets, name);
  return { configMaps, secrets, tokens };
}

export const tokenWish = (source: { audience?: string; expirationSeconds?: number }): TokenWish => ({
  audience: source.audience ?? '',
  expirationSeconds: source.expirationSeconds ?? DEFAULT_TOKEN_SECONDS,
});
