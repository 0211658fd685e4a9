import { isIP } from 'node:net';
import { canonicalIpv6, parseCidr } from './validation/networking/ip-address.ts';

/** An address as a number, with its family; undefined: no address. IPv4 in IPv6 counts as IPv6. */
export interface IpNumber {
  family: 'IPv4' | 'IPv6';
  value: bigint;
}

/** A range of addresses: all from `first` (the network's own) to `last` (IPv4: the broadcast address), both included. */
export interface IpPrefix {
  text: string;
  family: 'IPv4' | 'IPv6';
  length: number;
  first: bigint;
  last: bigint;
}

export function parseIp(text: string): IpNumber | undefined {
  const version = isIP(text);
  if (version === 4) {
    return { family: 'IPv4', value: text.split('.').reduce((sum, part) => sum * 256n + BigInt(part), 0n) };
  }
  if (version !== 6 || text.includes('%')) return undefined;
  const [head = '', tail] = canonicalIpv6(text).split('::');
  const groups = (part: string) => (part === '' ? [] : part.split(':'));
  const [front, back] = [groups(head), tail === undefined ? [] : groups(tail)];
  const all = [...front, ...new Array<string>(8 - front.length - back.length).fill('0'), ...back];
  return { family: 'IPv6', value: all.reduce((sum, group) => sum * 65_536n + BigInt(`0x${group}`), 0n) };
}

export function formatIp({ family, value }: IpNumber): string {
  if (family === 'IPv4') return [24n, 16n, 8n, 0n].map((shift) => (value >> shift) & 255n).join('.');
  const groups = Array.from({ length: 8 }, (_, index) => (value >> BigInt(112 - 16 * index)) & 0xffffn);
  return canonicalIpv6(groups.map((group) => group.toString(16)).join(':'));
}

/** Of a range as objects hold it: `10.96.0.0/12`, `2001:db8::/64`. */
export function parsePrefix(text: string): IpPrefix | undefined {
  const cidr = parseCidr(text);
  const network = cidr === undefined ? undefined : parseIp(cidr.network);
  if (cidr === undefined || network === undefined) return undefined;
  const size = 1n << BigInt((network.family === 'IPv4' ? 32 : 128) - cidr.length);
  return { text, family: network.family, length: cidr.length, first: network.value, last: network.value + size - 1n };
}

/** Whether all of `inner` lies in `outer`; a range contains itself. */
export function containsPrefix(outer: IpPrefix, inner: IpPrefix): boolean {
  return outer.family === inner.family && outer.first <= inner.first && inner.last <= outer.last;
}

export function overlaps(a: IpPrefix, b: IpPrefix): boolean {
  return a.family === b.family && a.first <= b.last && b.first <= a.last;
}

/**
 * Whether a service of this range may have the address: the network's own is nobody's, nor is IPv4's broadcast address.
 * Source: PrefixContainsIP of pkg/api/servicecidr.
 */
export function hasServiceAddress(prefix: IpPrefix, address: IpNumber): boolean {
  if (prefix.family !== address.family || address.value <= prefix.first) return false;
  return prefix.family === 'IPv4' ? address.value < prefix.last : address.value <= prefix.last;
}
