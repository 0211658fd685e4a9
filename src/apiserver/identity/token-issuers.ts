import { tenantIssuer, tenantOfIssuer } from '../../api/authentication/configuration.ts';

/** Names as of kube-apiserver's flags. */
export interface TokenIssuerOptions {
  /** What issuers begin with: the first one's sign, all are believed. */
  serviceAccountIssuers?: readonly string[];
  /** Where everybody finds the public keys; by default below the issuer of the tenant. */
  jwksUri?: string;
  /** A token is given for so long at most. */
  maxExpirationSeconds?: number;
  /** Tokens that pods are given unasked outlive their time, for clients that never read them anew; true when absent. */
  extendExpiration?: boolean;
  /** What the API calls itself; the issuers when absent. */
  apiAudiences?: readonly string[];
}

/** Good for the API in every tenant, whatever its issuers are called, unless the operator says what is. */
const inClusterAudience = 'https://kubernetes.default.svc';

/**
 * How the issuers of service accounts' tokens are called. Each tenant has issuers of its own, or who trusts one would
 * trust the same names in every tenant:
 *
 *     --service-account-issuer https://api.example.com   https://api.example.com/clusters/TENANT
 *
 * Where the API is reached at that URL, the issuer's discovery document is too.
 */
export class TokenIssuers {
  readonly #prefixes: readonly string[] | undefined;
  readonly #options: TokenIssuerOptions;

  constructor(options: TokenIssuerOptions = {}) {
    this.#options = options;
    this.#prefixes = options.serviceAccountIssuers?.map((issuer) => `${issuer.replace(/\/+$/, '')}/clusters/`);
  }

  /** Of a tenant: the first one signs. */
  of(tenant: string): [string, ...string[]] {
    const [first, ...others] = this.#prefixes ?? [];
    if (first === undefined) return [tenantIssuer(tenant)];
    return [`${first}${tenant}`, ...others.map((prefix) => `${prefix}${tenant}`)];
  }

  /** The tenant whose issuer this is; undefined for any other. */
  tenantOf(issuer: string): string | undefined {
    if (this.#prefixes === undefined) return tenantOfIssuer(issuer);
    for (const prefix of this.#prefixes) {
      const tenant = issuer.startsWith(prefix) ? issuer.slice(prefix.length) : '';
      if (/^[a-z0-9-]+$/.test(tenant)) return tenant;
    }
    return undefined;
  }

  /** The audiences that the API takes tokens for. */
  apiAudiences(tenant: string): string[] {
    return [...(this.#options.apiAudiences ?? [...this.of(tenant), inClusterAudience])];
  }

  /** Those of a token whose asker names none. */
  defaultAudiences(tenant: string): string[] {
    return [...(this.#options.apiAudiences ?? this.of(tenant))];
  }

  get maxExpirationSeconds(): number | undefined {
    return this.#options.maxExpirationSeconds;
  }

  get extendsExpiration(): boolean {
    return this.#options.extendExpiration ?? true;
  }

  /** What `/.well-known/openid-configuration` says; undefined where the issuer is no URL that it could be found at. */
  discovery(tenant: string): { issuer: string; jwksUri: string } | undefined {
    const [issuer] = this.of(tenant);
    const url = URL.canParse(issuer) ? new URL(issuer) : undefined;
    if (url?.protocol !== 'https:' || url.search !== '' || url.hash !== '') return undefined;
    return { issuer, jwksUri: this.#options.jwksUri ?? `${issuer}/openid/v1/jwks` };
  }
}
