import './certificate-authority.ts';
import * as x509 from '@peculiar/x509';
import { firstPemBlock } from '../../api/pem.ts';

/** What a PKCS #10 request asks for. */
export interface CertificateRequest {
  publicKey: x509.PublicKey;
  /** CN; '' when it names none. */
  commonName: string;
  /** O */
  organizations: string[];
  dnsNames: string[];
  addresses: string[];
  emails: string[];
  uris: string[];
}

/** Throws an Error that says why when it is none, or is not signed by the key it is for. */
export async function readCertificateRequest(pem: string): Promise<CertificateRequest> {
  const block = firstPemBlock(pem);
  if (block?.type !== 'CERTIFICATE REQUEST') throw new Error('PEM block type must be CERTIFICATE REQUEST');
  const request = new x509.Pkcs10CertificateRequest(block.text);
  const isSigned = await request.verify().catch(() => false);
  if (!isSigned) throw new Error('x509: the signature of the certificate request is not valid');
  const extension = request.extensions.find((one) => one instanceof x509.SubjectAlternativeNameExtension);
  const alternatives = extension?.names.items ?? [];
  const ofType = (wanted: string) => alternatives.filter(({ type }) => type === wanted).map(({ value }) => value);
  return {
    publicKey: request.publicKey,
    commonName: request.subjectName.getField('CN')[0] ?? '',
    organizations: request.subjectName.getField('O'),
    dnsNames: ofType('dns'),
    addresses: ofType('ip'),
    emails: ofType('email'),
    uris: ofType('url'),
  };
}
