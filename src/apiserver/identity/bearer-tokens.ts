import type { Clock } from '../../base/clock.ts';
import type { Objects } from '../objects.ts';
import type { TenantDirectory } from '../tenants/tenant-directory.ts';
import { bootstrapIdentity } from './bootstrap-tokens.ts';
import type { Identity, TokenAuthenticator } from './identity.ts';
import type { OidcTokens } from './oidc/index.ts';
import { apiAudiences } from './service-account-tokens.ts';
import type { ServiceAccountAuthenticator } from './token-authenticator.ts';

/** All kinds of bearer tokens; the first that knows a token decides. */
export class BearerTokens implements TokenAuthenticator {
  readonly #serviceAccounts: ServiceAccountAuthenticator;
  readonly #objects: Objects;
  readonly #tenants: TenantDirectory;
  readonly #clock: Clock;

  readonly #oidc: OidcTokens | undefined;

  constructor(
    serviceAccounts: ServiceAccountAuthenticator,
    objects: Objects,
    tenants: TenantDirectory,
    clock: Clock,
    oidc?: OidcTokens,
  ) {
    this.#oidc = oidc;
    this.#serviceAccounts = serviceAccounts;
    this.#objects = objects;
    this.#tenants = tenants;
    this.#clock = clock;
  }

  async authenticate(token: string, tenantPrefix: string | undefined): Promise<Identity | undefined> {
    const account = await this.#serviceAccounts.authenticate(token);
    if (account !== undefined || tenantPrefix === undefined) return account;
    return (await this.#bootstrap(token, tenantPrefix)) ?? this.#oidc?.authenticate(token, tenantPrefix);
  }

  /** For TokenReview: the identity, and which of the audiences asked for the token is good for. */
  async review(
    token: string,
    tenant: string,
    audiences: string[],
  ): Promise<{ identity: Identity; audiences: string[] } | undefined> {
    const account = await this.#serviceAccounts.review(token, tenant, audiences);
    if (account !== undefined) return account;
    const own = apiAudiences(tenant);
    const accepted = audiences.length === 0 ? own : audiences.filter((audience) => own.includes(audience));
    if (accepted.length === 0) return undefined;
    const identity = (await this.#bootstrap(token, tenant)) ?? (await this.#oidc?.authenticate(token, tenant));
    return identity === undefined ? undefined : { identity, audiences: accepted };
  }

  async #bootstrap(token: string, tenant: string): Promise<Identity | undefined> {
    // A service account's token is long and has two dots: no lookup for those.
    if (token.length !== 23 || !(await this.#tenants.exists(tenant))) return undefined;
    return bootstrapIdentity(this.#objects, this.#clock, tenant, token);
  }
}
