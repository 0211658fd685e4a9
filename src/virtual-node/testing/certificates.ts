import 'reflect-metadata';
import * as x509 from '@peculiar/x509';

export interface TestPair {
  certificatePem: string;
  keyPem: string;
}

const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };

/** An authority and certificates of it, good for an hour; for tests that speak real TLS. */
export async function testAuthority(): Promise<{
  caPem: string;
  issue(commonName: string, alternatives: string[]): Promise<TestPair>;
}> {
  const keys = await crypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
  const lifetime = { notBefore: new Date(Date.now() - 60_000), notAfter: new Date(Date.now() + 3_600_000) };
  const authority = await x509.X509CertificateGenerator.createSelfSigned({
    name: 'CN=test-ca',
    keys,
    signingAlgorithm: algorithm,
    ...lifetime,
    extensions: [new x509.BasicConstraintsExtension(true)],
  });
  return {
    caPem: authority.toString('pem'),
    async issue(commonName, alternatives) {
      const own = await crypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
      const certificate = await x509.X509CertificateGenerator.create({
        subject: `CN=${commonName}`,
        issuer: authority.subject,
        publicKey: own.publicKey,
        signingKey: keys.privateKey,
        signingAlgorithm: algorithm,
        ...lifetime,
        extensions: [
          new x509.SubjectAlternativeNameExtension(alternatives.map((value) => ({ type: 'dns' as const, value }))),
        ],
      });
      const key = Buffer.from(await crypto.subtle.exportKey('pkcs8', own.privateKey)).toString('base64');
      return {
        certificatePem: certificate.toString('pem'),
        keyPem: `-----BEGIN PRIVATE KEY-----\n${key.replace(/.{64}/g, '$&\n')}\n-----END PRIVATE KEY-----\n`,
      };
    },
  };
}
