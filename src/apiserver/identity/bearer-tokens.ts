import type { Clock } from '../../base/clock.ts';
import { aggregate } from '../authorization/rbac/role-based-access.ts';
import type { Objects } from '../objects.ts';
import type { TenantDirectory } from '../tenants/tenant-directory.ts';
import { bootstrapIdentity } from './bootstrap-tokens.ts';
import type { Identity, TokenAuthenticator } from './identity.ts';
import type { OidcTokens } from './oidc/index.ts';
import { TokenRefused } from './service-account-tokens.ts';
import type { ServiceAccountAuthenticator } from './token-authenticator.ts';
import type { FileTokens } from './token-file.ts';
import type { WebhookTokens } from './webhook-tokens.ts';

/** Tokens that the operator vouches for, in all tenants. */
export interface OperatorsTokens {
  file?: FileTokens;
  webhook?: WebhookTokens;
}

/** All kinds of bearer tokens; the first that knows a token decides. */
export class BearerTokens implements TokenAuthenticator {
  readonly #serviceAccounts: ServiceAccountAuthenticator;
  readonly #objects: Objects;
  readonly #tenants: TenantDirectory;
  readonly #clock: Clock;

  readonly #oidc: OidcTokens | undefined;
  readonly #operators: OperatorsTokens;

  constructor(
    serviceAccounts: ServiceAccountAuthenticator,
    objects: Objects,
    tenants: TenantDirectory,
    clock: Clock,
    oidc?: OidcTokens,
    operators: OperatorsTokens = {},
  ) {
    this.#oidc = oidc;
    this.#operators = operators;
    this.#serviceAccounts = serviceAccounts;
    this.#objects = objects;
    this.#tenants = tenants;
    this.#clock = clock;
  }

  async authenticate(token: string, tenantPrefix: string | undefined): Promise<Identity | undefined> {
    const errors: string[] = [];
    const account = await heard(() => this.#serviceAccounts.authenticate(token), errors);
    if (account !== undefined || tenantPrefix === undefined) return account;
    const own = this.#serviceAccounts.apiAudiences(tenantPrefix);
    return (
      (await this.#ofTenant(token, tenantPrefix, errors)) ??
      (await this.#ofWebhook(token, tenantPrefix, own, errors))?.identity
    );
  }

  /** For TokenReview: the identity, and which of the audiences asked for the token is good for; else why it is for none. */
  async review(
    token: string,
    tenant: string,
    audiences: string[],
  ): Promise<{ identity: Identity; audiences: string[] } | { error: string }> {
    const errors: string[] = [];
    const account = await heard(() => this.#serviceAccounts.review(token, tenant, audiences), errors);
    if (account !== undefined) return account;
    const own = this.#serviceAccounts.apiAudiences(tenant);
    const accepted = audiences.length === 0 ? own : own.filter((audience) => audiences.includes(audience));
    const identity = accepted.length === 0 ? undefined : await this.#ofTenant(token, tenant, errors);
    if (identity !== undefined) return { identity, audiences: accepted };
    const elsewhere = await this.#ofWebhook(token, tenant, audiences.length === 0 ? own : audiences, errors);
    if (elsewhere !== undefined) return elsewhere;
    // kube-apiserver asks about its own loopback token first, and says of every other that it is not that one.
    return { error: aggregate(['invalid bearer token', ...errors]) };
  }

  /** By the kinds that do not say whose they are. */
  async #ofTenant(token: string, tenant: string, errors: string[]): Promise<Identity | undefined> {
    const { file } = this.#operators;
    if (file !== undefined && (await this.#tenants.exists(tenant))) {
      const identity = file.authenticate(token, tenant);
      if (identity !== undefined) return identity;
    }
    return (
      (await this.#bootstrap(token, tenant)) ??
      (await heard(async () => this.#oidc?.authenticate(token, tenant), errors))
    );
  }

  async #ofWebhook(token: string, tenant: string, audiences: string[], errors: string[]) {
    const { webhook } = this.#operators;
    if (webhook === undefined || !(await this.#tenants.exists(tenant))) return undefined;
    const own = this.#serviceAccounts.apiAudiences(tenant);
    return heard(() => webhook.authenticate(token, tenant, audiences, own), errors);
  }

  async #bootstrap(token: string, tenant: string): Promise<Identity | undefined> {
    // A service account's token is long and has two dots: no lookup for those.
    if (token.length !== 23 || !(await this.#tenants.exists(tenant))) return undefined;
    return bootstrapIdentity(this.#objects, this.#clock, tenant, token);
  }
}

/** What an authenticator says of a token; what it has against it goes to `errors`, and the next one is asked. */
async function heard<T>(ask: () => Promise<T>, errors: string[]): Promise<T | undefined> {
  try {
    return await ask();
  } catch (error) {
    if (!(error instanceof TokenRefused)) throw error;
    errors.push(error.message);
    return undefined;
  }
}
