import type { Pod } from '../../api/generated/core-v1.ts';
import type { ContainerInstance } from '../../api/pool.ts';
import { SERVICE_ACCOUNTS } from '../../api/resources.ts';
import { isNotFound } from '../../api/status.ts';
import type { Clock } from '../../base/clock.ts';
import type { Client } from '../../client/client.ts';
import { type TokenWish, tokenKey } from '../resolve/lookups.ts';
import { referencesOf, tokenWish } from '../resolve/references.ts';

/** RFC 3339, on the instance: when the first of its tokens is due for renewal. Survives restarts. */
export const TOKENS_DUE_ANNOTATION = 'virtual-node.skypod.io/tokens-due';

/** A token is renewed at 80 % of its life, and daily at the latest, as the kubelet does. */
const RENEW_AT_SHARE = 0.8;
const LONGEST_USE_MS = 24 * 60 * 60_000;

export interface IssuedTokens {
  /** By tokenKey. */
  tokens: Map<string, string>;
  /** Epoch ms; undefined when the pod has none. */
  dueMs: number | undefined;
}

/** Asks for every token the pod's volumes want, bound to the pod. A service account that is not there gives none. */
export async function issueTokens(pod: Pod, client: Client, clock: Clock): Promise<IssuedTokens> {
  const tokens = new Map<string, string>();
  let dueMs: number | undefined;
  const wishes = [...referencesOf(pod.spec).tokens.values()];
  await Promise.all(
    wishes.map(async (wish) => {
      const issued = await issueToken(pod, wish, client);
      if (issued === undefined) return;
      tokens.set(tokenKey(wish), issued.token);
      const now = clock.now();
      const due = now + Math.min((issued.expiresMs - now) * RENEW_AT_SHARE, LONGEST_USE_MS);
      dueMs = Math.min(dueMs ?? Infinity, due);
    }),
  );
  return { tokens, dueMs };
}

async function issueToken(
  pod: Pod,
  wish: TokenWish,
  client: Client,
): Promise<{ token: string; expiresMs: number } | undefined> {
  const { clusterName, namespace, name, uid } = pod.metadata;
  const accounts = client.resource(clusterName!, SERVICE_ACCOUNTS, namespace);
  try {
    const answer = await accounts.createSubresource(pod.spec.serviceAccountName ?? 'default', 'token', {
      apiVersion: 'authentication.k8s.io/v1',
      kind: 'TokenRequest',
      spec: {
        audiences: wish.audience === '' ? [] : [wish.audience],
        expirationSeconds: wish.expirationSeconds,
        boundObjectRef: { apiVersion: 'v1', kind: 'Pod', name, uid },
      },
    });
    const { token, expirationTimestamp } = answer['status'];
    return { token, expiresMs: Date.parse(expirationTimestamp) };
  } catch (error) {
    if (isNotFound(error)) return undefined;
    throw error;
  }
}

/** The tokens that the instance's volumes hold already. */
export function heldTokens(pod: Pod, instance: ContainerInstance): Map<string, string> {
  const tokens = new Map<string, string>();
  for (const volume of pod.spec.volumes ?? []) {
    for (const { serviceAccountToken } of volume.projected?.sources ?? []) {
      if (serviceAccountToken === undefined) continue;
      const files = instance.spec.volumeFiles?.[volume.name];
      const file = files?.find(({ path }) => path === serviceAccountToken.path);
      if (file === undefined) continue;
      tokens.set(tokenKey(tokenWish(serviceAccountToken)), Buffer.from(file.data, 'base64').toString());
    }
  }
  return tokens;
}

export function tokensDueMs(instance: ContainerInstance): number | undefined {
  const text = instance.metadata.annotations?.[TOKENS_DUE_ANNOTATION];
  return text === undefined ? undefined : Date.parse(text);
}
