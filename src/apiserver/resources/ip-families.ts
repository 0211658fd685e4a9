import { isIPv6 } from 'node:net';
import type { FieldError } from '../../api/status.ts';

const finding = (field: string, value: unknown, why: string): FieldError => ({
  reason: 'FieldValueInvalid',
  field,
  message: `Invalid value: ${JSON.stringify(value)}: ${why}`,
});

/**
 * Fills in ipFamilyPolicy and ipFamilies of a service that has addresses or endpoints; VPCs have IPv4 alone.
 * Source: pkg/registry/core/service/storage/alloc.go, initIPFamilyFields.
 */
export function fillFamilies(spec: any): FieldError[] {
  // Whoever names the endpoints of a headless service may name any.
  const isBare = spec.clusterIP === 'None' && Object.keys(spec.selector ?? {}).length === 0;
  spec.ipFamilyPolicy ??= isBare ? 'RequireDualStack' : 'SingleStack';
  const policy: string = spec.ipFamilyPolicy;
  const families: string[] = spec.ipFamilies ?? [];
  const found: FieldError[] = [];
  if (policy === 'SingleStack') {
    const wanted = "must be 'RequireDualStack' or 'PreferDualStack' when multiple";
    for (const [list, called] of [
      [spec.clusterIPs, 'cluster IPs'],
      [spec.ipFamilies, 'IP families'],
    ]) {
      if (list?.length === 2) found.push(finding('spec.ipFamilyPolicy', policy, `${wanted} ${called} are specified`));
    }
  }
  for (const [index, address] of (spec.clusterIPs ?? []).entries()) {
    if (address === 'None') break;
    if (index < families.length) continue;
    if (isIPv6(address)) {
      found.push(finding(`spec.clusterIPs[${index}]`, spec.clusterIPs, 'IPv6 is not configured on this cluster'));
    } else if (!families.includes('IPv4')) families.push('IPv4');
  }
  if (found.length > 0) return found;
  if (isBare) {
    if (families.length === 0) families.push('IPv4');
    if (families.length < 2 && policy !== 'SingleStack') families.push(families[0] === 'IPv4' ? 'IPv6' : 'IPv4');
    spec.ipFamilies = families;
    return found;
  }
  if (policy === 'RequireDualStack') {
    found.push(finding('spec.ipFamilyPolicy', policy, 'this cluster is not configured for dual-stack services'));
  }
  families.forEach((family, index) => {
    if (family !== 'IPv4') found.push(finding(`spec.ipFamilies[${index}]`, family, 'not configured on this cluster'));
  });
  spec.ipFamilies = families.length === 0 ? ['IPv4'] : families;
  return found;
}
