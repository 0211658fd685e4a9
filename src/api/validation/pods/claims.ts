import type { PodResourceClaim, ResourceClaim } from '../../generated/core-v1.ts';
import { isDns1123Label, isDns1123Subdomain } from '../../names.ts';
import type { Findings } from '../findings.ts';

/** The resource claims a pod brings along. Source: validatePodResourceClaims of pkg/apis/core/validation. */
export function validatePodClaims(claims: PodResourceClaim[] | undefined, path: string, findings: Findings): void {
  const names = new Set<string>();
  claims?.forEach((claim, index) => {
    const at = `${path}[${index}]`;
    const { name, resourceClaimName, resourceClaimTemplateName } = claim;
    if (!name) findings.required(`${at}.name`);
    else if (names.has(name)) findings.duplicate(`${at}.name`, name);
    else {
      findings.invalidEach(`${at}.name`, name, isDns1123Label(name));
      names.add(name);
    }
    if (resourceClaimName !== undefined && resourceClaimTemplateName !== undefined) {
      const why = 'at most one of `resourceClaimName` or `resourceClaimTemplateName` may be specified';
      findings.invalid(at, claim, why);
    }
    if (resourceClaimName === undefined && resourceClaimTemplateName === undefined) {
      findings.invalid(at, claim, 'must specify one of: `resourceClaimName`, `resourceClaimTemplateName`');
    }
    for (const field of ['resourceClaimName', 'resourceClaimTemplateName'] as const) {
      const value = claim[field];
      if (value !== undefined) findings.invalidEach(`${at}.${field}`, value, isDns1123Subdomain(value));
    }
  });
}

/** Those of them that one container uses; `known` are the pod's. */
export function validateUsedClaims(
  claims: ResourceClaim[] | undefined,
  known: PodResourceClaim[] | undefined,
  path: string,
  findings: Findings,
): void {
  if (!claims?.length) return;
  const used = new Set<string>();
  const names = new Set((known ?? []).map(({ name }) => name).filter(Boolean));
  claims.forEach(({ name, request }, index) => {
    const at = `${path}[${index}]`;
    if (!name) {
      findings.required(at);
      return;
    }
    if (used.has(name)) findings.duplicate(at, name);
    else {
      if (request) findings.invalidEach(`${at}.request`, request, isDns1123Label(request));
      const key = request ? `${name}/${request}` : name;
      if (used.has(key)) findings.duplicate(at, key);
      else if (!request) {
        for (const other of used) if (other.split('/', 1)[0] === name) findings.duplicate(at, name);
      }
      used.add(key);
    }
    if (names.has(name)) return;
    const choice = names.size === 0 ? ' which is empty' : `: ${[...names].sort().join(', ')}`;
    const message = `Not found: ${JSON.stringify(name)}: must be one of the names in pod.spec.resourceClaims${choice}`;
    findings.list.push({ reason: 'FieldValueNotFound', field: at, message });
  });
}
