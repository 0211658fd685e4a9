import type { webcrypto } from 'node:crypto';
import { createLocalJWKSet, errors, type FlattenedJWSInput, type JSONWebKeySet, type JWSHeaderParameters } from 'jose';
import type { TokenIssuer } from '../../../api/authentication/configuration.ts';
import { type Clock, spanClock } from '../../../base/clock.ts';
import type { Egress } from '../../webhooks/egress.ts';
import { TokenRefused } from '../service-account-tokens.ts';
import { secureGet } from './secure-get.ts';

type CryptoKey = webcrypto.CryptoKey;

export interface KeySet {
  /** As jose wants it; rejects when the issuer does not answer or has no such key. */
  key(header: JWSHeaderParameters, input: FlattenedJWSInput): Promise<CryptoKey>;
}

/** Keys are asked for again after so long, as the issuer may have withdrawn one. */
const keptMs = 10 * 60_000;
/** An unknown key makes us ask at once, but not more often: anybody can make up names of keys. */
const askAgainMs = 10_000;

/** The signing keys of one issuer, found through its discovery document when the first token comes. */
export class IssuerKeys implements KeySet {
  readonly #issuer: TokenIssuer;
  readonly #egress: Egress;
  readonly #spanMs: () => number;
  #keys: ReturnType<typeof createLocalJWKSet> | undefined;
  #askedMs = Number.NEGATIVE_INFINITY;
  #underway: Promise<void> | undefined;
  /** Why the issuer has not answered yet, for the log. */
  failure: Error | undefined;

  constructor(issuer: TokenIssuer, egress: Egress, clock: Clock) {
    this.#issuer = issuer;
    this.#egress = egress;
    this.#spanMs = spanClock(clock);
  }

  async key(header: JWSHeaderParameters, input: FlattenedJWSInput): Promise<CryptoKey> {
    const age = this.#spanMs() - this.#askedMs;
    if (this.#keys === undefined ? age >= askAgainMs || this.#underway !== undefined : age >= keptMs) {
      await this.#ask();
    }
    if (this.#keys === undefined) throw new TokenRefused('oidc: authenticator not initialized');
    try {
      return (await this.#keys(header, input)) as CryptoKey;
    } catch (error) {
      const isUnknown = error instanceof errors.JWKSNoMatchingKey;
      if (!isUnknown || this.#spanMs() - this.#askedMs < askAgainMs) throw error;
      await this.#ask();
      return (await this.#keys(header, input)) as CryptoKey;
    }
  }

  /** Whoever comes meanwhile waits for the same answer. */
  #ask(): Promise<void> {
    this.#underway ??= this.#load().finally(() => {
      this.#underway = undefined;
    });
    return this.#underway;
  }

  async #load(): Promise<void> {
    this.#askedMs = this.#spanMs();
    try {
      const { url, discoveryURL } = this.#issuer;
      const discovery = await this.#get(discoveryURL || `${url.replace(/\/$/, '')}/.well-known/openid-configuration`);
      if (discovery['issuer'] !== url) {
        throw new Error(
          `oidc: issuer did not match the issuer returned by provider, expected ${JSON.stringify(url)} got ${JSON.stringify(discovery['issuer'])}`,
        );
      }
      if (typeof discovery['jwks_uri'] !== 'string') throw new Error('oidc: the discovery document has no jwks_uri');
      const keys = await this.#get(discovery['jwks_uri']);
      this.#keys = createLocalJWKSet(keys as unknown as JSONWebKeySet);
      this.failure = undefined;
    } catch (error) {
      // The keys known so far stay good: an issuer that is away for a while locks nobody out.
      this.failure = error as Error;
    }
  }

  async #get(text: string): Promise<Record<string, unknown>> {
    const { certificateAuthority } = this.#issuer;
    return parsed(await secureGet(text, { egress: this.#egress, certificateAuthority }), text);
  }
}

function parsed(body: Buffer, source: string): Record<string, unknown> {
  try {
    const value = JSON.parse(body.toString());
    if (typeof value !== 'object' || value === null) throw new Error('not an object');
    return value;
  } catch (error) {
    throw new Error(`oidc: ${source}: ${(error as Error).message}`);
  }
}
