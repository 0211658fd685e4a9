import { BlockList, isIP } from 'node:net';
import { networkInterfaces } from 'node:os';

/** Source: IANA's special-purpose address registries (RFC 6890 and its updates). */
const special = new BlockList();
for (const [network, prefix] of [
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.0.0.0', 24],
  ['192.0.2.0', 24],
  ['192.31.196.0', 24],
  ['192.52.193.0', 24],
  ['192.88.99.0', 24],
  ['192.168.0.0', 16],
  ['192.175.48.0', 24],
  ['198.18.0.0', 15],
  ['198.51.100.0', 24],
  ['203.0.113.0', 24],
  ['224.0.0.0', 3],
] as const) {
  special.addSubnet(network, prefix, 'ipv4');
}
const globalUnicast = new BlockList();
globalUnicast.addSubnet('2000::', 3, 'ipv6');
// Of that range: addresses that carry an IPv4 address, and ones for documentation, benchmarks and the like.
for (const [network, prefix] of [
  ['2001::', 23],
  ['2001:db8::', 32],
  ['2002::', 16],
  ['2620:4f:8000::', 48],
  ['3fff::', 20],
] as const) {
  special.addSubnet(network, prefix, 'ipv6');
}

/** An address of the open Internet, and none of this machine's own. */
export function isPublic(address: string): boolean {
  const family = isIP(address);
  if (family === 0) return false;
  const isGlobal =
    family === 4
      ? !special.check(address, 'ipv4')
      : globalUnicast.check(address, 'ipv6') && !special.check(address, 'ipv6');
  if (!isGlobal) return false;
  return !Object.values(networkInterfaces()).some((list) => list?.some((own) => own.address === address));
}
