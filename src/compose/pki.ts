import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { networkInterfaces } from 'node:os';
import { join } from 'node:path';
import { SYSTEM_TENANT } from '../api/tenants.ts';
import { type FrontProxy, frontProxyOf } from '../apiserver/aggregation/front-proxy.ts';
import { CertificateAuthority, certificateEndMs, type PemPair } from '../apiserver/identity/certificate-authority.ts';
import { ServiceAccountTokens } from '../apiserver/identity/service-account-tokens.ts';
import type { Clock } from '../base/clock.ts';
import { CommandError } from './command-error.ts';
import type { DataDirectory } from './data-directory.ts';
import { writeKubeconfig } from './kubeconfig-file.ts';
import type { ListenAddress } from './listen-address.ts';

const renewBeforeMs = 90 * 24 * 3600 * 1000;
export const DEFAULT_TENANT_NAME = 'default';

export interface Pki {
  authority: CertificateAuthority;
  /** Signs the servers of tenants; trusted by nothing of the platform. */
  tenantServers: CertificateAuthority;
  /** PKCS #8 PEM of the key that signs service account tokens. */
  tokenKeyPem: string;
  /** How tenants' own API servers know ours: its authority signs nothing else and is trusted by nothing of the platform. */
  frontProxy: FrontProxy;
  serving: PemPair;
  /** What the control plane shows to hosts' streaming servers. */
  platformClient: PemPair;
}

/** Everything secret of the platform, made at the first start and renewed when it nears its end. */
export async function openPki(data: DataDirectory, listen: ListenAddress, clock: Clock): Promise<Pki> {
  const { authority, tenantServers, frontProxyAuthority, tokenKeyPem } = await openRoots(data, clock);
  return {
    authority,
    frontProxy: frontProxyOf(frontProxyAuthority, clock),
    tenantServers,
    tokenKeyPem,
    serving: await openPair(data, 'apiserver', clock, () => authority.issueServing(servingAddresses(listen))),
    platformClient: await openPair(data, 'control-plane', clock, () =>
      authority.issuePlatformClient('skypod:control-plane'),
    ),
  };
}

/** What everything else rests on; all control planes of one Skypod have the same. Made where it is missing. */
export async function openRoots(data: DataDirectory, clock: Clock) {
  const authority = await openAuthority(data, clock);
  const tenantServers = await openAuthority(data, clock, 'tenant-servers');
  const frontProxyAuthority = await openAuthority(data, clock, 'front-proxy-ca');
  const tokenKeyFile = join(data.pki, 'service-account.key');
  if (!existsSync(tokenKeyFile)) writeSecret(tokenKeyFile, await ServiceAccountTokens.generateKeyPem());
  return { authority, tenantServers, frontProxyAuthority, tokenKeyPem: readFileSync(tokenKeyFile, 'utf8') };
}

/** The authority alone, as `skypod tenant create` needs it. */
export async function openAuthority(data: DataDirectory, clock: Clock, name = 'ca'): Promise<CertificateAuthority> {
  const certificateFile = join(data.pki, `${name}.crt`);
  const keyFile = join(data.pki, `${name}.key`);
  // The certificate is written last, so its presence means that both are whole.
  if (!existsSync(certificateFile)) {
    const created = await CertificateAuthority.create(`skypod-${name}`, clock);
    writeSecret(keyFile, created.keyPem);
    writeSecret(certificateFile, created.certificatePem);
  }
  return CertificateAuthority.load(
    { certificatePem: readFileSync(certificateFile, 'utf8'), keyPem: readFileSync(keyFile, 'utf8') },
    clock,
  );
}

/** The credential of one host: a client of the API and, to the control plane, the streaming server's certificate. */
export function openHostPair(data: DataDirectory, authority: CertificateAuthority, hostName: string, clock: Clock) {
  return openPair(data, hostPairName(hostName), clock, () => authority.issueHost(hostName, ['127.0.0.1', '::1']));
}

export function readPair(data: DataDirectory, name: string): PemPair & { caPem: string } {
  const read = (file: string) => {
    try {
      return readFileSync(join(data.pki, file), 'utf8');
    } catch {
      throw new CommandError(
        `${join(data.pki, file)} is missing: start the control plane on this data directory first`,
      );
    }
  };
  return { certificatePem: read(`${name}.crt`), keyPem: read(`${name}.key`), caPem: read('ca.crt') };
}

export const hostPairName = (hostName: string) => `host-${hostName}`;

export async function writeTenantKubeconfig(
  path: string,
  authority: CertificateAuthority,
  server: string,
  tenant: string,
  peers: string[] = [],
  tenantUid?: string,
): Promise<void> {
  const pair = await authority.issueTenantUser(tenant, 'admin', ['system:masters'], { tenantUid });
  writeKubeconfig(path, {
    server,
    peers,
    tenant,
    user: 'admin',
    caCertificatePem: authority.certificatePem,
    clientCertificatePem: pair.certificatePem,
    clientKeyPem: pair.keyPem,
  });
}

/** `DATA/system.kubeconfig`: the operator, whose own logical cluster is `system`. */
export async function writeSystemKubeconfig(
  path: string,
  authority: CertificateAuthority,
  server: string,
  peers: string[] = [],
): Promise<void> {
  const pair = await authority.issuePlatformClient('skypod:operator');
  writeKubeconfig(path, {
    server: `${server}/clusters/${SYSTEM_TENANT}`,
    peers: peers.map((peer) => `${peer}/clusters/${SYSTEM_TENANT}`),
    tenant: SYSTEM_TENANT,
    user: 'operator',
    caCertificatePem: authority.certificatePem,
    clientCertificatePem: pair.certificatePem,
    clientKeyPem: pair.keyPem,
  });
}

async function openPair(data: DataDirectory, name: string, clock: Clock, issue: () => Promise<PemPair>) {
  const certificateFile = join(data.pki, `${name}.crt`);
  const keyFile = join(data.pki, `${name}.key`);
  if (existsSync(certificateFile)) {
    const certificatePem = readFileSync(certificateFile, 'utf8');
    if (certificateEndMs(certificatePem) - clock.now() > renewBeforeMs)
      return { certificatePem, keyPem: readFileSync(keyFile, 'utf8') };
  }
  const pair = await issue();
  writeSecret(keyFile, pair.keyPem);
  writeSecret(certificateFile, pair.certificatePem);
  return pair;
}

function servingAddresses({ host }: ListenAddress): string[] {
  if (host !== '0.0.0.0' && host !== '::') return [host];
  return Object.values(networkInterfaces()).flatMap((addresses) => (addresses ?? []).map(({ address }) => address));
}

function writeSecret(path: string, content: string): void {
  const temporary = `${path}.${process.pid}.tmp`;
  writeFileSync(temporary, content, { mode: 0o600 });
  renameSync(temporary, path);
}
