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
  client: PemPair;
}

export const FRONT_PROXY_NAME = 'front-proxy-client';

export async function issueFrontProxyClient(authority: CertificateAuthority): Promise<PemPair> {
  return authority.issueClient({ user: FRONT_PROXY_NAME });
}

/** One that lasts as long as the process, for tests and servers without a data directory. */
export async function createFrontProxy(clock: Clock): Promise<FrontProxy> {
  const authority = await CertificateAuthority.create('skypod-front-proxy-ca', clock);
  return { caPem: authority.certificatePem, client: await issueFrontProxyClient(authority) };
}

/** kube-system/extension-apiserver-authentication. Source: apiserver's RequestHeaderAuthenticationOptions. */
export function authenticationConfig({ caPem }: FrontProxy): Record<string, string> {
  return {
    // Tenants' users show certificates of one authority, and which tenant they are of stands in a field that extension
    // servers know nothing about. So users come through the API server only: this one has signed nobody but it.
    'client-ca-file': caPem,
    'requestheader-allowed-names': JSON.stringify([FRONT_PROXY_NAME]),
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
export function tlsOptions(service: APIService, { client }: FrontProxy): ConnectionOptions {
  const { spec } = service;
  const { name, namespace } = spec!.service!;
  return {
    servername: `${name}.${namespace}.svc`,
    cert: client.certificatePem,
    key: client.keyPem,
    rejectUnauthorized: spec!.insecureSkipTLSVerify !== true,
    ...(spec!.caBundle && { ca: Buffer.from(spec!.caBundle, 'base64') }),
  };
}
