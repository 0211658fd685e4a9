/** Who asks. Made by authentication (or handed to the in-process transport), judged by the authorizer. */
export interface Identity {
  /** `system:serviceaccount:NAMESPACE:NAME` for service accounts, a certificate's CN otherwise. */
  name: string;
  uid?: string;
  groups: string[];
  extra?: Record<string, string[]>;
  kind: 'platform' | 'host' | 'tenant' | 'anonymous';
  /** The one tenant a credential of kind `tenant` is good for. */
  tenant?: string;
  /** Of a certificate that says which tenant of that name it is for: the uid of its Tenant object. */
  tenantUid?: string;
  /** Of a certificate: it was not given out before this, in milliseconds since the epoch. */
  issuedMs?: number;
  /** Of a certificate: when it is over, in milliseconds since the epoch. */
  validUntilMs?: number;
  /** Of a token that its owner should have read anew: for the audit log. */
  staleness?: string;
  /** Of a long-lived token out of a secret: what the audit log and the client are told. */
  secretToken?: { annotations: Record<string, string>; warning?: string };
  /** kind `host`: the name of its Host object. */
  hostName?: string;
}

export const SYSTEM_MASTERS = 'system:masters';
export const PLATFORM_GROUP = 'skypod:platform';
export const HOSTS_GROUP = 'skypod:hosts';
const hostNamePrefix = 'host:';
const tenantUnitPrefix = 'tenant:';
const tenantUidUnitPrefix = 'tenant-uid:';

export const anonymous: Identity = {
  name: 'system:anonymous',
  groups: ['system:unauthenticated'],
  kind: 'anonymous',
};

export function platformIdentity(name: string): Identity {
  return { name, groups: [PLATFORM_GROUP, 'system:masters', 'system:authenticated'], kind: 'platform' };
}

/** The subject a credential's certificate carries: what `issueClient` writes and `identityOfSubject` reads. */
export interface CertificateSubject {
  /** CN */
  user: string;
  /** O */
  groups: string[];
  /** OU: `tenant:NAME`, `tenant-uid:UID`. */
  units: string[];
}

/**
 * The identity a client certificate of our own CA stands for; undefined when it stands for none (no tenant and no
 * group of the platform), which is answered as 401.
 */
export function identityOfSubject(subject: CertificateSubject): Identity | undefined {
  const groups = [...subject.groups, 'system:authenticated'];
  if (subject.groups.includes(PLATFORM_GROUP)) {
    return { name: subject.user, groups: [...groups, 'system:masters'], kind: 'platform' };
  }
  if (subject.groups.includes(HOSTS_GROUP) && subject.user.startsWith(hostNamePrefix)) {
    return { name: subject.user, groups, kind: 'host', hostName: subject.user.slice(hostNamePrefix.length) };
  }
  const tenants = subject.units.filter((unit) => unit.startsWith(tenantUnitPrefix));
  if (tenants.length !== 1) return undefined;
  const uid = subject.units.find((unit) => unit.startsWith(tenantUidUnitPrefix))?.slice(tenantUidUnitPrefix.length);
  return {
    name: subject.user,
    groups,
    kind: 'tenant',
    tenant: tenants[0]!.slice(tenantUnitPrefix.length),
    ...(uid !== undefined && { tenantUid: uid }),
  };
}

/** The units of a certificate of a tenant, in the order they stand in it; without a uid it is good for any of the name that is not younger. */
export const tenantUnits = (tenant: string, uid?: string): string[] => [
  `${tenantUnitPrefix}${tenant}`,
  ...(uid === undefined ? [] : [`${tenantUidUnitPrefix}${uid}`]),
];
export const hostUser = (hostName: string) => `${hostNamePrefix}${hostName}`;

export interface TokenAuthenticator {
  /**
   * The identity behind a bearer token that the API server itself is the audience of; undefined: not valid.
   * `tenantPrefix` is the tenant the path names, for tokens that do not say theirs.
   */
  authenticate(token: string, tenantPrefix: string | undefined): Promise<Identity | undefined>;
}
