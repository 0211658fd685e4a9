import type { Pod, Secret } from '../../api/generated/core-v1.ts';
import type { ContainerInstanceSpec } from '../../api/pool.ts';
import { bytesOf, type Lookups } from './lookups.ts';

type Credentials = NonNullable<ContainerInstanceSpec['registryCredentials']>;

/** Credentials out of imagePullSecrets, in their order. Missing or malformed secrets are named, not fatal, as upstream. */
export function registryCredentials(pod: Pod, lookups: Lookups): { credentials: Credentials; missing: string[] } {
  const credentials: Credentials = [];
  const missing: string[] = [];
  for (const { name } of pod.spec.imagePullSecrets ?? []) {
    if (!name) continue;
    const secret = lookups.secret(name);
    const auths = secret === undefined ? undefined : authsOf(secret);
    if (auths === undefined) missing.push(name);
    for (const [registry, entry] of Object.entries(auths ?? {})) {
      const [username, password] = userOf(entry);
      if (username !== undefined) credentials.push({ registry, username, password: password ?? '' });
    }
  }
  return { credentials, missing };
}

interface Auth {
  username?: string;
  password?: string;
  auth?: string;
}

function authsOf({ type, data = {} }: Secret): Record<string, Auth> | undefined {
  try {
    if (type === 'kubernetes.io/dockerconfigjson') {
      return JSON.parse(bytesOf(data['.dockerconfigjson'] ?? '').toString()).auths ?? {};
    }
    if (type === 'kubernetes.io/dockercfg') return JSON.parse(bytesOf(data['.dockercfg'] ?? '').toString());
  } catch {
    return undefined;
  }
  return undefined;
}

function userOf({ username, password, auth }: Auth): [string?, string?] {
  if (username !== undefined || auth === undefined) return [username, password];
  const [user, ...rest] = bytesOf(auth).toString().split(':');
  return [user, rest.join(':')];
}
