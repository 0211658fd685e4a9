import type { PodResourceClaim, ResourceClaim } from '../../generated/core-v1.ts';
import { isDns1123Label, isDns1123Subdomain } from '../../names.ts';
import type { Findings } from '../findings.ts';
import { goValueOf } from '../go-value.ts';

const CLAIM = 'io.k8s.api.core.v1.PodResourceClaim';

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
      findings.invalid(at, goValueOf(CLAIM, claim), why);
    }
    if (resourceClaimName === undefined && resourceClaimTemplateName === undefined) {
      findings.invalid(
        at,
        goValueOf(CLAIM, claim),
        'must specify one of: `resourceClaimName`, `resourceClaimTemplateName`',
      );
    }
    for (const field of ['resourceClaimName', 'resourceClaimTemplateName'] as const) {
      const value = claim[field];
      if (value !== undefined) findings.invalidEach(`${at}.${field}`, value, isDns1123Subdomain(value));
    }
  });
}

const none: PodResourceClaim[] = [];
const choices = new WeakMap<PodResourceClaim[], { names: ReadonlySet<string>; choice: string }>();

/** The names that containers may choose from, and how they are told; made once for all containers of a pod. */
function choiceOf(known: PodResourceClaim[]): { names: ReadonlySet<string>; choice: string } {
  let made = choices.get(known);
  if (made === undefined) {
    const names = new Set(known.map(({ name }) => name).filter(Boolean));
    made = { names, choice: names.size === 0 ? ' which is empty' : `: ${[...names].sort().join(', ')}` };
    choices.set(known, made);
  }
  return made;
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
  /** How many requests of each claim are used. */
  const requests = new Map<string, number>();
  const { names, choice } = choiceOf(known ?? none);
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
        for (let count = requests.get(name) ?? 0; count > 0; count--) findings.duplicate(at, name);
      } else requests.set(name, (requests.get(name) ?? 0) + 1);
      used.add(key);
    }
    if (names.has(name)) return;
    findings.notFound(at, name, `must be one of the names in pod.spec.resourceClaims${choice}`);
  });
}
