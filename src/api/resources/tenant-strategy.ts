import { tenantIssuer } from '../authentication/configuration.ts';
import { validateAuthentication } from '../authentication/validate.ts';
import type { KubeObject } from '../object.ts';
import { TENANT_FINALIZER, type Tenant } from '../pool.ts';
import type { ResourceStrategy } from '../resource-definition.ts';
import type { FieldError } from '../status.ts';
import { Findings } from '../validation/findings.ts';

/**
 * Namespaces of the system tenant are named as tenants are, so its own namespaces' names are taken. `system` itself is a
 * Tenant that the API server makes before all others, so nobody else can.
 */
const reserved = new Set(['skypod-hosts', 'kube-system', 'kube-public', 'kube-node-lease']);

const label = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/;
const LONGEST_LABEL = 63;

/** A tenant's name stands in paths, host names and namespaces: a DNS-1123 label that is not taken. Findings as upstream's. */
export function tenantNameFindings(name: string): string[] {
  const findings: string[] = [];
  if (name.length > LONGEST_LABEL) findings.push(`must be no more than ${LONGEST_LABEL} characters`);
  if (!label.test(name)) {
    findings.push(
      "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end " +
        "with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is " +
        "'[a-z0-9]([-a-z0-9]*[a-z0-9])?')",
    );
  }
  if (reserved.has(name)) findings.push('is reserved for the platform');
  return findings;
}

function authenticationFindings(tenant: KubeObject): FieldError[] {
  const findings = new Findings();
  const { authentication } = (tenant as Tenant).spec ?? {};
  if (authentication !== undefined) {
    const disallowed = [tenantIssuer(tenant.metadata.name)];
    validateAuthentication(authentication, findings, { root: 'spec.authentication.', disallowed });
  }
  return findings.list;
}

export const tenantStrategy: ResourceStrategy = {
  validateCreate: authenticationFindings,
  validateUpdate: authenticationFindings,
  validateName: tenantNameFindings,
  /** From its first moment, so that no deletion can overtake the clean-up. */
  prepareForCreate(tenant: KubeObject): void {
    const finalizers = tenant.metadata.finalizers ?? [];
    if (!finalizers.includes(TENANT_FINALIZER)) tenant.metadata.finalizers = [...finalizers, TENANT_FINALIZER];
  },
};
