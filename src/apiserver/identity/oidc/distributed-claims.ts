import type { TokenIssuer } from '../../../api/authentication/configuration.ts';
import type { Clock } from '../../../base/clock.ts';
import type { Egress } from '../../webhooks/egress.ts';
import { TokenRefused } from '../service-account-tokens.ts';
import { IssuerKeys } from './key-sets.ts';
import { secureGet } from './secure-get.ts';
import { type Claims, untrustedIssuer, verifyToken } from './verify-token.ts';

/** A claim may come from another issuer; so many are known at a time. */
const issuersKept = 16;
/** Who shows a token is a stranger until it is read: no crowd of them makes us ask elsewhere more than so often at a time. */
const underWayLimit = 8;

/**
 * Fetches groups that a token does not hold but says where to ask for. The answer is a token of its own, of whatever
 * issuer, and is held to the same audiences. Source: claimResolver upstream; OpenID Connect Core 1.0, section 5.6.2.
 */
export class ClaimResolver {
  readonly #claim: string;
  readonly #issuer: TokenIssuer;
  readonly #egress: Egress;
  readonly #clock: Clock;
  readonly #keys = new Map<string, IssuerKeys>();
  #underWay = 0;

  constructor(claim: string, issuer: TokenIssuer, egress: Egress, clock: Clock) {
    this.#claim = claim;
    this.#issuer = issuer;
    this.#egress = egress;
    this.#clock = clock;
  }

  /** The claims with the one that stood elsewhere. Throws TokenRefused. */
  async expand(claims: Claims): Promise<Claims> {
    if (Object.hasOwn(claims, this.#claim) || claims['_claim_names'] === undefined) return claims;
    const names = claims['_claim_names'] as Record<string, string> | null;
    const sources = claims['_claim_sources'] as
      | Record<string, { endpoint?: string; access_token?: string }>
      | undefined;
    const refuse = (why: string) => new TokenRefused(`oidc: could not expand distributed claims: ${why}`);
    if (sources === undefined) throw refuse('oidc: no claim sources');
    const source = names !== null && Object.hasOwn(names, this.#claim) ? names[this.#claim] : undefined;
    if (source === undefined) return claims;
    const { endpoint = '', access_token: accessToken = '' } = sources[source] ?? {};
    // An aggregated claim, which upstream does not take either.
    if (endpoint === '') return claims;
    if (this.#underWay >= underWayLimit) throw refuse('too many are under way');
    this.#underWay++;
    try {
      return { ...claims, [this.#claim]: await this.#resolve(endpoint, accessToken, refuse) };
    } finally {
      this.#underWay--;
    }
  }

  async #resolve(endpoint: string, accessToken: string, refuse: (why: string) => TokenRefused): Promise<unknown> {
    const name = JSON.stringify(this.#claim);
    let jwt: string;
    try {
      const body = await secureGet(endpoint, {
        egress: this.#egress,
        certificateAuthority: this.#issuer.certificateAuthority,
        ...(accessToken !== '' && { headers: { authorization: `Bearer ${accessToken}` } }),
      });
      jwt = body.toString();
    } catch {
      throw refuse(`while getting distributed claim ${name}: Get ${JSON.stringify(endpoint)}: it cannot be had`);
    }
    const issuer = untrustedIssuer(jwt);
    if (issuer === undefined) {
      throw refuse(`getting untrusted issuer from endpoint ${endpoint} failed for claim ${name}: malformed token`);
    }
    let found: Claims;
    try {
      found = await verifyToken(jwt, this.#keysOf(issuer), this.#issuer.audiences, this.#clock.now());
    } catch (error) {
      if (!(error instanceof TokenRefused)) throw error;
      throw refuse(`verify distributed claim token: ${error.message}`);
    }
    if (!Object.hasOwn(found, this.#claim)) {
      throw refuse(
        `jwt returned by distributed claim endpoint ${JSON.stringify(endpoint)} did not contain claim: ${this.#claim}`,
      );
    }
    return found[this.#claim];
  }

  /** The discovery document of another issuer is at the usual place. */
  #keysOf(url: string): IssuerKeys {
    let keys = this.#keys.get(url);
    if (keys === undefined) {
      const { certificateAuthority = '', discoveryURL } = this.#issuer;
      const own = url === this.#issuer.url && discoveryURL !== undefined ? { discoveryURL } : {};
      keys = new IssuerKeys({ url, certificateAuthority, ...own, audiences: [] }, this.#egress, this.#clock);
      this.#keys.set(url, keys);
      if (this.#keys.size > issuersKept) this.#keys.delete(this.#keys.keys().next().value!);
    }
    return keys;
  }
}
