import { BlockList } from 'node:net';

/** Where images may come from. */
export interface RegistryPolicy {
  /** Everything, wherever it is. */
  any: boolean;
  /** Every registry at public addresses. */
  public: boolean;
  /** These, wherever they are. */
  listed: ListedRegistry[];
}

export interface ListedRegistry {
  /** `registry.example.com`, `*.example.com`, `10.0.0.5`, `::1`. */
  host: string;
  /** undefined: any. */
  port: number | undefined;
  isPlain: boolean;
}

export interface RegistryAddress {
  host: string;
  port: number;
  isPlain: boolean;
}

const entryForm = /^(?:(https?):\/\/)?(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9*._-]+)(?::(\d{1,5}|\*))?$/;

/**
 * Reads a list as `public,127.0.0.1:*,http://10.0.0.5:5000,*.example.com`: `public` stands for all registries at public
 * addresses, `any` for all there are. Throws an Error that names what cannot be read.
 */
export function parseRegistries(text: string): RegistryPolicy {
  const policy: RegistryPolicy = { any: false, public: false, listed: [] };
  for (const entry of text.split(',').map((one) => one.trim())) {
    if (entry === '') continue;
    if (entry === 'public') policy.public = true;
    else if (entry === 'any') policy.any = true;
    else {
      const match = entryForm.exec(entry);
      if (match === null)
        throw new Error(`${JSON.stringify(entry)} is no registry: HOST, HOST:PORT, HOST:*, public or any`);
      const [, scheme, name = '', port] = match;
      const host = name.replace(/^\[|\]$/g, '').toLowerCase();
      const isPlain = scheme === undefined ? isLoopback(host) : scheme === 'http';
      const given = port === '*' ? undefined : Number(port ?? (isPlain ? 80 : 443));
      policy.listed.push({ host, port: given, isPlain });
    }
  }
  return policy;
}

/** The entry that an address is listed by. */
export function listedAs(policy: RegistryPolicy, host: string, port: number): ListedRegistry | undefined {
  return policy.listed.find(
    (entry) =>
      (entry.port === undefined || entry.port === port) &&
      (entry.host === host || (entry.host.startsWith('*.') && host.endsWith(entry.host.slice(1)))),
  );
}

/** The address behind the first part of an image's name; undefined where it is none. */
export function addressOfRegistry(registry: string, policy: RegistryPolicy): RegistryAddress | undefined {
  const match = /^(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]+)(?::(\d{1,5}))?$/.exec(registry);
  if (match === null) return undefined;
  const name = match[1]!.replace(/^\[|\]$/g, '').toLowerCase();
  const host = name === 'docker.io' || name === 'index.docker.io' ? 'registry-1.docker.io' : name;
  const given = match[2] === undefined ? undefined : Number(match[2]);
  const entry = [given ?? 443, given ?? 80]
    .map((port) => listedAs(policy, host, port))
    .find((one) => one !== undefined);
  // As Docker has it: what is on loopback speaks plain http.
  const isPlain = entry?.isPlain ?? isLoopback(host);
  return { host, port: given ?? (isPlain ? 80 : 443), isPlain };
}

const loopback = new BlockList();
loopback.addSubnet('127.0.0.0', 8, 'ipv4');
const isLoopback = (host: string): boolean =>
  host === 'localhost' || host === '::1' || (/^[\d.]+$/.test(host) && safely(() => loopback.check(host, 'ipv4')));

function safely(check: () => boolean): boolean {
  try {
    return check();
  } catch {
    return false;
  }
}

/** The registry of an image's name. Source: distribution's reference.ParseNormalizedNamed. */
export function registryOf(image: string): string {
  const slash = image.indexOf('/');
  const first = slash < 0 ? '' : image.slice(0, slash);
  const isRegistry = first === 'localhost' || /[.:]/.test(first) || first !== first.toLowerCase();
  return isRegistry && first !== 'index.docker.io' ? first : 'docker.io';
}
