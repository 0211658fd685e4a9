import type { GroupResource, KubeObject } from '../../api/object.ts';
import { NODES, PODS, SECRETS, SERVICE_ACCOUNTS } from '../../api/resources.ts';
import { notFound } from '../../api/status.ts';
import { TOKEN_INVALID_SINCE_LABEL, TOKEN_LAST_USED_LABEL, TOKEN_SECRET_TYPE } from '../../api/well-known.ts';
import type { Clock } from '../../base/clock.ts';
import { quotedList } from '../authorization/rbac/cover.ts';
import type { Objects } from '../objects.ts';
import type { TenantDirectory } from '../tenants/tenant-directory.ts';
import type { CacheEntry } from '../watch-cache/watch-cache.ts';
import type { Identity } from './identity.ts';
import { type ServiceAccountTokens, type TokenClaims, TokenRefused } from './service-account-tokens.ts';

/** go-jose's leeway: clocks differ so much, and a pod may use its token so long after its deletion time, to say goodbye. */
const leewayMs = 60_000;

/** Tokens of service accounts: good as long as what they are bound to exists. */
export class ServiceAccountAuthenticator {
  readonly #tokens: ServiceAccountTokens;
  readonly #objects: Objects;
  readonly #tenants: TenantDirectory;
  readonly #clock: Clock;
  /** Secrets whose use is being written down. */
  readonly #noting = new Set<string>();

  constructor(tokens: ServiceAccountTokens, objects: Objects, tenants: TenantDirectory, clock: Clock) {
    this.#tokens = tokens;
    this.#objects = objects;
    this.#tenants = tenants;
    this.#clock = clock;
  }

  /** What the API takes tokens for, of whatever kind they are. */
  apiAudiences(tenant: string): string[] {
    return this.#tokens.issuers.apiAudiences(tenant);
  }

  /** Throws TokenRefused for a token of ours that is good no longer, or for others. */
  async authenticate(token: string): Promise<Identity | undefined> {
    const claims = await this.#tokens.verify(token);
    return claims && this.#identity(claims, this.apiAudiences(claims.tenant), token);
  }

  /**
   * For TokenReview: the identity, and which of the audiences asked for the token is good for. Throws TokenRefused. A
   * token of another tenant is as that of any stranger.
   */
  async review(
    token: string,
    tenant: string,
    audiences: string[],
  ): Promise<{ identity: Identity; audiences: string[] } | undefined> {
    if (this.#tokens.issuingTenant(token) !== tenant) return undefined;
    const claims = await this.#tokens.verify(token);
    if (claims === undefined) return undefined;
    const accepted = audiences.length === 0 ? this.apiAudiences(tenant) : audiences;
    const identity = await this.#identity(claims, accepted, token);
    return { identity, audiences: claims.audiences.filter((audience) => accepted.includes(audience)) };
  }

  /** Source: jwtTokenAuthenticator and validator of upstream's pkg/serviceaccount. */
  async #identity(claims: TokenClaims, audiences: string[], token: string): Promise<Identity> {
    if (!claims.audiences.some((audience) => audiences.includes(audience))) {
      throw new TokenRefused(
        `token audiences ${quotedList(claims.audiences)} is invalid for the target audiences ${quotedList(audiences)}`,
      );
    }
    const { tenant, namespace, serviceAccount, pod, secret, node, warnAfterMs } = claims;
    const nowMs = this.#clock.now();
    if (nowMs - leewayMs > claims.expiresAtMs) throw new TokenRefused('service account token has expired');
    if (nowMs + leewayMs < claims.notBeforeMs) throw new TokenRefused('service account token is not valid yet');
    if (nowMs + leewayMs < claims.issuedAtMs) throw new TokenRefused('service account token is issued in the future');
    if (!(await this.#tenants.exists(tenant))) throw invalidated();
    const account = await this.#objects.get(SERVICE_ACCOUNTS, tenant, namespace, serviceAccount.name);
    if (account === undefined) throw new TokenRefused(notFound(SERVICE_ACCOUNTS, serviceAccount.name).message);
    const { uid, deletionTimestamp } = account.object.metadata;
    if (uid !== serviceAccount.uid) {
      throw new TokenRefused(`service account UID (${uid}) does not match claim (${serviceAccount.uid})`);
    }
    if (this.#isGone(deletionTimestamp)) {
      throw new TokenRefused(`service account ${namespace}/${serviceAccount.name} has been deleted`);
    }
    let secretToken: Identity['secretToken'];
    if (secret !== undefined) {
      const entry = await this.#checkBound(SECRETS, 'secret', tenant, namespace, secret);
      if (isTokenOf(entry.object, token)) secretToken = this.#useOf(entry, account.object);
    }
    if (pod !== undefined) await this.#checkBound(PODS, 'pod', tenant, namespace, pod);
    // A pod's node is told, and no reason for the token to be good or bad.
    else if (node !== undefined) await this.#checkBound(NODES, 'node', tenant, '', { uid: '', ...node });
    const isStale = warnAfterMs !== undefined && nowMs > warnAfterMs;
    return {
      name: `system:serviceaccount:${namespace}:${serviceAccount.name}`,
      uid: serviceAccount.uid,
      groups: ['system:serviceaccounts', `system:serviceaccounts:${namespace}`, 'system:authenticated'],
      extra: {
        ...(claims.tokenId !== '' && { 'authentication.kubernetes.io/credential-id': [`JTI=${claims.tokenId}`] }),
        ...(pod !== undefined && {
          'authentication.kubernetes.io/pod-name': [pod.name],
          'authentication.kubernetes.io/pod-uid': [pod.uid],
        }),
        ...(node !== undefined && { 'authentication.kubernetes.io/node-name': [node.name] }),
        ...(node?.uid !== undefined && { 'authentication.kubernetes.io/node-uid': [node.uid] }),
      },
      kind: 'tenant',
      tenant,
      ...(secretToken !== undefined && { secretToken }),
      ...(isStale && {
        staleness: `subject: system:serviceaccount:${namespace}:${serviceAccount.name}, seconds after warning threshold: ${Math.floor(nowMs / 1000) - warnAfterMs / 1000}`,
      }),
    };
  }

  /** Throws unless the very object is there that the token is bound to. */
  async #checkBound(
    resource: GroupResource,
    kind: string,
    tenant: string,
    namespace: string,
    bound: { name: string; uid: string },
  ): Promise<CacheEntry> {
    const entry = await this.#objects.get(resource, tenant, namespace, bound.name);
    if (entry === undefined) throw invalidated();
    const { uid, deletionTimestamp } = entry.object.metadata;
    if (uid !== bound.uid) {
      throw new TokenRefused(`${kind} UID (${uid}) does not match service account ${kind} ref claim (${bound.uid})`);
    }
    if (this.#isGone(deletionTimestamp)) throw invalidated();
    return entry;
  }

  /**
   * Of the long-lived token in a secret: notes the day of its use, and refuses one that was marked invalid for want of
   * any. Source: legacyValidator of pkg/serviceaccount/legacy.go.
   */
  #useOf(entry: CacheEntry, account: KubeObject): NonNullable<Identity['secretToken']> {
    const { name, namespace = '', labels } = entry.object.metadata;
    this.#noteUse(entry);
    if (labels?.[TOKEN_INVALID_SINCE_LABEL]) {
      throw new TokenRefused(
        `the token in secret ${namespace}/${name} for service account ${namespace}/${account.metadata.name} has been marked invalid. Use tokens from the TokenRequest API or manually created secret-based tokens, or remove the '${TOKEN_INVALID_SINCE_LABEL}' label from the secret to temporarily allow use of this token`,
      );
    }
    const isGenerated = account['secrets']?.some((reference: { name?: string }) => reference.name === name) === true;
    if (!isGenerated) return { annotations: { 'authentication.k8s.io/legacy-token-manual-secret': name } };
    return {
      annotations: { 'authentication.k8s.io/legacy-token-autogenerated-secret': name },
      warning:
        'Use tokens from the TokenRequest API or manually created secret-based tokens instead of auto-generated secret-based tokens.',
    };
  }

  /** One write a day and token, which nobody waits for. */
  #noteUse(entry: CacheEntry): void {
    const nowMs = this.#clock.now();
    const { object, tenant, namespace, name } = entry;
    const lastUsed = object.metadata.labels?.[TOKEN_LAST_USED_LABEL];
    if (lastUsed === dayOf(nowMs) || lastUsed === dayOf(nowMs + dayMs)) return;
    const key = `${tenant}/${namespace}/${name}`;
    if (this.#noting.has(key)) return;
    this.#noting.add(key);
    const labels = { ...object.metadata.labels, [TOKEN_LAST_USED_LABEL]: dayOf(nowMs) };
    const after = { ...object, metadata: { ...object.metadata, labels } };
    this.#objects
      .commit([{ resource: SECRETS, tenant, namespace, name, before: entry, after }])
      // Whoever changed it meanwhile: the next use is noted.
      .catch(() => undefined)
      .finally(() => this.#noting.delete(key));
  }

  #isGone(deletionTimestamp: string | undefined): boolean {
    return deletionTimestamp !== undefined && Date.parse(deletionTimestamp) < this.#clock.now() - leewayMs;
  }
}

const dayMs = 24 * 3_600_000;
const dayOf = (atMs: number): string => new Date(atMs).toISOString().slice(0, 10);

/** Whether the token is the one that the secret holds, not one of another kind that ends with it. */
function isTokenOf({ type, data }: KubeObject, token: string): boolean {
  if (type !== TOKEN_SECRET_TYPE) return false;
  return Buffer.from(String(data?.token ?? ''), 'base64').equals(Buffer.from(token));
}

const invalidated = () => new TokenRefused('service account token has been invalidated');
