import { isIP } from 'node:net';

/** What is wrong with an address or a range, in upstream's words. Source: apimachinery's pkg/util/validation/ip.go. */
const NO_ADDRESS = 'must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)';
const NO_RANGE = 'must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)';

export const isIpAddress = (text: string): boolean => isIP(text) !== 0 && !text.includes('%');
export const ipFamilyOf = (text: string): 'IPv4' | 'IPv6' => (isIP(text) === 6 ? 'IPv6' : 'IPv4');

/**
 * Of fields that once took whatever Go's old parser took: zeros in front and IPv4 in IPv6 are told from nonsense.
 * `known` are the old object's values, which stay valid whatever they are.
 */
export function addressFindings(value: string, known?: Set<string>): string[] {
  if (known?.has(value)) return [];
  if (isIpAddress(value)) {
    return isMapped(value) ? ['must not be an IPv4-mapped IPv6 address'] : [];
  }
  return plainIpv4(value) === undefined ? [NO_ADDRESS] : ['must not have leading 0s'];
}

/** Of newer fields: the usual spelling too. */
export function canonicalAddressFindings(value: string): string[] {
  const findings = addressFindings(value);
  if (findings.length > 0) return findings;
  const canonical = isIP(value) === 6 ? canonicalIpv6(value) : value;
  return canonical === value ? [] : [`must be in canonical form ("${canonical}")`];
}

export function cidrFindings(value: string, known?: Set<string>): string[] {
  if (known?.has(value)) return [];
  const range = parseCidr(value);
  if (range === undefined) return [NO_RANGE];
  if (range.hasLeadingZeros) return ['must not have leading 0s in IP or prefix length'];
  if (range.isMapped) return ['must not have an IPv4-mapped IPv6 address'];
  return range.network === range.address ? [] : ['must not have bits set beyond the prefix length'];
}

export function canonicalCidrFindings(value: string): string[] {
  const findings = cidrFindings(value);
  if (findings.length > 0) return findings;
  const { network, length } = parseCidr(value)!;
  const canonical = `${network}/${length}`;
  return canonical === value ? [] : [`must be in canonical form ("${canonical}")`];
}

export const isCidr = (text: string): boolean => cidrFindings(text).length === 0;

export interface Cidr {
  family: 'IPv4' | 'IPv6';
  /** As given, in its usual spelling; IPv4 in IPv6 is IPv4. */
  address: string;
  /** With all bits after `length` cleared. */
  network: string;
  length: number;
  isMapped: boolean;
  hasLeadingZeros: boolean;
}

/** As leniently as Go's old parser; undefined: no range at all. */
export function parseCidr(value: string): Cidr | undefined {
  const match = /^([^/]+)\/(\d{1,9})$/.exec(value);
  if (match === null) return undefined;
  const [, text, bits] = match as unknown as [string, string, string];
  const plain = plainIpv4(text);
  if (plain === undefined && (isIP(text) !== 6 || text.includes('%'))) return undefined;
  const mapped = plain !== undefined && text.includes(':');
  const given = Number(bits);
  if (given > (plain !== undefined && !mapped ? 32 : 128)) return undefined;
  const length = mapped ? Math.max(given - 96, 0) : given;
  const family = plain === undefined ? 'IPv6' : 'IPv4';
  const address = plain ?? canonicalIpv6(text);
  const hasLeadingZeros = String(given) !== bits || (plain !== undefined && !mapped && plain !== text);
  return { family, address, network: networkOf(address, length, family), length, isMapped: mapped, hasLeadingZeros };
}

/** Whether all of `inner` lies in `outer`, and is less. */
export function isWithin(inner: Cidr, outer: Cidr): boolean {
  if (inner.family !== outer.family || inner.length <= outer.length) return false;
  return networkOf(inner.network, outer.length, outer.family) === outer.network;
}

/** Of an IPv4 address, also one with leading zeros or mapped into IPv6: without them. */
export function plainIpv4(value: string): string | undefined {
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(value);
  const text = mapped === null ? value : mapped[1]!;
  if (/^\d+(\.\d+){3}$/.test(text)) {
    const parts = text.split('.').map(Number);
    return parts.every((part) => part <= 255) ? parts.join('.') : undefined;
  }
  if (isIP(value) !== 6 || value.includes('%')) return undefined;
  const groups = groupsOf(value);
  if (groups.slice(0, 5).some((group) => group !== 0) || groups[5] !== 0xffff) return undefined;
  return [groups[6]! >> 8, groups[6]! & 255, groups[7]! >> 8, groups[7]! & 255].join('.');
}

const isMapped = (value: string): boolean => value.includes(':') && plainIpv4(value) !== undefined;

export const canonicalIpv6 = (value: string): string => new URL(`http://[${value}]`).hostname.slice(1, -1);

function groupsOf(value: string): number[] {
  const [head = '', tail] = canonicalIpv6(value).split('::');
  const numbers = (text: string) => (text === '' ? [] : text.split(':').map((group) => Number.parseInt(group, 16)));
  if (tail === undefined) return numbers(head);
  const [first, last] = [numbers(head), numbers(tail)];
  return [...first, ...new Array<number>(8 - first.length - last.length).fill(0), ...last];
}

function networkOf(address: string, length: number, family: Cidr['family']): string {
  const size = family === 'IPv4' ? 8 : 16;
  const parts = family === 'IPv4' ? address.split('.').map(Number) : groupsOf(address);
  const kept = parts.map((part, index) => {
    const bits = Math.min(Math.max(length - index * size, 0), size);
    return part & (((1 << bits) - 1) << (size - bits));
  });
  return family === 'IPv4' ? kept.join('.') : canonicalIpv6(kept.map((part) => part.toString(16)).join(':'));
}
