/** IPv4 addresses as unsigned 32-bit numbers, and blocks of them. Pure. */

export interface Cidr {
  /** First address of the block. */
  base: number;
  /** Length of the prefix, 0..32. */
  prefix: number;
}

/** @throws on anything but four decimal octets without leading zeros. */
export function parseAddress(text: string): number {
  const octets = text.split('.');
  if (octets.length !== 4) throw new Error(`not an IPv4 address: ${text}`);
  let value = 0;
  for (const octet of octets) {
    if (!/^(0|[1-9]\d{0,2})$/.test(octet) || Number(octet) > 255) throw new Error(`not an IPv4 address: ${text}`);
    value = value * 256 + Number(octet);
  }
  return value;
}

export function isAddress(text: string): boolean {
  try {
    parseAddress(text);
    return true;
  } catch {
    return false;
  }
}

export function formatAddress(value: number): string {
  return `${(value >>> 24) & 255}.${(value >>> 16) & 255}.${(value >>> 8) & 255}.${value & 255}`;
}

/** @throws when the text is not `a.b.c.d/n` or has bits set behind the prefix. */
export function parseCidr(text: string): Cidr {
  const slash = text.indexOf('/');
  const prefix = Number(text.slice(slash + 1));
  if (slash < 0 || !/^\d{1,2}$/.test(text.slice(slash + 1)) || prefix > 32)
    throw new Error(`not an IPv4 block: ${text}`);
  const base = parseAddress(text.slice(0, slash));
  if (base % sizeOf(prefix) !== 0) throw new Error(`bits behind the prefix are set: ${text}`);
  return { base, prefix };
}

export function formatCidr(cidr: Cidr): string {
  return `${formatAddress(cidr.base)}/${cidr.prefix}`;
}

/** How many addresses a prefix of this length holds. */
export function sizeOf(prefix: number): number {
  return 2 ** (32 - prefix);
}

export function contains(cidr: Cidr, address: number): boolean {
  return address >= cidr.base && address < cidr.base + sizeOf(cidr.prefix);
}

/**
 * The `index`-th block of `prefix` bits inside `cidr`.
 * @throws RangeError when `cidr` holds fewer blocks.
 */
export function subnet(cidr: Cidr, prefix: number, index: number): Cidr {
  const base = cidr.base + index * sizeOf(prefix);
  if (!Number.isInteger(index) || index < 0 || prefix < cidr.prefix || !contains(cidr, base)) {
    throw new RangeError(`${formatCidr(cidr)} has no block number ${index} of length /${prefix}`);
  }
  return { base, prefix };
}

/** `5.0.128.10.in-addr.arpa` for 10.128.0.5. */
export function reverseName(address: string): string {
  return `${address.split('.').reverse().join('.')}.in-addr.arpa`;
}
