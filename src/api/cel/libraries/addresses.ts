import { isIP, isIPv4 } from 'node:net';
import type { Functions } from '../declarations.ts';
import { opaqueOf } from '../types.ts';
import { EvaluationFailure, noSuchOverload, type Opaque } from '../values.ts';

/** An address as a number. */
class CelIp implements Opaque {
  readonly celType = opaqueOf('net.IP');
  readonly bits: bigint;
  readonly family: 4 | 6;

  constructor(bits: bigint, family: 4 | 6) {
    this.bits = bits;
    this.family = family;
  }
  get size(): number {
    return this.family === 4 ? 4 : 16;
  }
  get width(): number {
    return this.size * 8;
  }
  equals(other: unknown): boolean {
    if (!(other instanceof CelIp)) throw noSuchOverload();
    return this.bits === other.bits && this.family === other.family;
  }
  /** The bits from one place to another, counted from the left. */
  part(from: number, length: number): bigint {
    return (this.bits >> BigInt(this.width - from - length)) & ((1n << BigInt(length)) - 1n);
  }
  toString(): string {
    return this.family === 4 ? dotted(this.bits) : canonical6(this.bits);
  }
}

class CelCidr implements Opaque {
  readonly celType = opaqueOf('net.CIDR');
  readonly address: CelIp;
  readonly length: number;

  constructor(address: CelIp, length: number) {
    this.address = address;
    this.length = length;
  }
  get size(): number {
    return Math.ceil(this.length / 8);
  }
  equals(other: unknown): boolean {
    if (!(other instanceof CelCidr)) throw noSuchOverload();
    return this.length === other.length && this.address.equals(other.address);
  }
  contains(ip: CelIp): boolean {
    return this.address.family === ip.family && this.address.part(0, this.length) === ip.part(0, this.length);
  }
  masked(): CelCidr {
    const free = BigInt(this.address.width - this.length);
    return new CelCidr(new CelIp((this.address.bits >> free) << free, this.address.family), this.length);
  }
  toString(): string {
    return `${this.address}/${this.length}`;
  }
}

const dotted = (bits: bigint) => [24n, 16n, 8n, 0n].map((shift) => (bits >> shift) & 255n).join('.');

function canonical6(bits: bigint): string {
  const groups = Array.from({ length: 8 }, (_, at) => ((bits >> BigInt(112 - 16 * at)) & 0xffffn).toString(16));
  // The longest run of zeros, from two on; the first of equals.
  let best = { at: -1, length: 1 };
  for (let at = 0; at < 8; at++) {
    let length = 0;
    while (at + length < 8 && groups[at + length] === '0') length++;
    if (length > best.length) best = { at, length };
  }
  if (best.at < 0) return groups.join(':');
  return `${groups.slice(0, best.at).join(':')}::${groups.slice(best.at + best.length).join(':')}`;
}

const bits4 = (text: string) => text.split('.').reduce((bits, part) => (bits << 8n) | BigInt(part), 0n);

function bits6(text: string): bigint {
  const tail = /^(.*:)(\d+\.\d+\.\d+\.\d+)$/.exec(text);
  const low = tail === null ? undefined : bits4(tail[2]!);
  const plain = low === undefined ? text : `${tail![1]}${(low >> 16n).toString(16)}:${(low & 0xffffn).toString(16)}`;
  const [head = '', rest] = plain.split('::') as [string, string?];
  const groups = (part: string) => (part === '' ? [] : part.split(':').map((group) => BigInt(`0x${group}`)));
  const left = groups(head);
  const right = rest === undefined ? [] : groups(rest);
  const all = [...left, ...Array.from({ length: 8 - left.length - right.length }, () => 0n), ...right];
  return all.reduce((bits, group) => (bits << 16n) | group, 0n);
}

const quoted = (text: string) => JSON.stringify(text);

function parseIp(text: string): CelIp {
  const zoned = text.replace(/%.+$/s, '');
  if (isIP(zoned) === 0) {
    throw new EvaluationFailure(
      `IP Address ${quoted(text)} parse error during conversion from string: ParseAddr(${quoted(text)}): unable to parse IP`,
    );
  }
  if (zoned !== text) throw new EvaluationFailure(`IP address ${quoted(text)} with zone value is not allowed`);
  const ip = isIPv4(text) ? new CelIp(bits4(text), 4) : new CelIp(bits6(text), 6);
  if (ip.family === 6 && ip.bits >> 32n === 0xffffn) {
    throw new EvaluationFailure(`IPv4-mapped IPv6 address ${quoted(text)} is not allowed`);
  }
  return ip;
}

function parseCidr(text: string): CelCidr {
  const failed = (why: string) =>
    new EvaluationFailure(
      `network address parse error during conversion from string: network address parse error during conversion from string: netip.ParsePrefix(${quoted(text)}): ${why}`,
    );
  const at = text.lastIndexOf('/');
  if (at < 0) throw failed("no '/'");
  const address = text.slice(0, at);
  const length = text.slice(at + 1);
  if (isIP(address) === 0) throw failed(`ParseAddr(${quoted(address)}): unable to parse IP`);
  if (address.includes('%')) throw failed('IPv6 zones cannot be present in a prefix');
  if (!/^(0|[1-9]\d*)$/.test(length)) throw failed(`bad bits after slash: ${quoted(length)}`);
  const ip = isIPv4(address) ? new CelIp(bits4(address), 4) : new CelIp(bits6(address), 6);
  if (Number(length) > ip.width) throw failed('prefix length out of range');
  if (ip.family === 6 && ip.bits >> 32n === 0xffffn) {
    throw new EvaluationFailure(
      `network address parse error during conversion from string: IPv4-mapped IPv6 address ${quoted(text)} is not allowed`,
    );
  }
  return new CelCidr(ip, Number(length));
}

const works = (make: () => unknown): boolean => {
  try {
    make();
    return true;
  } catch {
    return false;
  }
};

const isUnspecified = (ip: CelIp) => ip.bits === 0n;
const isLoopback = (ip: CelIp) => (ip.family === 4 ? ip.part(0, 8) === 127n : ip.bits === 1n);
const isMulticast = (ip: CelIp) => (ip.family === 4 ? ip.part(0, 4) === 0xen : ip.part(0, 8) === 0xffn);
const isLinkLocalMulticast = (ip: CelIp) =>
  ip.family === 4 ? ip.part(0, 24) === 0xe00000n : ip.part(0, 8) === 0xffn && ip.part(12, 4) === 2n;
const isLinkLocalUnicast = (ip: CelIp) => (ip.family === 4 ? ip.part(0, 16) === 0xa9fen : ip.part(0, 10) === 0x3fan);
const isGlobalUnicast = (ip: CelIp) =>
  !isUnspecified(ip) &&
  !isLoopback(ip) &&
  !isMulticast(ip) &&
  !isLinkLocalUnicast(ip) &&
  !(ip.family === 4 && ip.bits === 0xffffffffn);

/** Kubernetes' ip and cidr libraries. */
export function addAddresses(functions: Functions): void {
  functions
    .add('ip', 'string_to_ip', '(string) net.IP', parseIp)
    .add('isIP', 'is_ip', '(string) bool', (text: string) => works(() => parseIp(text)))
    .add('ip.isCanonical', 'ip_is_canonical', '(string) bool', (text: string) => String(parseIp(text)) === text)
    .add('string', 'ip_to_string', '(net.IP) string', String)
    .member('family', 'ip_family', '(net.IP) int', ({ family }: CelIp) => BigInt(family))
    .member('isUnspecified', 'ip_is_unspecified', '(net.IP) bool', isUnspecified)
    .member('isLoopback', 'ip_is_loopback', '(net.IP) bool', isLoopback)
    .member('isLinkLocalMulticast', 'ip_is_link_local_multicast', '(net.IP) bool', isLinkLocalMulticast)
    .member('isLinkLocalUnicast', 'ip_is_link_local_unicast', '(net.IP) bool', isLinkLocalUnicast)
    .member('isGlobalUnicast', 'ip_is_global_unicast', '(net.IP) bool', isGlobalUnicast);
  const containsIp = (cidr: CelCidr, ip: CelIp) => cidr.contains(ip);
  const containsCidr = (cidr: CelCidr, other: CelCidr) => cidr.length <= other.length && cidr.contains(other.address);
  functions
    .add('cidr', 'string_to_cidr', '(string) net.CIDR', parseCidr)
    .add('isCIDR', 'is_cidr', '(string) bool', (text: string) => works(() => parseCidr(text)))
    .add('string', 'cidr_to_string', '(net.CIDR) string', String)
    .member('containsIP', 'cidr_contains_ip_string', '(net.CIDR, string) bool', (cidr: CelCidr, text: string) => {
      if (!works(() => parseIp(text))) throw noSuchOverload();
      return containsIp(cidr, parseIp(text));
    })
    .member('containsIP', 'cidr_contains_ip_ip', '(net.CIDR, net.IP) bool', containsIp)
    .member('containsCIDR', 'cidr_contains_cidr_string', '(net.CIDR, string) bool', (cidr: CelCidr, text: string) =>
      containsCidr(cidr, parseCidr(text)),
    )
    .member('containsCIDR', 'cidr_contains_cidr', '(net.CIDR, net.CIDR) bool', containsCidr)
    .member('ip', 'cidr_ip', '(net.CIDR) net.IP', ({ address }: CelCidr) => address)
    .member('prefixLength', 'cidr_prefix_length', '(net.CIDR) int', ({ length }: CelCidr) => BigInt(length))
    .member('masked', 'cidr_masked', '(net.CIDR) net.CIDR', (cidr: CelCidr) => cidr.masked());
}
