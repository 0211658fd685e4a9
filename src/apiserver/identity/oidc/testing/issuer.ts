import { createServer, type Server } from 'node:https';
import { exportJWK, generateKeyPair, SignJWT } from 'jose';
import { listenLocally } from '../../../../base/testing/local-server.ts';
import { CertificateAuthority } from '../../certificate-authority.ts';

type Keys = Awaited<ReturnType<typeof generateKeyPair>>;

/** A real issuer: discovery and keys over HTTPS. */
export interface Issuer {
  url: string;
  caPem: string;
  asked: string[];
  sign(
    claims: Record<string, unknown>,
    options?: { key?: string; expiresIn?: number; audience?: string | string[] },
  ): Promise<string>;
  /** What it answers at other paths, by path; given the Authorization header. */
  pages: Map<string, (authorization: string | undefined) => string>;
  slowPages: Map<string, () => Promise<string>>;
  /** A new key from now on; the old one is published no longer. */
  rotate(): Promise<void>;
  close(): void;
}

export async function startIssuer(): Promise<Issuer> {
  const authority = await CertificateAuthority.create('issuer');
  const pair = await authority.issueServing();
  let keys: Keys;
  let keyNumber = 0;
  const asked: string[] = [];
  const pages: Issuer['pages'] = new Map();
  const slowPages: Issuer['slowPages'] = new Map();
  const server: Server = createServer({ cert: pair.certificatePem, key: pair.keyPem }, async (request, response) => {
    asked.push(request.url ?? '');
    response.setHeader('content-type', 'application/json');
    if (request.url === '/.well-known/openid-configuration') {
      return response.end(JSON.stringify({ issuer: url, jwks_uri: `${url}/keys` }));
    }
    if (request.url === '/keys') {
      const jwk = { ...(await exportJWK(keys.publicKey)), kid: `key-${keyNumber}`, alg: 'RS256', use: 'sig' };
      return response.end(JSON.stringify({ keys: [jwk] }));
    }
    const slowPage = slowPages.get(request.url ?? '');
    if (slowPage !== undefined) return response.end(await slowPage());
    const page = pages.get(request.url ?? '');
    if (page !== undefined) return response.end(page(request.headers.authorization));
    response.statusCode = 404;
    return response.end('{}');
  });
  const url = `https://localhost:${await listenLocally(server)}`;
  const rotate = async () => {
    keys = await generateKeyPair('RS256', { extractable: true });
    keyNumber += 1;
  };
  await rotate();
  return {
    url,
    caPem: authority.certificatePem,
    asked,
    pages,
    slowPages,
    rotate,
    async sign(claims, { key = `key-${keyNumber}`, expiresIn = 600, audience = 'skypod' } = {}) {
      const now = Math.floor(Date.now() / 1000);
      const full = { iss: url, aud: audience, iat: now, nbf: now - 1, exp: now + expiresIn, ...claims };
      return new SignJWT(full).setProtectedHeader({ alg: 'RS256', kid: key }).sign(keys.privateKey);
    },
    close() {
      server.closeAllConnections();
      server.close();
    },
  };
}
