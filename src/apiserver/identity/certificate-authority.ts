// tsyringe, below @peculiar/x509, wants the reflection polyfill before its first import.
import 'reflect-metadata';
import { webcrypto, X509Certificate } from 'node:crypto';
import { isIP } from 'node:net';
import * as x509 from '@peculiar/x509';
import type { Clock } from '../../base/clock.ts';
import { systemClock } from '../../base/clock.ts';
import { HOSTS_GROUP, hostUser, PLATFORM_GROUP, tenantUnits } from './identity.ts';

type CryptoKey = webcrypto.CryptoKey;
type CryptoKeyPair = webcrypto.CryptoKeyPair;

x509.cryptoProvider.set(webcrypto as never);

const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };
const dayMs = 24 * 3600 * 1000;
/** Clocks of hosts differ a little: a fresh certificate is valid at once everywhere. */
export const backdateMs = 5 * 60 * 1000;

export interface PemPair {
  certificatePem: string;
  /** PKCS #8 */
  keyPem: string;
}

/** Names every API server certificate is good for, besides those of its operator. */
const servingNames = [
  'localhost',
  '127.0.0.1',
  '::1',
  'kubernetes',
  'kubernetes.default',
  'kubernetes.default.svc',
  'kubernetes.default.svc.cluster.local',
  '10.96.0.1',
];

export interface ClientSubject {
  user: string;
  groups?: string[];
  /** The tenant the credential is good for; none for components of the platform. */
  tenant?: string;
  /** Of its Tenant object, where it is known: a later tenant of the name is another. */
  tenantUid?: string;
}

/** Signs every certificate of an installation: ECDSA P-256, so that a handshake costs little. */
export class CertificateAuthority {
  readonly certificatePem: string;
  readonly keyPem: string;
  readonly #certificate: x509.X509Certificate;
  readonly #key: CryptoKey;
  readonly #clock: Clock;

  private constructor(pair: PemPair, key: CryptoKey, clock: Clock) {
    this.certificatePem = pair.certificatePem;
    this.keyPem = pair.keyPem;
    this.#certificate = new x509.X509Certificate(pair.certificatePem);
    this.#key = key;
    this.#clock = clock;
  }

  static async create(commonName = 'skypod-ca', clock: Clock = systemClock): Promise<CertificateAuthority> {
    const keys = await generateKeys();
    const certificate = await x509.X509CertificateGenerator.createSelfSigned({
      serialNumber: serialNumber(),
      name: [{ CN: [commonName] }],
      notBefore: new Date(clock.now() - backdateMs),
      notAfter: new Date(clock.now() + 3650 * dayMs),
      signingAlgorithm: algorithm,
      keys,
      extensions: [
        new x509.BasicConstraintsExtension(true, undefined, true),
        new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.digitalSignature, true),
        await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
      ],
    });
    const pair = { certificatePem: certificate.toString('pem'), keyPem: await exportKey(keys.privateKey) };
    return new CertificateAuthority(pair, keys.privateKey, clock);
  }

  static async load(pair: PemPair, clock: Clock = systemClock): Promise<CertificateAuthority> {
    const der = x509.PemConverter.decodeFirst(pair.keyPem);
    const key = await webcrypto.subtle.importKey('pkcs8', der, algorithm, true, ['sign']);
    return new CertificateAuthority(pair, key, clock);
  }

  /** A server certificate for `servingNames` and `names` (host names and addresses). */
  async issueServing(names: string[] = [], options: { commonName?: string; days?: number } = {}): Promise<PemPair> {
    const alternatives = [...new Set([...servingNames, ...names])].map((name) => ({
      type: isIP(name) === 0 ? ('dns' as const) : ('ip' as const),
      value: name,
    }));
    return this.#issue([{ CN: [options.commonName ?? 'skypod-apiserver'] }], options.days ?? 365, [
      new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth]),
      new x509.SubjectAlternativeNameExtension(alternatives),
    ]);
  }

  /** A user of a tenant, or a component of the platform. Source of the mapping: `identity.ts`. */
  async issueClient(subject: ClientSubject, options: { days?: number } = {}): Promise<PemPair> {
    const name: x509.JsonName = [{ CN: [subject.user] }];
    for (const group of subject.groups ?? []) name.push({ O: [group] });
    if (subject.tenant !== undefined) {
      for (const unit of tenantUnits(subject.tenant, subject.tenantUid)) name.push({ OU: [unit] });
    }
    return this.#issue(name, options.days ?? 365, [
      new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.clientAuth]),
    ]);
  }

  issueTenantUser(
    tenant: string,
    user: string,
    groups: string[],
    { tenantUid, ...options }: { days?: number; tenantUid?: string | undefined } = {},
  ): Promise<PemPair> {
    return this.issueClient({ user, groups, tenant, ...(tenantUid !== undefined && { tenantUid }) }, options);
  }

  issuePlatformClient(user: string, options?: { days?: number }): Promise<PemPair> {
    return this.issueClient({ user, groups: [PLATFORM_GROUP] }, options);
  }

  /** One certificate for both of a host's roles: client of the API, and server of its streaming endpoint. */
  async issueHost(hostName: string, addresses: string[], options: { days?: number } = {}): Promise<PemPair> {
    const alternatives = [...new Set([hostName, ...addresses])].map((name) => ({
      type: isIP(name) === 0 ? ('dns' as const) : ('ip' as const),
      value: name,
    }));
    return this.#issue([{ CN: [hostUser(hostName)] }, { O: [HOSTS_GROUP] }], options.days ?? 365, [
      new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.clientAuth, x509.ExtendedKeyUsage.serverAuth]),
      new x509.SubjectAlternativeNameExtension(alternatives),
    ]);
  }

  /** A certificate for someone else's key. `subject` and `extensions` are the caller's decision, whatever was asked for. */
  async certify(
    publicKey: x509.PublicKey,
    subject: x509.Name,
    seconds: number,
    extensions: x509.Extension[],
  ): Promise<string> {
    const certificate = await x509.X509CertificateGenerator.create({
      serialNumber: serialNumber(),
      subject,
      issuer: this.#certificate.subject,
      notBefore: new Date(this.#clock.now() - backdateMs),
      notAfter: new Date(Math.min(this.#clock.now() + seconds * 1000, this.#certificate.notAfter.getTime())),
      signingAlgorithm: algorithm,
      publicKey,
      signingKey: this.#key,
      extensions: [
        new x509.BasicConstraintsExtension(false, undefined, true),
        await x509.AuthorityKeyIdentifierExtension.create(this.#certificate.publicKey),
        ...extensions,
      ],
    });
    return certificate.toString('pem');
  }

  async #issue(name: x509.JsonName, days: number, extensions: x509.Extension[]): Promise<PemPair> {
    const keys = await generateKeys();
    const certificate = await x509.X509CertificateGenerator.create({
      serialNumber: serialNumber(),
      subject: new x509.Name(name).toString(),
      issuer: this.#certificate.subject,
      notBefore: new Date(this.#clock.now() - backdateMs),
      notAfter: new Date(this.#clock.now() + days * dayMs),
      signingAlgorithm: algorithm,
      publicKey: keys.publicKey,
      signingKey: this.#key,
      extensions: [
        new x509.BasicConstraintsExtension(false, undefined, true),
        new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
        await x509.AuthorityKeyIdentifierExtension.create(this.#certificate.publicKey),
        ...extensions,
      ],
    });
    return { certificatePem: certificate.toString('pem'), keyPem: await exportKey(keys.privateKey) };
  }
}

/** When a certificate ends, in milliseconds since the epoch: compose/ renews those that end soon. */
export function certificateEndMs(certificatePem: string): number {
  return new X509Certificate(certificatePem).validToDate.getTime();
}

function serialNumber(): string {
  const bytes = webcrypto.getRandomValues(new Uint8Array(16));
  // A serial number is a positive integer: the top bit stays clear, and not all of the first byte is zero.
  bytes[0] = (bytes[0]! & 0x7f) | 0x40;
  return Buffer.from(bytes).toString('hex');
}

async function generateKeys(): Promise<CryptoKeyPair> {
  return (await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify'])) as CryptoKeyPair;
}

async function exportKey(key: CryptoKey): Promise<string> {
  const der = await webcrypto.subtle.exportKey('pkcs8', key);
  return x509.PemConverter.encode(der, 'PRIVATE KEY');
}
