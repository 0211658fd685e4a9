import { isIP } from 'node:net';
import type { RequestContext } from '../request-context.ts';

const forwardedLimit = 16;

/**
 * What proxies said, then who is connected. All but the last can be made up by the client. Source: apimachinery's
 * SourceIPs.
 */
export function sourceAddresses({ headers, remoteAddress }: RequestContext): string[] {
  const addresses = String(headers['x-forwarded-for'] ?? '')
    .split(',', forwardedLimit)
    .map((one) => one.trim())
    .filter((one) => isIP(one) !== 0);
  const real = String(headers['x-real-ip'] ?? '').trim();
  if (isIP(real) !== 0 && !addresses.includes(real)) addresses.push(real);
  if (remoteAddress !== undefined && addresses.at(-1) !== remoteAddress) addresses.push(remoteAddress);
  return addresses;
}
