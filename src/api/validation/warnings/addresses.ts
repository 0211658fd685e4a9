import { isIP } from 'node:net';

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
  const [address = '', bits = ''] = value.split('/');
  const plain = plainIpv4(address);
  const isMapped = plain !== undefined && address.includes(':');
  if (plain === undefined && isIP(address) !== 6) return;
  const shown = plain ?? canonicalIpv6(address);
  const length = isMapped ? Number(bits) - 96 : Number(bits);
  const most = plain === undefined ? 128 : 32;
  const first = network(plain ?? address, length, most);
  const net = `${first}/${length}`;
  const before = warnings.length;
  if (first !== shown) {
    const one = `${shown}/${most}`;
    warnings.push(`${path}: CIDR value "${value}" is ambiguous in this context (should be "${net}" or "${one}"?)`);
  }
  if ((plain !== undefined && plain !== address) || String(Number(bits)) !== bits) {
    warnings.push(`${path}: non-standard CIDR value "${value}" is invalid: use "${net}"`);
  }
  const usual = `${shown}/${length}`;
  if (warnings.length === before && plain === undefined && usual !== value) {
    warnings.push(`${path}: IPv6 CIDR value "${value}" should be in RFC 5952 canonical format ("${usual}")`);
  }
}

/** Of an IPv4 address, also one with leading zeros or mapped into IPv6: without them. */
function plainIpv4(value: string): string | undefined {
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(value);
  const text = mapped === null ? value : mapped[1]!;
  if (/^\d{1,}(\.\d+){3}$/.test(text)) {
    const parts = text.split('.').map(Number);
    return parts.every((part) => part <= 255) ? parts.join('.') : undefined;
  }
  if (isIP(value) !== 6) return undefined;
  const groups = groupsOf(value);
  if (groups.slice(0, 5).some((group) => group !== 0) || groups[5] !== 0xffff) return undefined;
  return [groups[6]! >> 8, groups[6]! & 255, groups[7]! >> 8, groups[7]! & 255].join('.');
}

const canonicalIpv6 = (value: string): string => new URL(`http://[${value}]`).hostname.slice(1, -1);

function groupsOf(value: string): number[] {
  const [head = '', tail] = canonicalIpv6(value).split('::');
  const numbers = (text: string) => (text === '' ? [] : text.split(':').map((group) => Number.parseInt(group, 16)));
  if (tail === undefined) return numbers(head);
  const [first, last] = [numbers(head), numbers(tail)];
  return [...first, ...new Array<number>(8 - first.length - last.length).fill(0), ...last];
}

/** The address with all bits after the first `length` cleared, in its usual spelling. */
function network(address: string, length: number, most: number): string {
  const size = most === 32 ? 8 : 16;
  const parts = most === 32 ? address.split('.').map(Number) : groupsOf(address);
  const kept = parts.map((part, index) => {
    const bits = Math.min(Math.max(length - index * size, 0), size);
    return part & (((1 << bits) - 1) << (size - bits));
  });
  return most === 32 ? kept.join('.') : canonicalIpv6(kept.map((part) => part.toString(16)).join(':'));
}
