import type { X509Certificate } from 'node:crypto';
import type { TLSSocket } from 'node:tls';
import type { Credentials } from '../filters/authentication.ts';
import { identityOfCertificate } from '../identity/certificate-identity.ts';
import type { Identity } from '../identity/identity.ts';

const identities = new WeakMap<TLSSocket, Identity | 'rejected' | 'none'>();

/** Who the client certificate of a connection stands for; looked at once per connection. */
export function certificateIdentity(socket: TLSSocket): Identity | 'rejected' | undefined {
  const known = identities.get(socket);
  if (known !== undefined) return known === 'none' ? undefined : known;
  const identity = readCertificate(socket);
  identities.set(socket, identity ?? 'none');
  return identity;
}

function readCertificate(socket: TLSSocket): Identity | 'rejected' | undefined {
  const certificate: X509Certificate | undefined = socket.getPeerX509Certificate?.();
  if (certificate === undefined) return undefined;
  // Node has checked chain and dates against our CA only.
  if (!socket.authorized) return 'rejected';
  return identityOfCertificate(certificate) ?? 'rejected';
}

const websocketTokenPrefix = 'base64url.bearer.authorization.k8s.io.';

/** A token from the Authorization header, or (browsers) from a WebSocket's subprotocol, as upstream takes both. */
export function bearerToken(headers: NodeJS.Dict<string | string[]>): string | undefined {
  const header = headers['authorization'];
  if (typeof header === 'string' && /^bearer /i.test(header)) return header.slice(7).trim();
  const protocols = headers['sec-websocket-protocol'];
  if (typeof protocols !== 'string') return undefined;
  for (const protocol of protocols.split(',').map((piece) => piece.trim())) {
    if (!protocol.startsWith(websocketTokenPrefix)) continue;
    return Buffer.from(protocol.slice(websocketTokenPrefix.length), 'base64url').toString();
  }
  return undefined;
}

export function credentialsOf(socket: TLSSocket, headers: NodeJS.Dict<string | string[]>): Credentials {
  return { certificate: certificateIdentity(socket), bearerToken: bearerToken(headers) };
}
