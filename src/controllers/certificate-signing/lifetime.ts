import { X509Certificate } from 'node:crypto';
import type { CertificateSigningRequest } from '../../api/generated/certificates-v1.ts';

const hourMs = 3600 * 1000;
/** As upstream: what was decided may be read for an hour, what nobody decides stays for a day. */
const decidedMs = hourMs;
const pendingMs = 24 * hourMs;

export const conditionOf = ({ status }: CertificateSigningRequest, type: string) =>
  status?.conditions?.find((condition) => condition.type === type && condition.status === 'True');

/** When a request is cleared away, in milliseconds since the epoch. */
export function endOfRequestMs(request: CertificateSigningRequest): number {
  const sinceMs = (time: string | undefined) => (time === undefined ? Number.NaN : Date.parse(time));
  const createdMs = sinceMs(request.metadata.creationTimestamp);
  for (const type of ['Denied', 'Failed', 'Approved']) {
    const condition = conditionOf(request, type);
    if (condition === undefined) continue;
    // One that is approved and waits for its signer is still at work.
    const isWaiting = type === 'Approved' && !request.status?.certificate;
    if (isWaiting) return (sinceMs(condition.lastUpdateTime) || createdMs) + pendingMs;
    const decidedEndMs = (sinceMs(condition.lastUpdateTime) || createdMs) + decidedMs;
    return Math.min(decidedEndMs, type === 'Approved' ? endOfCertificateMs(request) : Number.POSITIVE_INFINITY);
  }
  return createdMs + pendingMs;
}

/** Of the certificate that was issued; never, where it cannot be read. */
function endOfCertificateMs({ status }: CertificateSigningRequest): number {
  try {
    return new X509Certificate(Buffer.from(String(status?.certificate), 'base64')).validToDate.getTime();
  } catch {
    return Number.POSITIVE_INFINITY;
  }
}
