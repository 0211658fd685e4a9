import { createHash } from 'node:crypto';
import type { AuthenticationConfiguration, JwtAuthenticator } from '../../../api/authentication/configuration.ts';
import type { Tenant } from '../../../api/pool.ts';
import type { Clock } from '../../../base/clock.ts';
import type { Logger } from '../../../base/log.ts';
import type { TenantDirectory } from '../../tenants/tenant-directory.ts';
import type { CacheEntry } from '../../watch-cache/watch-cache.ts';
import type { Egress } from '../../webhooks/egress.ts';
import type { Identity } from '../identity.ts';
import { TokenRefused } from '../service-account-tokens.ts';
import { ClaimResolver } from './distributed-claims.ts';
import { IssuerKeys } from './key-sets.ts';
import { type MappedUser, mappedUser } from './mapped-user.ts';
import { untrustedIssuer, verifyToken } from './verify-token.ts';

export interface OidcOptions {
  /** The operator's own, good in every tenant: what its users may do there is up to the tenant's roles. */
  configuration?: AuthenticationConfiguration;
  tenants: TenantDirectory;
  /** To issuers that the operator's own file names. */
  operatorEgress: Egress;
  /** To issuers of single tenants. */
  tenantEgress: Egress;
  clock: Clock;
  logger: Logger;
}

/** A token is taken again without a look at its signature for so long, as upstream's token cache does. */
const rememberedMs = 10_000;
/** Of all issuers together, and none that is longer. */
const rememberedTokens = 10_000;
const rememberedLength = 8192;
const notInitialized = 'oidc: authenticator not initialized';
/** So many tenants' issuers are kept ready. */
const tenantsKept = 256;

/** Tokens of OpenID Connect issuers: the operator's, and those of `Tenant.spec.authentication`. */
export class OidcTokens {
  readonly #options: OidcOptions;
  #operators: Issuers;
  readonly #byTenant = new Map<string, { configured: unknown; issuers: Issuers }>();
  readonly #remembered: RememberedUsers = new Map();

  constructor(options: OidcOptions) {
    this.#options = options;
    this.#operators = this.#issuersOf(options.configuration?.jwt ?? [], options.operatorEgress);
  }

  /** The operator's issuers are others from now on. */
  setConfiguration({ jwt = [] }: AuthenticationConfiguration): void {
    this.#operators = this.#issuersOf(jwt, this.#options.operatorEgress);
  }

  /**
   * Whom a token stands for in a tenant; undefined: it is no token of an issuer that the tenant trusts. Throws
   * TokenRefused for one that says it is.
   */
  async authenticate(token: string, tenant: string): Promise<Identity | undefined> {
    const issuer = untrustedIssuer(token);
    if (issuer === undefined) return undefined;
    const entry = await this.#options.tenants.entry(tenant);
    if (entry === undefined) return undefined;
    const trusted = this.#ofTenant(entry).get(issuer) ?? this.#operators.get(issuer);
    if (trusted === undefined) return undefined;
    try {
      const user = await trusted.user(token);
      return { ...user, groups: [...user.groups, 'system:authenticated'], kind: 'tenant', tenant };
    } catch (error) {
      const { message } = trusted.failure ?? (error as Error);
      this.#options.logger.debug({ tenant, issuer, error: message }, 'token refused');
      throw error instanceof TokenRefused ? error : new TokenRefused(message);
    }
  }

  /** Made when the first token comes, and anew when the tenant's settings change. */
  #ofTenant(entry: CacheEntry): Issuers {
    const configured = (entry.object as Tenant).spec?.authentication?.jwt ?? none;
    if (configured.length === 0) return noIssuers;
    const known = this.#byTenant.get(entry.name);
    // The same settings may come in another object: the tenant's status has changed, or it was read anew.
    const isSame = known?.configured === configured || JSON.stringify(known?.configured) === JSON.stringify(configured);
    if (known !== undefined && isSame) {
      known.configured = configured;
      return known.issuers;
    }
    const issuers = this.#issuersOf(configured, this.#options.tenantEgress);
    this.#byTenant.delete(entry.name);
    this.#byTenant.set(entry.name, { configured, issuers });
    if (this.#byTenant.size > tenantsKept) this.#byTenant.delete(this.#byTenant.keys().next().value!);
    return issuers;
  }

  #issuersOf(jwt: JwtAuthenticator[], egress: Egress): Issuers {
    const { clock } = this.#options;
    return new Map(jwt.map((one) => [one.issuer.url, new TrustedIssuer(one, egress, clock, this.#remembered)]));
  }
}

type Issuers = ReadonlyMap<string, TrustedIssuer>;
const none: JwtAuthenticator[] = [];
const noIssuers: Issuers = new Map();

type RememberedUsers = Map<string, { user: MappedUser; untilMs: number }>;
let issuersMade = 0;

class TrustedIssuer {
  readonly #id = issuersMade++;
  readonly #authenticator: JwtAuthenticator;
  readonly #keys: IssuerKeys;
  readonly #clock: Clock;
  readonly #resolver: ClaimResolver | undefined;
  readonly #remembered: RememberedUsers;

  constructor(authenticator: JwtAuthenticator, egress: Egress, clock: Clock, remembered: RememberedUsers) {
    this.#remembered = remembered;
    this.#authenticator = authenticator;
    this.#keys = new IssuerKeys(authenticator.issuer, egress, clock);
    this.#clock = clock;
    const groups = authenticator.claimMappings.groups?.claim ?? '';
    if (groups !== '') this.#resolver = new ClaimResolver(groups, authenticator.issuer, egress, clock);
  }

  /** Why the issuer's keys could not be had. */
  get failure(): Error | undefined {
    return this.#keys.failure;
  }

  async user(token: string): Promise<MappedUser> {
    const key = `${this.#id}/${createHash('sha256').update(token).digest('base64')}`;
    const known = this.#remembered.get(key);
    if (known !== undefined && known.untilMs > this.#clock.now()) return known.user;
    this.#remembered.delete(key);
    const nowMs = this.#clock.now();
    const verified = await verifyToken(token, this.#keys, this.#authenticator.issuer.audiences, nowMs).catch(
      (error) => {
        if (!(error instanceof TokenRefused) || error.message === notInitialized) throw error;
        throw new TokenRefused(`oidc: verify token: ${error.message}`);
      },
    );
    const claims = (await this.#resolver?.expand(verified)) ?? verified;
    const user = mappedUser(this.#authenticator, claims);
    const expiresMs = Number(claims['exp']) * 1000;
    if (token.length > rememberedLength) return user;
    this.#remembered.set(key, { user, untilMs: Math.min(expiresMs, nowMs + rememberedMs) });
    if (this.#remembered.size > rememberedTokens) this.#remembered.delete(this.#remembered.keys().next().value!);
    return user;
  }
}
