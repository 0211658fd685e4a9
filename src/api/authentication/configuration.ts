/**
 * Who else may say who somebody is: apiserver.config.k8s.io/v1 AuthenticationConfiguration, and the part of it that a
 * Tenant has as `spec.authentication`. Source: apiserver's pkg/apis/apiserver/v1/types.go.
 */
export interface AuthenticationConfiguration {
  jwt?: JwtAuthenticator[];
  anonymous?: AnonymousConfiguration;
}

/** Absent: anonymous requests are taken everywhere. */
export interface AnonymousConfiguration {
  enabled: boolean;
  /** Only these paths, when there are any. */
  conditions?: { path: string }[];
}

export interface JwtAuthenticator {
  issuer: TokenIssuer;
  claimValidationRules?: ClaimValidationRule[];
  claimMappings: ClaimMappings;
  userValidationRules?: { expression: string; message?: string }[];
}

export interface TokenIssuer {
  /** The claim `iss`, and where discovery is unless `discoveryURL` says otherwise. */
  url: string;
  /** The whole URL of the discovery document. */
  discoveryURL?: string;
  /** PEM; the system's authorities when absent. */
  certificateAuthority?: string;
  audiences: string[];
  audienceMatchPolicy?: 'MatchAny' | '';
  /** Taken by upstream where the server has an egress selector, which there is none of here. */
  egressSelectorType?: string;
}

const issuerPrefix = 'https://kubernetes.default.svc.cluster.local/clusters/';

/** The issuer of the tokens of a tenant's service accounts. */
export const tenantIssuer = (tenant: string) => `${issuerPrefix}${tenant}`;

/** The tenant whose service accounts' issuer this is. */
export const tenantOfIssuer = (issuer: string) =>
  issuer.startsWith(issuerPrefix) ? issuer.slice(issuerPrefix.length) : undefined;

export interface ClaimValidationRule {
  claim?: string;
  requiredValue?: string;
  expression?: string;
  message?: string;
}

export interface PrefixedClaim {
  claim?: string;
  prefix?: string;
  expression?: string;
}

export interface ClaimMappings {
  username: PrefixedClaim;
  groups?: PrefixedClaim;
  uid?: { claim?: string; expression?: string };
  extra?: { key: string; valueExpression: string }[];
}
