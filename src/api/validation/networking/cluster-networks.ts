import type { IPAddress, ServiceCIDR } from '../../generated/networking-v1.ts';
import { isDns1123Subdomain, isPathSegmentName } from '../../names.ts';
import type { Findings } from '../findings.ts';
import { validateImmutable } from '../metadata.ts';
import { canonicalCidrFindings } from './ip-address.ts';

/** Source: ValidateIPAddress of pkg/apis/networking/validation. */
export function validateIpAddressObject({ spec }: IPAddress, findings: Findings): void {
  const parent = spec?.parentRef;
  if (parent === undefined) {
    findings.required('spec.parentRef');
    return;
  }
  const path = 'spec.parentRef';
  if (parent.group) findings.invalidEach(`${path}.group`, parent.group, isDns1123Subdomain(parent.group));
  for (const field of ['resource', 'name'] as const) {
    const value = parent[field];
    if (!value) findings.required(`${path}.${field}`);
    else findings.invalidEach(`${path}.${field}`, value, isPathSegmentName(value));
  }
  if (parent.namespace) {
    findings.invalidEach(`${path}.namespace`, parent.namespace, isPathSegmentName(parent.namespace));
  }
}

export function validateIpAddressObjectUpdate(address: IPAddress, old: IPAddress, findings: Findings): void {
  validateIpAddressObject(address, findings);
  validateImmutable(address.spec?.parentRef, old.spec?.parentRef, 'spec.parentRef', findings);
}

/** Source: ValidateServiceCIDR. */
export function validateServiceCidr({ spec }: ServiceCIDR, findings: Findings): void {
  const cidrs = spec?.cidrs ?? [];
  if (cidrs.length === 0) {
    findings.required('spec.cidrs', 'at least one CIDR required');
    return;
  }
  if (cidrs.length > 2) {
    findings.invalid('spec.cidrs', cidrs, 'may only hold up to 2 values');
    return;
  }
  const families = cidrs.map((cidr) => (cidr.includes(':') ? 6 : 4));
  if (cidrs.length === 2 && families[0] === families[1]) {
    findings.invalid(
      'spec.cidrs',
      cidrs,
      'may specify no more than one IP for each IP family, i.e 192.168.0.0/24 and 2001:db8::/64',
    );
  }
  cidrs.forEach((cidr, index) => {
    findings.invalidEach(`spec.cidrs[${index}]`, cidr, canonicalCidrFindings(cidr));
  });
}

/** A second family may be added, nothing else changes. */
export function validateServiceCidrUpdate({ spec }: ServiceCIDR, { spec: old }: ServiceCIDR, findings: Findings): void {
  const [after, before] = [spec?.cidrs ?? [], old?.cidrs ?? []];
  const grows = before.length === 1 && after.length === 2;
  if (!grows && after.length !== before.length) {
    findings.invalid('spec.cidrs', spec?.cidrs ?? [], 'field is immutable');
    return;
  }
  before.forEach((cidr, index) => {
    if (after[index] !== cidr) findings.invalid(`spec.cidrs[${index}]`, after[index], 'field is immutable');
  });
  if (grows) validateServiceCidr({ spec } as ServiceCIDR, findings);
}
