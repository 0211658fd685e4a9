import { table } from '../../base/table.ts';
import './certificate-authority.ts';
import { X509Certificate } from 'node:crypto';
import * as x509 from '@peculiar/x509';
import type { CertificateAuthority } from './certificate-authority.ts';
import { identityOfCertificate } from './certificate-identity.ts';
import { type CertificateRequest, readCertificateRequest } from './certificate-request.ts';
import { HOSTS_GROUP, PLATFORM_GROUP, tenantUnits } from './identity.ts';

export const KUBE_APISERVER_CLIENT = 'kubernetes.io/kube-apiserver-client';
export const KUBELET_CLIENT = 'kubernetes.io/kube-apiserver-client-kubelet';
export const KUBELET_SERVING = 'kubernetes.io/kubelet-serving';

const longestSeconds = 365 * 24 * 3600;
const shortestSeconds = 600;
const nodesGroup = 'system:nodes';
const nodePrefix = 'system:node:';

export interface TenantSigningRequest {
  signerName: string;
  tenant: string;
  /** Of its Tenant object; the system tenant may have none. */
  tenantUid?: string | undefined;
  requestPem: string;
  usages: string[];
  expirationSeconds?: number;
}

export interface TenantSignerOptions {
  /** Signs clients of the API: its certificates are credentials here. */
  clients: CertificateAuthority;
  /** Signs servers of tenants. Nothing of the platform trusts it: a tenant must not pass for the API or for a host. */
  servers: CertificateAuthority;
}

/**
 * The signers behind a tenant's CertificateSigningRequests. Whatever a request asks for, the certificate says the
 * tenant, is for clients alone where the platform's own authority signs it, and claims no group of the platform.
 * `kubernetes.io/legacy-unknown` can no longer be asked for in v1, so nothing stands behind it.
 */
export function createTenantSigner({ clients, servers }: TenantSignerOptions) {
  return {
    handles: (signerName: string) => Object.hasOwn(refusals, signerName),
    /** The common name of a sound request for a kubelet's client certificate; undefined for any other. Rejects what is none. */
    async kubeletClientName(requestPem: string, usages: readonly string[]): Promise<string | undefined> {
      const request = await readCertificateRequest(requestPem);
      return refusals[KUBELET_CLIENT]!(request, usages) === undefined ? request.commonName : undefined;
    },
    async sign(asked: TenantSigningRequest): Promise<{ certificatePem: string } | { refusal: string }> {
      const { signerName, tenant, tenantUid, usages } = asked;
      let request: CertificateRequest;
      try {
        request = await readCertificateRequest(asked.requestPem);
      } catch (error) {
        return { refusal: (error as Error).message };
      }
      const refusal = platformGroupRefusal(request) ?? refusals[signerName]!(request, usages);
      if (refusal !== undefined) return { refusal };

      const seconds = Math.max(shortestSeconds, Math.min(asked.expirationSeconds ?? longestSeconds, longestSeconds));
      // As plain text: a bare string would be read, and one like `#0c01…` taken for whatever it encodes.
      const subject = new x509.Name([
        { CN: [{ utf8String: request.commonName }] },
        ...request.organizations.map((organization) => ({ O: [{ utf8String: organization }] })),
        ...tenantUnits(tenant, tenantUid).map((unit) => ({ OU: [{ utf8String: unit }] })),
      ]);
      const isServer = signerName === KUBELET_SERVING;
      const purpose = isServer ? x509.ExtendedKeyUsage.serverAuth : x509.ExtendedKeyUsage.clientAuth;
      const extensions: x509.Extension[] = [
        new x509.KeyUsagesExtension(keyUsageOf(usages), true),
        new x509.ExtendedKeyUsageExtension([purpose]),
      ];
      if (isServer) extensions.push(alternativeNames(request));
      const authority = isServer ? servers : clients;
      const certificatePem = await authority.certify(request.publicKey, subject, seconds, extensions);
      if (!isServer && !standsFor(certificatePem, asked, request)) {
        return { refusal: 'the subject of the request cannot be certified' };
      }
      return { certificatePem };
    },
  };
}

/** Why a request is not one for its signer; undefined when it is. Source: apis/certificates/helpers.go upstream. */
const refusals = table<(request: CertificateRequest, usages: readonly string[]) => string | undefined>({
  [KUBE_APISERVER_CLIENT]: (request, usages) => {
    for (const usage of usages) {
      if (usage === 'client auth' || usage === 'digital signature' || usage === 'key encipherment') continue;
      return `invalid usage for client certificate: ${usage}`;
    }
    if (!usages.includes('client auth')) return 'missing required usage for client certificate: client auth';
    return request.commonName === '' ? 'subject common name is empty' : undefined;
  },
  [KUBELET_CLIENT]: (request, usages) => {
    if (!isNodesOnly(request)) return 'subject organization is not system:nodes';
    if (request.dnsNames.length > 0) return 'DNS subjectAltNames are not allowed';
    if (request.emails.length > 0) return 'Email subjectAltNames are not allowed';
    if (request.addresses.length > 0) return 'IP subjectAltNames are not allowed';
    if (request.uris.length > 0) return 'URI subjectAltNames are not allowed';
    return nodeRefusal(request, usages, 'client auth');
  },
  [KUBELET_SERVING]: (request, usages) => {
    if (!isNodesOnly(request)) return 'subject organization is not system:nodes';
    if (request.dnsNames.length + request.addresses.length === 0) return 'DNS or IP subjectAltName is required';
    if (request.emails.length > 0) return 'Email subjectAltNames are not allowed';
    if (request.uris.length > 0) return 'URI subjectAltNames are not allowed';
    return nodeRefusal(request, usages, 'server auth');
  },
});

const isNodesOnly = ({ organizations }: CertificateRequest) =>
  organizations.length === 1 && organizations[0] === nodesGroup;

function nodeRefusal(
  { commonName }: CertificateRequest,
  usages: readonly string[],
  purpose: string,
): string | undefined {
  const rest = new Set(usages);
  const isComplete = rest.delete('digital signature') && rest.delete(purpose);
  rest.delete('key encipherment');
  if (!isComplete || rest.size > 0) {
    const required = ['digital signature', 'key encipherment', purpose].sort();
    return `usages did not match [${required.join(' ')}]`;
  }
  return commonName.startsWith(nodePrefix) ? undefined : `subject common name does not begin with ${nodePrefix}`;
}

function platformGroupRefusal({ organizations }: CertificateRequest): string | undefined {
  const claimed = organizations.find(isPlatformGroup);
  return claimed === undefined ? undefined : `the group ${claimed} belongs to the platform`;
}

export const isPlatformGroup = (group: string) => group === PLATFORM_GROUP || group === HOSTS_GROUP;

function keyUsageOf(usages: string[]): number {
  let flags = 0;
  if (usages.includes('digital signature')) flags |= x509.KeyUsageFlags.digitalSignature;
  if (usages.includes('key encipherment')) flags |= x509.KeyUsageFlags.keyEncipherment;
  return flags === 0 ? x509.KeyUsageFlags.digitalSignature : flags;
}

function alternativeNames({ dnsNames, addresses }: CertificateRequest): x509.Extension {
  return new x509.SubjectAlternativeNameExtension([
    ...dnsNames.map((value) => ({ type: 'dns' as const, value })),
    ...addresses.map((value) => ({ type: 'ip' as const, value })),
  ]);
}

/**
 * The last word before a certificate goes out: read back by the very function that authenticates, it must stand for
 * the user and groups asked for, in this tenant, and nothing else.
 */
function standsFor(certificatePem: string, asked: TenantSigningRequest, request: CertificateRequest): boolean {
  const identity = identityOfCertificate(new X509Certificate(certificatePem));
  return (
    identity?.kind === 'tenant' &&
    identity.tenant === asked.tenant &&
    identity.tenantUid === asked.tenantUid &&
    identity.name === request.commonName &&
    identity.groups.join('\n') === [...request.organizations, 'system:authenticated'].join('\n')
  );
}
