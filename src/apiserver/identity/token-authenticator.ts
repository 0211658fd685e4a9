import { PODS, SERVICE_ACCOUNTS } from '../../api/resources.ts';
import type { Clock } from '../../base/clock.ts';
import type { Objects } from '../objects.ts';
import type { TenantDirectory } from '../tenants/tenant-directory.ts';
import type { Identity } from './identity.ts';
import { apiAudiences, type ServiceAccountTokens, type TokenClaims } from './service-account-tokens.ts';

/** A pod may use its token so long after its deletion time, to say goodbye. As upstream's validator. */
const goodbyeMs = 60_000;

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

  async authenticate(token: string): Promise<Identity | undefined> {
    const claims = await this.#tokens.verify(token);
    if (claims === undefined) return undefined;
    return this.#identity(claims, apiAudiences(claims.tenant));
  }

  /** For TokenReview: the identity, and which of the audiences asked for the token is good for. */
  async review(
    token: string,
    tenant: string,
    audiences: string[],
  ): Promise<{ identity: Identity; audiences: string[] } | undefined> {
    const claims = await this.#tokens.verify(token);
    if (claims === undefined || claims.tenant !== tenant) return undefined;
    const accepted = audiences.length === 0 ? apiAudiences(tenant) : audiences;
    const identity = await this.#identity(claims, accepted);
    if (identity === undefined) return undefined;
    return { identity, audiences: accepted.filter((audience) => claims.audiences.includes(audience)) };
  }

  async #identity(claims: TokenClaims, audiences: string[]): Promise<Identity | undefined> {
    if (!claims.audiences.some((audience) => audiences.includes(audience))) return undefined;
    const { tenant, namespace, serviceAccount, pod, secret, node } = claims;
    if (!(await this.#tenants.exists(tenant))) return undefined;
    const account = await this.#objects.get(SERVICE_ACCOUNTS, tenant, namespace, serviceAccount.name);
    if (account === undefined || account.object.metadata.uid !== serviceAccount.uid) return undefined;
    if (pod !== undefined && !(await this.#present(PODS, tenant, namespace, pod))) return undefined;
    const secrets = { group: '', resource: 'secrets' };
    if (secret !== undefined && !(await this.#present(secrets, tenant, namespace, secret))) return undefined;
    return {
      name: `system:serviceaccount:${namespace}:${serviceAccount.name}`,
      uid: serviceAccount.uid,
      groups: ['system:serviceaccounts', `system:serviceaccounts:${namespace}`, 'system:authenticated'],
      extra: {
        'authentication.kubernetes.io/credential-id': [`JTI=${claims.tokenId}`],
        ...(pod !== undefined && {
          'authentication.kubernetes.io/pod-name': [pod.name],
          'authentication.kubernetes.io/pod-uid': [pod.uid],
        }),
        ...(node !== undefined && { 'authentication.kubernetes.io/node-name': [node.name] }),
        ...(node?.uid !== undefined && { 'authentication.kubernetes.io/node-uid': [node.uid] }),
      },
      kind: 'tenant',
      tenant,
    };
  }

  async #present(
    resource: { group: string; resource: string },
    tenant: string,
    namespace: string,
    bound: { name: string; uid: string },
  ): Promise<boolean> {
    const entry = await this.#objects.get(resource, tenant, namespace, bound.name);
    if (entry === undefined || entry.object.metadata.uid !== bound.uid) return false;
    const { deletionTimestamp } = entry.object.metadata;
    return deletionTimestamp === undefined || Date.parse(deletionTimestamp) + goodbyeMs > this.#clock.now();
  }
}
