import { createPrivateKey, createPublicKey, type KeyObject, randomUUID, sign } from 'node:crypto';
import { exportJWK, exportPKCS8, generateKeyPair, importSPKI, type JWK, jwtVerify } from 'jose';
import type { Clock } from '../../base/clock.ts';

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
  /** Empty: the tenant's issuer, that is, the API itself. */
  audiences: string[];
  expirationSeconds: number;
}

export interface TokenClaims extends TokenBinding {
  audiences: string[];
  expiresAtMs: number;
  tokenId: string;
}

const issuerPrefix = 'https://kubernetes.default.svc.cluster.local/clusters/';
const tenantClaim = 'skypod.io';
/** So many verified tokens are remembered, the oldest forgotten first: a signature check costs 0.1 ms. */
const verifiedLimit = 10_000;

export const issuerOf = (tenant: string) => `${issuerPrefix}${tenant}`;

/** The audience a token without a wish gets, and the one the API server takes. */
export const apiAudiences = (tenant: string) => [issuerOf(tenant), 'https://kubernetes.default.svc'];

/**
 * Signs and verifies the tokens of service accounts (ES256). Whether what a token is bound to still exists is asked of
 * the API's own objects by authentication, on every request.
 */
export class ServiceAccountTokens {
  /** JSON Web Key Set with the public key, for `/openid/v1/jwks`. */
  readonly keySet: { keys: JWK[] };
  readonly #privateKey: KeyObject;
  readonly #publicKey: CryptoKeyLike;
  readonly #keyId: string;
  /** The protected header of every token, encoded. */
  readonly #header: string;
  readonly #clock: Clock;
  readonly #verified = new Map<string, TokenClaims>();

  private constructor(privateKey: KeyObject, publicKey: CryptoKeyLike, jwk: JWK, clock: Clock) {
    this.#privateKey = privateKey;
    this.#publicKey = publicKey;
    this.#keyId = `${jwk.x}`.slice(0, 16);
    this.#header = base64url(JSON.stringify({ alg: 'ES256', kid: this.#keyId }));
    this.keySet = { keys: [{ ...jwk, kid: this.#keyId, alg: 'ES256', use: 'sig' }] };
    this.#clock = clock;
  }

  /** A new private key as PKCS #8 PEM: compose/ keeps it in the data directory. */
  static async generateKeyPem(): Promise<string> {
    const { privateKey } = await generateKeyPair('ES256', { extractable: true });
    return exportPKCS8(privateKey);
  }

  static async load(keyPem: string, clock: Clock): Promise<ServiceAccountTokens> {
    const publicPem = createPublicKey(keyPem).export({ type: 'spki', format: 'pem' }).toString();
    const publicKey = await importSPKI(publicPem, 'ES256', { extractable: true });
    return new ServiceAccountTokens(createPrivateKey(keyPem), publicKey, await exportJWK(publicKey), clock);
  }

  async sign(request: TokenRequest): Promise<{ token: string; expiresAtMs: number }> {
    const nowSeconds = Math.floor(this.#clock.now() / 1000);
    const expires = nowSeconds + request.expirationSeconds;
    const audiences = request.audiences.length === 0 ? [issuerOf(request.tenant)] : request.audiences;
    const claims = {
      'kubernetes.io': {
        namespace: request.namespace,
        ...(request.node !== undefined && { node: request.node }),
        ...(request.pod !== undefined && { pod: request.pod }),
        ...(request.secret !== undefined && { secret: request.secret }),
        serviceaccount: request.serviceAccount,
      },
      [tenantClaim]: { tenant: request.tenant },
      iss: issuerOf(request.tenant),
      sub: `system:serviceaccount:${request.namespace}:${request.serviceAccount.name}`,
      aud: audiences,
      iat: nowSeconds,
      nbf: nowSeconds,
      exp: expires,
      jti: randomUUID(),
    };
    const signed = `${this.#header}.${base64url(JSON.stringify(claims))}`;
    const signature = await this.#signatureOf(signed);
    const token = `${signed}.${signature.toString('base64url')}`;
    return { token, expiresAtMs: expires * 1000 };
  }

  /** Every pod gets a token, so this is not done in the event loop; nor by WebCrypto, whose promise costs several times as much. */
  #signatureOf(text: string): Promise<Buffer> {
    return new Promise((resolve, reject) => {
      sign('sha256', Buffer.from(text), { key: this.#privateKey, dsaEncoding: 'ieee-p1363' }, (error, signature) =>
        error === null ? resolve(signature) : reject(error),
      );
    });
  }

  /** The claims of a token of ours that has not expired, whatever its audience; undefined for anything else. */
  async verify(token: string): Promise<TokenClaims | undefined> {
    const known = this.#verified.get(token);
    if (known !== undefined) {
      if (known.expiresAtMs > this.#clock.now()) return known;
      this.#verified.delete(token);
      return undefined;
    }
    let payload: Record<string, any>;
    try {
      ({ payload } = await jwtVerify(token, this.#publicKey, {
        algorithms: ['ES256'],
        currentDate: new Date(this.#clock.now()),
        // Two control planes' clocks may differ a little; upstream allows none for expiry but issues no token early.
        clockTolerance: 5,
        requiredClaims: ['iss', 'sub', 'exp', 'aud'],
      }));
    } catch {
      return undefined;
    }
    const tenant = payload[tenantClaim]?.tenant;
    const bound = payload['kubernetes.io'];
    if (typeof tenant !== 'string' || payload.iss !== issuerOf(tenant) || bound?.serviceaccount === undefined) {
      return undefined;
    }
    const claims: TokenClaims = {
      tenant,
      namespace: bound.namespace,
      serviceAccount: bound.serviceaccount,
      ...(bound.pod !== undefined && { pod: bound.pod }),
      ...(bound.secret !== undefined && { secret: bound.secret }),
      ...(bound.node !== undefined && { node: bound.node }),
      audiences: Array.isArray(payload.aud) ? payload.aud : [payload.aud],
      expiresAtMs: Number(payload.exp) * 1000,
      tokenId: String(payload.jti ?? ''),
    };
    this.#verified.set(token, claims);
    if (this.#verified.size > verifiedLimit) this.#verified.delete(this.#verified.keys().next().value!);
    return claims;
  }
}

const base64url = (text: string) => Buffer.from(text).toString('base64url');

type CryptoKeyLike = Awaited<ReturnType<typeof importSPKI>>;
