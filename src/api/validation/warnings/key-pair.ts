import { createPrivateKey, createPublicKey, type KeyObject, X509Certificate } from 'node:crypto';
import { pemBlocks } from '../../pem.ts';

/** Why a certificate and a key make no pair, in the words of Go's tls.X509KeyPair; undefined when they do. */
export function keyPairFault(certificatePem: string, keyPem: string): string | undefined {
  const blocks = [...pemBlocks(certificatePem)];
  const types = blocks.map(({ type }) => type);
  const certificate = blocks.find(({ type }) => type === 'CERTIFICATE');
  if (certificate === undefined) {
    if (types.length === 0) return 'tls: failed to find any PEM data in certificate input';
    if (types.length === 1 && types[0]!.endsWith('PRIVATE KEY')) {
      return 'tls: failed to find certificate PEM data in certificate input, but did find a private key; PEM inputs may have been switched';
    }
    return `tls: failed to find "CERTIFICATE" PEM block in certificate input after skipping PEM blocks of the following types: [${types.join(' ')}]`;
  }
  const keyBlocks = [...pemBlocks(keyPem)];
  const keyTypes = keyBlocks.map(({ type }) => type);
  const keyBlock = keyBlocks.find(({ type }) => type.endsWith('PRIVATE KEY'));
  if (keyBlock === undefined) {
    if (keyTypes.length === 0) return 'tls: failed to find any PEM data in key input';
    if (keyTypes.length === 1 && keyTypes[0] === 'CERTIFICATE') {
      return 'tls: found a certificate rather than a key in the PEM for the private key';
    }
    return `tls: failed to find PEM block with type ending in "PRIVATE KEY" in key input after skipping PEM blocks of the following types: [${keyTypes.join(' ')}]`;
  }
  let publicKey: KeyObject;
  try {
    publicKey = new X509Certificate(certificate.text).publicKey;
  } catch {
    return 'x509: malformed certificate';
  }
  let ofKey: KeyObject;
  try {
    ofKey = createPublicKey(createPrivateKey(keyBlock.text));
  } catch {
    return 'tls: failed to parse private key';
  }
  if (publicKey.asymmetricKeyType !== ofKey.asymmetricKeyType) {
    return 'tls: private key type does not match public key type';
  }
  return publicKey.equals(ofKey) ? undefined : 'tls: private key does not match public key';
}
