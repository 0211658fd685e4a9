import { createHash, createPrivateKey, createPublicKey, type KeyObject, randomUUID, sign } from 'node:crypto';
import { compactVerify, decodeJwt, exportJWK, exportPKCS8, generateKeyPair, importSPKI, type JWK } from 'jose';
import type { Clock } from '../../base/clock.ts';
import { TokenIssuers } from './token-issuers.ts';

/** What a token is bound to, as upstream's private claim `kubernetes.io` says it. */
export interface BoundReference {
  name: string;
  uid: string;
}

/** Whose a token is, and what it ends with. */
interface TokenBinding {
  tenant: string;
  namespace: string;
  serviceAccount: BoundReference;
  pod?: BoundReference;
  secret?: BoundReference;
  node?: { name: string; uid?: string };
}

export interface TokenRequest extends TokenBinding {
  /** Empty: the API itself. */
  audiences: string[];
  expirationSeconds: number;
  /** The token outlives `expirationSeconds` by so long for clients that never read theirs anew, who are told of in the audit log. */
  extendedSeconds?: number;
}

export interface TokenClaims extends TokenBinding {
  audiences: string[];
  notBeforeMs: number;
  expiresAtMs: number;
  issuedAtMs: number;
  /** From when on whoever shows it ought to have read a newer one. */
  warnAfterMs?: number;
  tokenId: string;
}

/** Why a token that says it is of a tenant's issuer is none. */
export class TokenRefused extends Error {}

const tenantClaim = 'skypod.io';
/** So many verified tokens are remembered, the oldest forgotten first: a signature check costs 0.1 ms. */
const verifiedLimit = 10_000;
const rememberedLength = 4096;
/** Nobody's token is longer. */
const tokenLimit = 64 * 1024;

interface VerificationKey {
  id: string;
  key: CryptoKeyLike;
  jwk: JWK;
}

/**
 * Signs and verifies the tokens of service accounts (ES256). Whether what a token is bound to still exists is asked of
 * the API's own objects by authentication, on every request.
 */
export class ServiceAccountTokens {
  /** JSON Web Key Set with the public keys, for `/openid/v1/jwks`. */
  readonly keySet: { keys: JWK[] };
  readonly issuers: TokenIssuers;
  readonly #privateKey: KeyObject;
  /** That of the private key first; further ones are of keys that have signed before. */
  readonly #keys: VerificationKey[];
  /** The protected header of every token, encoded. */
  readonly #header: string;
  readonly #clock: Clock;
  readonly #verified = new Map<string, TokenClaims>();

  private constructor(privateKey: KeyObject, keys: VerificationKey[], clock: Clock, issuers: TokenIssuers) {
    this.issuers = issuers;
    this.#privateKey = privateKey;
    this.#keys = keys;
    this.#header = base64url(JSON.stringify({ alg: 'ES256', kid: keys[0]!.id }));
    this.keySet = { keys: keys.map(({ id, jwk }) => ({ ...jwk, use: 'sig', kid: id, alg: 'ES256' })) };
    this.#clock = clock;
  }

  /** A new private key as PKCS #8 PEM: compose/ keeps it in the data directory. */
  static async generateKeyPem(): Promise<string> {
    const { privateKey } = await generateKeyPair('ES256', { extractable: true });
    return exportPKCS8(privateKey);
  }

  /**
   * `keyPem` signs. `verifying`: PEM of more keys, private or public, whose tokens are taken too, so that the signing key
   * can be changed while tokens of the former one are still about.
   */
  static async load(
    keyPem: string,
    clock: Clock,
    verifying: readonly string[] = [],
    issuers = new TokenIssuers(),
  ): Promise<ServiceAccountTokens> {
    const keys: VerificationKey[] = [];
    for (const pem of [keyPem, ...verifying]) {
      const key = await verificationKey(pem);
      if (!keys.some(({ id }) => id === key.id)) keys.push(key);
    }
    return new ServiceAccountTokens(createPrivateKey(keyPem), keys, clock, issuers);
  }

  /** `expiresAtMs`: when the client is to have a new one. */
  async sign(request: TokenRequest): Promise<{ token: string; tokenId: string; expiresAtMs: number }> {
    const nowSeconds = Math.floor(this.#clock.now() / 1000);
    const expires = nowSeconds + (request.extendedSeconds ?? request.expirationSeconds);
    const audiences =
      request.audiences.length === 0 ? this.issuers.defaultAudiences(request.tenant) : request.audiences;
    const tokenId = randomUUID();
    const claims = {
      'kubernetes.io': {
        namespace: request.namespace,
        ...(request.node !== undefined && { node: request.node }),
        ...(request.pod !== undefined && { pod: request.pod }),
        ...(request.secret !== undefined && { secret: request.secret }),
        serviceaccount: request.serviceAccount,
        ...(request.extendedSeconds !== undefined && { warnafter: nowSeconds + request.expirationSeconds }),
      },
      [tenantClaim]: { tenant: request.tenant },
      iss: this.issuers.of(request.tenant)[0],
      sub: `system:serviceaccount:${request.namespace}:${request.serviceAccount.name}`,
      aud: audiences,
      iat: nowSeconds,
      nbf: nowSeconds,
      exp: expires,
      jti: tokenId,
    };
    const signed = `${this.#header}.${base64url(JSON.stringify(claims))}`;
    const signature = await this.#signatureOf(signed);
    const token = `${signed}.${signature.toString('base64url')}`;
    return { token, tokenId, expiresAtMs: (nowSeconds + request.expirationSeconds) * 1000 };
  }

  /**
   * Every pod gets a token, so this is not done in the event loop; nor by WebCrypto, whose promise costs several times as
   * much. Any option beside the key makes Node write the key out for each signature: twice the time.
   */
  #signatureOf(text: string): Promise<Buffer> {
    return new Promise((resolve, reject) => {
      sign('sha256', Buffer.from(text), this.#privateKey, (error, signature) =>
        error === null ? resolve(fixedLengthSignature(signature)) : reject(error),
      );
    });
  }

  /**
   * The claims of a token whose signature is ours, whatever its audience and time; undefined for one of another issuer.
   * Throws TokenRefused for one that only says it is ours.
   */
  async verify(token: string): Promise<TokenClaims | undefined> {
    const known = this.#verified.get(token);
    if (known !== undefined) return known;
    const tenant = this.issuingTenant(token);
    if (tenant === undefined) return undefined;
    const payload = await this.#payload(token);
    const bound = payload['kubernetes.io'];
    if (payload[tenantClaim]?.tenant !== tenant || bound?.serviceaccount === undefined) {
      throw new TokenRefused('token has no claims of a service account');
    }
    const claims: TokenClaims = {
      tenant,
      namespace: bound.namespace,
      serviceAccount: bound.serviceaccount,
      ...(bound.pod !== undefined && { pod: bound.pod }),
      ...(bound.secret !== undefined && { secret: bound.secret }),
      ...(bound.node !== undefined && { node: bound.node }),
      ...(bound.warnafter !== undefined && { warnAfterMs: Number(bound.warnafter) * 1000 }),
      audiences: [payload['aud'] ?? []].flat(),
      // One that does not say when it ends has ended.
      expiresAtMs: Number(payload['exp'] ?? 0) * 1000,
      notBeforeMs: Number(payload['nbf'] ?? 0) * 1000,
      issuedAtMs: Number(payload['iat'] ?? 0) * 1000,
      tokenId: String(payload['jti'] ?? ''),
    };
    // Audiences are the asker's words: long tokens must not fill the memory.
    if (token.length > rememberedLength) return claims;
    this.#verified.set(token, claims);
    if (this.#verified.size > verifiedLimit) this.#verified.delete(this.#verified.keys().next().value!);
    return claims;
  }

  /** The tenant of the issuer that an unverified token names. */
  issuingTenant(token: string): string | undefined {
    if (token.length > tokenLimit || token.split('.', 4).length !== 3) return undefined;
    try {
      const { iss } = decodeJwt(token);
      return typeof iss === 'string' ? this.issuers.tenantOf(iss) : undefined;
    } catch {
      return undefined;
    }
  }

  async #payload(token: string): Promise<Record<string, any>> {
    const named = this.#keys.filter(({ id }) => id === keyIdOf(token));
    for (const { key } of named.length > 0 ? named : this.#keys) {
      try {
        const { payload } = await compactVerify(token, key, { algorithms: ['ES256'] });
        return JSON.parse(Buffer.from(payload).toString());
      } catch {
        // Another key may fit.
      }
    }
    throw new TokenRefused('go-jose/go-jose: error in cryptographic primitive');
  }
}

async function verificationKey(pem: string): Promise<VerificationKey> {
  const publicKey = createPublicKey(pem);
  const publicPem = publicKey.export({ type: 'spki', format: 'pem' }).toString();
  const key = await importSPKI(publicPem, 'ES256', { extractable: true });
  // As upstream names its keys.
  const id = createHash('sha256')
    .update(publicKey.export({ type: 'spki', format: 'der' }))
    .digest('base64url');
  return { id, key, jwk: await exportJWK(key) };
}

function keyIdOf(token: string): unknown {
  try {
    return JSON.parse(Buffer.from(token.slice(0, token.indexOf('.')), 'base64url').toString()).kid;
  } catch {
    return undefined;
  }
}

const base64url = (text: string) => Buffer.from(text).toString('base64url');

type CryptoKeyLike = Awaited<ReturnType<typeof importSPKI>>;

const coordinateBytes = 32;

/**
 * The two numbers of a P-256 signature, one after the other, out of their DER form: a sequence (0x30) of two integers
 * (0x02), each with its length, without leading zeros but for one where the highest bit is set. Source: RFC 7518, 3.4.
 */
export function fixedLengthSignature(der: Buffer): Buffer {
  const signature = Buffer.alloc(2 * coordinateBytes);
  let at = 2;
  for (let end = coordinateBytes; end <= signature.length; end += coordinateBytes) {
    const start = at + 2;
    at = start + der[at + 1]!;
    const length = Math.min(at - start, coordinateBytes);
    der.copy(signature, end - length, at - length, at);
  }
  return signature;
}
