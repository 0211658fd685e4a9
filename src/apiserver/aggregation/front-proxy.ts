import type { ConnectionOptions } from 'node:tls';
import type { APIService } from '../../api/generated/apiregistration-v1.ts';
import type { Clock } from '../../base/clock.ts';
import { CertificateAuthority, type PemPair } from '../identity/certificate-authority.ts';

/**
 * How extension servers know that a request with X-Remote-User headers is ours: a client certificate of an authority that
 * signs nothing else, and that the API server itself trusts for nothing (decision 11).
 */
export interface FrontProxy {
  /** Published to tenants as `requestheader-client-ca-file`. */
  caPem: string;
  /** What is shown to a tenant's servers, and names the tenant. */
  clientOf(tenant: string): Promise<PemPair>;
}

/**
 * A tenant's servers may hand on whatever reaches them, to another tenant's servers too: those take only the name of
 * their own tenant (`requestheader-allowed-names`).
 */
const frontProxyName = (tenant: string) => `front-proxy-client:${tenant}`;

const certificateDays = 30;
const renewMs = 15 * 24 * 3600 * 1000;
const certificatesKept = 1000;

/** Certificates are made when a tenant's server is first spoken to. */
export function frontProxyOf(authority: CertificateAuthority, clock: Pick<Clock, 'now'>): FrontProxy {
  const made = new Map<string, { pair: Promise<PemPair>; sinceMs: number }>();
  return {
    caPem: authority.certificatePem,
    clientOf(tenant) {
      let client = made.get(tenant);
      if (client === undefined || clock.now() - client.sinceMs > renewMs) {
        made.delete(tenant);
        const pair = authority.issueClient({ user: frontProxyName(tenant) }, { days: certificateDays });
        made.set(tenant, (client = { pair, sinceMs: clock.now() }));
        if (made.size > certificatesKept) made.delete(made.keys().next().value!);
      }
      return client.pair;
    },
  };
}

/** One that lasts as long as the process, for tests and servers without a data directory. */
export async function createFrontProxy(clock: Clock): Promise<FrontProxy> {
  return frontProxyOf(await CertificateAuthority.create('skypod-front-proxy-ca', clock), clock);
}

/** kube-system/extension-apiserver-authentication. Source: apiserver's RequestHeaderAuthenticationOptions. */
export function authenticationConfig({ caPem }: FrontProxy, tenant: string): Record<string, string> {
  return {
    // Tenants' users show certificates of one authority, and which tenant they are of stands in a field that extension
    // servers know nothing about. So users come through the API server only: this one has signed nobody but it.
    'client-ca-file': caPem,
    'requestheader-allowed-names': JSON.stringify([frontProxyName(tenant)]),
    'requestheader-client-ca-file': caPem,
    'requestheader-extra-headers-prefix': '["X-Remote-Extra-"]',
    'requestheader-group-headers': '["X-Remote-Group"]',
    'requestheader-uid-headers': '["X-Remote-Uid"]',
    'requestheader-username-headers': '["X-Remote-User"]',
  };
}

export interface RemoteUser {
  name: string;
  uid?: string;
  groups: string[];
  extra?: Record<string, string[]>;
}

/** Source: client-go's transport.SetAuthProxyHeaders. */
export function remoteUserHeaders({ name, uid, groups, extra = {} }: RemoteUser): Record<string, string | string[]> {
  const headers: Record<string, string | string[]> = { 'x-remote-user': headerValue(name) };
  if (uid !== undefined && uid !== '') headers['x-remote-uid'] = headerValue(uid);
  if (groups.length > 0) headers['x-remote-group'] = groups.map(headerValue);
  for (const [key, values] of Object.entries(extra)) {
    if (values.length > 0) headers[`x-remote-extra-${escapeKey(key)}`] = values.map(headerValue);
  }
  return headers;
}

/** UTF-8 as bytes; line ends become spaces, as Go writes them, so that no value can end its header. */
const headerValue = (value: string) => Buffer.from(value.replace(/[\0-\x08\x0a-\x1f\x7f]/g, ' ')).toString('latin1');

/** What may not stand in a header's name is written as %XX. */
const escapeKey = (key: string) =>
  Buffer.from(key)
    .toString('latin1')
    .replace(
      /[^!#$&'*+\-.^_`|~0-9A-Za-z]/g,
      (one) => `%${one.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`,
    );

/** TLS to the server behind an APIService: only its own CA counts, and our certificate is shown. */
export async function tlsOptions(
  service: APIService,
  frontProxy: FrontProxy,
  tenant: string,
): Promise<ConnectionOptions> {
  const { spec } = service;
  const client = await frontProxy.clientOf(tenant);
  const { name, namespace } = spec!.service!;
  return {
    servername: `${name}.${namespace}.svc`,
    cert: client.certificatePem,
    key: client.keyPem,
    rejectUnauthorized: spec!.insecureSkipTLSVerify !== true,
    ...(spec!.caBundle && { ca: Buffer.from(spec!.caBundle, 'base64') }),
  };
}
