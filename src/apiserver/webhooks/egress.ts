import { lookup, Resolver } from 'node:dns/promises';
import { connect, isIP, type Socket } from 'node:net';
import { isPublic } from '../../base/public-address.ts';

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

/** The address dialled is the one that was judged: a name that resolves anew in between leads nowhere else. */
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
