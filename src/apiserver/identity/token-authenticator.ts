import type { GroupResource } from '../../api/object.ts';
import { NODES, PODS, SECRETS, SERVICE_ACCOUNTS } from '../../api/resources.ts';
import { notFound } from '../../api/status.ts';
import type { Clock } from '../../base/clock.ts';
import { quotedList } from '../authorization/rbac/cover.ts';
import type { Objects } from '../objects.ts';
import type { TenantDirectory } from '../tenants/tenant-directory.ts';
import type { Identity } from './identity.ts';
import {
  apiAudiences,
  issuingTenant,
  type ServiceAccountTokens,
  type TokenClaims,
  TokenRefused,
} from './service-account-tokens.ts';

/** go-jose's leeway: clocks differ so much, and a pod may use its token so long after its deletion time, to say goodbye. */
const leewayMs = 60_000;

/** Tokens of service accounts: good as long as what they are bound to exists. */
export class ServiceAccountAuthenticator {
  readonly #tokens: ServiceAccountTokens;
  readonly #objects: Objects;
  readonly #tenants: TenantDirectory;
  readonly #clock: Clock;

  constructor(tokens: ServiceAccountTokens, objects: Objects, tenants: TenantDirectory, clock: Clock) {
    this.#tokens = tokens;
    this.#objects = objects;
    this.#tenants = tenants;
    this.#clock = clock;
  }

  /** Throws TokenRefused for a token of ours that is good no longer, or for others. */
  async authenticate(token: string): Promise<Identity | undefined> {
    const claims = await this.#tokens.verify(token);
    return claims && this.#identity(claims, apiAudiences(claims.tenant));
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
    if (issuingTenant(token) !== tenant) return undefined;
    const claims = await this.#tokens.verify(token);
    if (claims === undefined) return undefined;
    const accepted = audiences.length === 0 ? apiAudiences(tenant) : audiences;
    const identity = await this.#identity(claims, accepted);
    return { identity, audiences: claims.audiences.filter((audience) => accepted.includes(audience)) };
  }

  /** Source: jwtTokenAuthenticator and validator of upstream's pkg/serviceaccount. */
  async #identity(claims: TokenClaims, audiences: string[]): Promise<Identity> {
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
    if (secret !== undefined) await this.#checkBound(SECRETS, 'secret', tenant, namespace, secret);
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
  ): Promise<void> {
    const entry = await this.#objects.get(resource, tenant, namespace, bound.name);
    if (entry === undefined) throw invalidated();
    const { uid, deletionTimestamp } = entry.object.metadata;
    if (uid !== bound.uid) {
      throw new TokenRefused(`${kind} UID (${uid}) does not match service account ${kind} ref claim (${bound.uid})`);
    }
    if (this.#isGone(deletionTimestamp)) throw invalidated();
  }

  #isGone(deletionTimestamp: string | undefined): boolean {
    return deletionTimestamp !== undefined && Date.parse(deletionTimestamp) < this.#clock.now() - leewayMs;
  }
}

const invalidated = () => new TokenRefused('service account token has been invalidated');
