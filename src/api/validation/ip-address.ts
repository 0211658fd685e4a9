import { isIP } from 'node:net';

export const IP_FINDING = 'must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)';
export const CIDR_FINDING = 'must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)';

export const isIpAddress = (text: string): boolean => isIP(text) !== 0 && !text.includes('%');
export const ipFamilyOf = (text: string): 'IPv4' | 'IPv6' => (isIP(text) === 6 ? 'IPv6' : 'IPv4');

export function isCidr(text: string): boolean {
  const match = /^([^/]+)\/(\d{1,3})$/.exec(text);
  if (match === null || !isIpAddress(match[1]!)) return false;
  return Number(match[2]) <= (isIP(match[1]!) === 6 ? 128 : 32);
}
