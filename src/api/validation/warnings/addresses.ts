import { isIP } from 'node:net';
import { canonicalIpv6, parseCidr, plainIpv4 } from '../networking/ip-address.ts';

/**
 * What upstream says of addresses that older versions accepted and of spellings that are not the usual ones. Values
 * that are no addresses at all are validation's. Source: apimachinery's pkg/util/validation/ip.go.
 */
export function warnOfAddress(path: string, value: string, warnings: string[]): void {
  const plain = plainIpv4(value);
  if (plain !== undefined) {
    if (plain !== value) warnings.push(`${path}: non-standard IP address "${value}" is invalid: use "${plain}"`);
    return;
  }
  if (isIP(value) !== 6) return;
  const canonical = canonicalIpv6(value);
  if (canonical !== value) {
    warnings.push(`${path}: IPv6 address "${value}" should be in RFC 5952 canonical format ("${canonical}")`);
  }
}

export function warnOfCidr(path: string, value: string, warnings: string[]): void {
  const range = parseCidr(value);
  if (range === undefined) return;
  const { address, network, length, family, isMapped, hasLeadingZeros } = range;
  const before = warnings.length;
  if (network !== address) {
    const one = `${address}/${family === 'IPv4' ? 32 : 128}`;
    const meant = `should be "${network}/${length}" or "${one}"?`;
    warnings.push(`${path}: CIDR value "${value}" is ambiguous in this context (${meant})`);
  }
  if (isMapped || hasLeadingZeros) {
    warnings.push(`${path}: non-standard CIDR value "${value}" is invalid: use "${network}/${length}"`);
  }
  const usual = `${address}/${length}`;
  if (warnings.length === before && family === 'IPv6' && usual !== value) {
    warnings.push(`${path}: IPv6 CIDR value "${value}" should be in RFC 5952 canonical format ("${usual}")`);
  }
}
