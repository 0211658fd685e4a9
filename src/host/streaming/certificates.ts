import type { TLSSocket } from 'node:tls';

/** Organization of the certificates that the platform's own components hold; tenants' are of the same authority. */
const PLATFORM_ORGANIZATION = 'skypod:platform';

/** Whether the other side of a verified TLS connection is a component of the platform. */
export function isPlatformPeer(socket: TLSSocket): boolean {
  if (!socket.authorized) return false;
  const organization: unknown = socket.getPeerCertificate().subject?.O;
  return Array.isArray(organization)
    ? organization.includes(PLATFORM_ORGANIZATION)
    : organization === PLATFORM_ORGANIZATION;
}
