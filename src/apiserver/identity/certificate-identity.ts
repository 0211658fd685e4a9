import type { X509Certificate } from 'node:crypto';
import { backdateMs } from './certificate-authority.ts';
import { type Identity, identityOfSubject } from './identity.ts';

/** Who a client certificate of our own CA stands for; undefined when it stands for nobody. */
export function identityOfCertificate(certificate: X509Certificate): Identity | undefined {
  const subject = certificate.toLegacyObject().subject as unknown as Record<string, string | string[] | undefined>;
  const many = (value: string | string[] | undefined) => (value === undefined ? [] : [value].flat());
  const user = many(subject['CN'])[0];
  if (user === undefined || user === '') return undefined;
  const identity = identityOfSubject({ user, groups: many(subject['O']), units: many(subject['OU']) });
  if (identity === undefined) return undefined;
  const fingerprint = certificate.fingerprint256.replaceAll(':', '').toLowerCase();
  return {
    ...identity,
    ...(identity.kind === 'tenant' && { issuedMs: certificate.validFromDate.getTime() + backdateMs }),
    validUntilMs: certificate.validToDate.getTime(),
    extra: { 'authentication.kubernetes.io/credential-id': [`X509SHA256=${fingerprint}`] },
  };
}
