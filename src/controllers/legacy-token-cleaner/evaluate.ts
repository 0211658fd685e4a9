import type { Secret, ServiceAccount } from '../../api/generated/core-v1.ts';
import { TOKEN_INVALID_SINCE_LABEL, TOKEN_LAST_USED_LABEL, TOKEN_SECRET_TYPE } from '../../api/well-known.ts';

const dayMs = 24 * 3_600_000;

/** `2006-01-02` of a moment, in UTC. */
export const dayOf = (atMs: number): string => new Date(atMs).toISOString().slice(0, 10);

export function isDay(text: string | undefined): text is string {
  if (text === undefined || !/^\d{4}-\d\d-\d\d$/.test(text)) return false;
  const atMs = Date.parse(text);
  return !Number.isNaN(atMs) && dayOf(atMs) === text;
}

export interface TokenFacts {
  secret: Secret;
  /** The account the token is of, if it is there still and the same. */
  account: ServiceAccount | undefined;
  /** Whether a pod names the secret. Asked for last: it is the dear part. */
  isMounted(): boolean;
  /** The day from which on uses were noted. */
  trackedSince: string;
}

/**
 * What is to become of a secret with a long-lived token that was made for an account by itself: one that was not used
 * for `periodMs` is marked invalid first, and goes when it was not used for so long again.
 * Source: pkg/controller/serviceaccount/legacy_serviceaccount_token_cleaner.go.
 */
export function evaluateToken(facts: TokenFacts, periodMs: number, nowMs: number): 'keep' | 'invalidate' | 'delete' {
  const { secret, account, isMounted, trackedSince } = facts;
  const { metadata, type } = secret;
  const { creationTimestamp, deletionTimestamp, labels, name } = metadata;
  if (!isDay(trackedSince) || nowMs < Date.parse(trackedSince) + dayMs + periodMs) return 'keep';
  if (type !== TOKEN_SECRET_TYPE || deletionTimestamp !== undefined) return 'keep';
  if (Date.parse(creationTimestamp ?? '') >= nowMs - periodMs) return 'keep';
  const keptFrom = dayOf(nowMs - periodMs);
  const lastUsed = labels?.[TOKEN_LAST_USED_LABEL];
  if (lastUsed !== undefined && (!isDay(lastUsed) || lastUsed >= keptFrom)) return 'keep';
  // Only those that an account lists were made by themselves.
  if (account?.secrets?.some((reference) => reference.name === name) !== true) return 'keep';
  if (isMounted()) return 'keep';
  const invalidSince = labels?.[TOKEN_INVALID_SINCE_LABEL];
  if (!isDay(invalidSince)) return 'invalidate';
  return invalidSince >= keptFrom ? 'keep' : 'delete';
}
