import type { Container, Pod, ServiceAccount } from '../../api/generated/core-v1.ts';
import { secretsOf } from '../../api/pods/pod-secrets.ts';

const enforceAnnotation = 'kubernetes.io/enforce-mountable-secrets';
/** What Go's strconv.ParseBool takes for true. */
const yes = new Set(['1', 't', 'T', 'TRUE', 'true', 'True']);

export const limitsSecrets = ({ metadata }: ServiceAccount): boolean =>
  yes.has(metadata?.annotations?.[enforceAnnotation] ?? '');

/** What a kubelet's own pod may not have; undefined when nothing is wrong. */
export function refusalOfMirror(pod: Pod): string | undefined {
  if (pod.spec?.serviceAccountName) return 'a mirror pod may not reference service accounts';
  if (secretsOf(pod).size > 0) return 'a mirror pod may not reference secrets';
  const sources = pod.spec?.volumes?.flatMap(({ projected }) => projected?.sources ?? []) ?? [];
  if (sources.some(({ serviceAccountToken }) => serviceAccountToken !== undefined))
    return 'a mirror pod may not use ServiceAccountToken volume projections';
  return undefined;
}

/** The first secret a new pod names and its account does not; undefined when there is none. */
export function refusalOfSecrets(account: ServiceAccount, { spec }: Pod): string | undefined {
  const mountable = new Set((account.secrets ?? []).map(({ name }) => name));
  const because = `is not allowed because service account ${account.metadata?.name} does not reference that`;
  for (const { secret } of spec?.volumes ?? []) {
    if (secret !== undefined && !mountable.has(secret.secretName ?? ''))
      return `volume with secret.secretName="${secret.secretName ?? ''}" ${because} secret`;
  }
  const refused =
    refusalOfVariables(account, 'init container', spec?.initContainers) ??
    refusalOfVariables(account, 'container', spec?.containers);
  if (refused !== undefined) return refused;
  const pulling = new Set((account.imagePullSecrets ?? []).map(({ name }) => name));
  for (const [index, { name = '' }] of (spec?.imagePullSecrets ?? []).entries()) {
    if (!pulling.has(name)) return `imagePullSecrets[${index}].name="${name}" ${because} imagePullSecret`;
  }
  return undefined;
}

/** The same of containers of one sort. */
export function refusalOfVariables(
  account: ServiceAccount,
  sort: 'init container' | 'container' | 'ephemeral container',
  containers: readonly Pick<Container, 'name' | 'env' | 'envFrom'>[] = [],
): string | undefined {
  const mountable = new Set((account.secrets ?? []).map(({ name }) => name));
  const because = `is not allowed because service account ${account.metadata?.name} does not reference that secret`;
  for (const { name, env = [], envFrom = [] } of containers) {
    for (const { name: variable, valueFrom } of env) {
      const secret = valueFrom?.secretKeyRef;
      if (secret !== undefined && !mountable.has(secret.name ?? ''))
        return `${sort} ${name} with envVar ${variable} referencing secret.secretName="${secret.name ?? ''}" ${because}`;
    }
    for (const { secretRef } of envFrom) {
      if (secretRef !== undefined && !mountable.has(secretRef.name ?? ''))
        return `${sort} ${name} with envFrom referencing secret.secretName="${secretRef.name ?? ''}" ${because}`;
    }
  }
  return undefined;
}
