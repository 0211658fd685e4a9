import { createHash } from 'node:crypto';
import type { RegistryAuth } from '../../runtime/sandbox-runtime.ts';

export interface RegistryCredential {
  registry: string;
  username: string;
  password: string;
}

/** `https://index.docker.io/v1/` and the like -> host and path, as the keyring of Kubernetes compares them. */
function splitRegistry(registry: string): { host: string; path: string } {
  const bare = registry.replace(/^https?:\/\//, '').replace(/\/+$/, '');
  const slash = bare.indexOf('/');
  let host = slash < 0 ? bare : bare.slice(0, slash);
  let path = slash < 0 ? '' : bare.slice(slash + 1);
  if (path === 'v1' || path === 'v2') path = '';
  path = path.replace(/^v[12]\//, '');
  if (host === 'index.docker.io' || host === 'registry-1.docker.io') host = 'docker.io';
  return { host, path };
}

function hostMatches(pattern: string, host: string): boolean {
  const [patternName = '', patternPort] = pattern.split(':');
  const [name = '', port] = host.split(':');
  if (patternPort !== port) return false;
  const patternLabels = patternName.split('.');
  const labels = name.split('.');
  if (patternLabels.length !== labels.length) return false;
  return patternLabels.every((label, index) => {
    const expression = label.split('*').map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'));
    return new RegExp(`^${expression.join('.*')}$`, 'i').test(labels[index]!);
  });
}

/** The credentials that apply to a repository, the most specific first. */
export function credentialsFor(repository: string, credentials: RegistryCredential[]): RegistryCredential[] {
  const slash = repository.indexOf('/');
  const host = repository.slice(0, slash);
  const path = repository.slice(slash + 1);
  return credentials
    .map((credential) => ({ credential, ...splitRegistry(credential.registry) }))
    .filter((entry) => hostMatches(entry.host, host) && (path === entry.path || path.startsWith(entry.path)))
    .sort((a, b) => b.path.length - a.path.length)
    .map(({ credential }) => credential);
}

/** Names a credential without revealing it. */
export function credentialHash({ username, password }: RegistryAuth): string {
  return createHash('sha256')
    .update(JSON.stringify([username, password]))
    .digest('hex');
}
