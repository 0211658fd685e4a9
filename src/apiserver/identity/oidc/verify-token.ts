import { compactVerify, decodeProtectedHeader } from 'jose';
import { quotedList } from '../../authorization/rbac/cover.ts';
import { TokenRefused } from '../service-account-tokens.ts';
import type { KeySet } from './key-sets.ts';

export type Claims = Record<string, unknown>;

/** Source: AllValidSigningAlgorithms upstream. */
const algorithms = ['ES256', 'ES384', 'ES512', 'PS256', 'PS384', 'PS512', 'RS256', 'RS384', 'RS512'];
/** go-oidc's leeway for `nbf`, the only one it gives. */
const notBeforeLeewaySeconds = 300;
/** Nobody's token is longer. */
const tokenLimit = 64 * 1024;

/** What a token says before anybody has looked at its signature; undefined where it is no compact JWT. */
function untrustedClaims(token: string): Claims | undefined {
  if (token.length > tokenLimit || token.split('.', 4).length !== 3) return undefined;
  try {
    const claims = JSON.parse(Buffer.from(token.split('.')[1]!, 'base64url').toString());
    return typeof claims === 'object' && claims !== null && !Array.isArray(claims) ? claims : undefined;
  } catch {
    return undefined;
  }
}

/** The claim `iss`; Google's has two spellings. */
export function untrustedIssuer(token: string): string | undefined {
  const issuer = untrustedClaims(token)?.['iss'];
  if (typeof issuer !== 'string') return undefined;
  return issuer === 'accounts.google.com' ? 'https://accounts.google.com' : issuer;
}

/**
 * The claims of a token that its issuer has signed, meant for one of the audiences, and good now. Throws TokenRefused in
 * upstream's words. Source: IDTokenVerifier of go-oidc and idTokenVerifier upstream.
 */
export async function verifyToken(
  token: string,
  keys: KeySet,
  audiences: readonly string[],
  nowMs: number,
): Promise<Claims> {
  const refuse = (why: string) => new TokenRefused(`oidc: ${why}`);
  const claims = untrustedClaims(token);
  if (claims === undefined) throw refuse('malformed jwt');
  for (const name of ['sub', 'nonce', 'at_hash']) {
    const type = goTypeOf(claims[name]);
    if (type === 'string' || type === 'null') continue;
    const field = `idToken.${name} of type string`;
    throw refuse(`failed to unmarshal claims: json: cannot unmarshal ${type} into Go struct field ${field}`);
  }
  const meantFor = [claims['aud'] ?? []].flat() as string[];
  const [only] = audiences;
  if (!audiences.some((audience) => meantFor.includes(audience))) {
    const expected = audiences.length === 1 ? JSON.stringify(only) : `in ${quotedList([...audiences].sort())}`;
    throw refuse(`expected audience ${expected} got ${quotedList(meantFor)}`);
  }
  const expiry = Number(claims['exp'] ?? 0);
  if (!(expiry * 1000 > nowMs)) throw refuse(`token is expired (Token Expiry: ${goTime(expiry)})`);
  const notBefore = claims['nbf'];
  if (notBefore !== undefined && !(nowMs / 1000 + notBeforeLeewaySeconds >= Number(notBefore))) {
    throw refuse(`current time ${goTime(nowMs / 1000)} before the nbf (not before) time: ${goTime(Number(notBefore))}`);
  }
  checkSources(claims, refuse);
  const { alg } = headerOf(token) ?? {};
  if (!algorithms.includes(alg ?? '')) {
    throw refuse(
      `id token signed with unsupported algorithm, expected ${quotedList(algorithms)} got ${JSON.stringify(alg ?? '')}`,
    );
  }
  try {
    await compactVerify(token, (header, input) => keys.key(header, input), { algorithms });
  } catch (error) {
    // Why an issuer could not be asked is for the log: the answer goes to whoever asks.
    const cause = error instanceof TokenRefused ? error.message : 'failed to verify id token signature';
    throw error instanceof TokenRefused ? error : new TokenRefused(`failed to verify signature: ${cause}`);
  }
  return claims;
}

/** A claim that stands elsewhere must say where. */
function checkSources(claims: Claims, refuse: (why: string) => TokenRefused): void {
  const names = claims['_claim_names'];
  if (names === undefined || names === null) return;
  const sources = (claims['_claim_sources'] ?? {}) as Record<string, unknown>;
  if (typeof names !== 'object' || Object.values(names).some((source) => typeof source !== 'string')) {
    throw refuse('failed to unmarshal claims: json: cannot unmarshal claim names');
  }
  for (const source of Object.values(names as Record<string, string>)) {
    if (source === '') throw refuse('failed to obtain source from claim name');
    if (!Object.hasOwn(sources, source)) throw refuse('source does not exist');
  }
}

function headerOf(token: string): { alg?: string } | undefined {
  try {
    return decodeProtectedHeader(token) as { alg?: string };
  } catch {
    return undefined;
  }
}

function goTypeOf(value: unknown): string {
  if (value === undefined || value === null) return 'null';
  if (Array.isArray(value)) return 'array';
  return typeof value === 'boolean' ? 'bool' : typeof value;
}

/** As Go prints a time of so many seconds. */
function goTime(seconds: number): string {
  const date = new Date(Math.floor(seconds) * 1000);
  if (Number.isNaN(date.getTime())) return String(seconds);
  return `${date.toISOString().slice(0, 19).replace('T', ' ')} +0000 UTC`;
}
