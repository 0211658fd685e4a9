import { lookup, Resolver } from 'node:dns/promises';
import { BlockList, connect, isIP, type Socket } from 'node:net';
import { networkInterfaces } from 'node:os';

/**
 * The way to webhooks that are named by a URL. The URL is a tenant's word, and the process stands in the platform's own
 * network: names are resolved here, only addresses of the open Internet are dialled, and it is the very address that was
 * judged which is dialled. See docs/decisions/0006-webhook-egress.md.
 */
export interface EgressOptions {
  /** For an operator who trusts every tenant, and for tests: loopback, private and link-local addresses too. */
  allowPrivateAddresses?: boolean;
}

export type Egress = (host: string, port: number, signal: AbortSignal) => Promise<Socket>;

const connectTimeoutMs = 10_000;

export function createEgress(options: EgressOptions = {}): Egress {
  const isAllowed = options.allowPrivateAddresses === true ? () => true : isPublic;
  return async (host, port, signal) => {
    const addresses = options.allowPrivateAddresses === true ? await resolveAsSystem(host) : await resolve(host);
    const allowed = addresses.filter(isAllowed);
    if (allowed.length === 0) {
      throw new Error(
        `dial tcp: ${host} is no address of the Internet: webhooks of the tenant's own network are services`,
      );
    }
    signal.throwIfAborted();
    return dial(allowed[Math.floor(Math.random() * allowed.length)]!, port, signal);
  };
}

async function resolveAsSystem(host: string): Promise<string[]> {
  return isIP(host) !== 0 ? [host] : (await lookup(host, { all: true })).map(({ address }) => address);
}

/** By DNS alone: neither the machine's own names nor its search list, and no thread that a slow answer would hold. */
async function resolve(host: string): Promise<string[]> {
  if (isIP(host) !== 0) return [host];
  const resolver = new Resolver({ timeout: 3000, tries: 2 });
  const answers = await Promise.allSettled([resolver.resolve4(host), resolver.resolve6(host)]);
  const addresses = answers.flatMap((answer) => (answer.status === 'fulfilled' ? answer.value : []));
  if (addresses.length === 0) throw new Error(`dial tcp: lookup ${host}: no such host`);
  return addresses;
}

function dial(address: string, port: number, signal: AbortSignal): Promise<Socket> {
  return new Promise((done, fail) => {
    const socket = connect({ host: address, port });
    const giveUp = () => socket.destroy(new Error(`dial tcp ${address}:${port}: i/o timeout`));
    const timer = setTimeout(giveUp, connectTimeoutMs);
    signal.addEventListener('abort', giveUp, { once: true });
    const settle = () => {
      clearTimeout(timer);
      signal.removeEventListener('abort', giveUp);
    };
    socket.once('connect', () => {
      settle();
      done(socket);
    });
    socket.once('error', (error) => {
      settle();
      fail(error);
    });
  });
}

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
