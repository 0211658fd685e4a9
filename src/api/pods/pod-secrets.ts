import type { Pod } from '../generated/core-v1.ts';

/** `secretKeyRef`, `secretRef`, `nodePublishSecretRef`, a projected source's `secret` … */
const secretReference = /^secret$|secret(key)?ref$/i;
/** A volume's or projected source's `configMap`, `configMapKeyRef`, `configMapRef`. */
const configMapReference = /^configmap((key)?ref)?$/i;

/** Names of the secrets that a pod mounts, reads, or pulls and attaches by; wherever in its spec they are named. */
export function secretsOf(pod: Pod): Set<string> {
  const names = namesIn(pod, secretReference);
  for (const { name } of pod.spec?.imagePullSecrets ?? []) if (name) names.add(name);
  return names;
}

/** Names of the config maps that a pod mounts or reads. */
export const configMapsOf = (pod: Pod): Set<string> => namesIn(pod, configMapReference);

function namesIn({ spec }: Pod, reference: RegExp): Set<string> {
  const names = new Set<string>();
  const add = (name: unknown) => {
    if (typeof name === 'string' && name !== '') names.add(name);
  };
  const visit = (value: unknown): void => {
    if (typeof value !== 'object' || value === null) return;
    for (const [key, part] of Object.entries(value)) {
      if (key === 'secretName' && reference === secretReference) add(part);
      else if (reference.test(key)) add((part as { name?: unknown } | null)?.name);
      visit(part);
    }
  };
  for (const part of [spec?.volumes, spec?.containers, spec?.initContainers, spec?.ephemeralContainers]) visit(part);
  return names;
}
