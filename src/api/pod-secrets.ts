import type { Pod } from './generated/core-v1.ts';

/** `secretKeyRef`, `secretRef`, `nodePublishSecretRef`, a projected source's `secret` … */
const reference = /^secret$|secret(key)?ref$/i;

/** Names of the secrets that a pod mounts, reads, or pulls and attaches by; wherever in its spec they are named. */
export function secretsOf({ spec }: Pod): Set<string> {
  const names = new Set<string>();
  const add = (name: unknown) => {
    if (typeof name === 'string' && name !== '') names.add(name);
  };
  for (const { name } of spec?.imagePullSecrets ?? []) add(name);
  const visit = (value: unknown): void => {
    if (typeof value !== 'object' || value === null) return;
    for (const [key, part] of Object.entries(value)) {
      if (key === 'secretName') add(part);
      else if (reference.test(key)) add((part as { name?: unknown } | null)?.name);
      visit(part);
    }
  };
  for (const part of [spec?.volumes, spec?.containers, spec?.initContainers, spec?.ephemeralContainers]) visit(part);
  return names;
}
