import { BlockList, isIP } from 'node:net';
import type { Environment } from '@marcbachmann/cel-js';
import { offer } from './offer.ts';

class CelUrl {
  readonly url: URL;
  readonly text: string;
  constructor(text: string) {
    this.text = text;
    // A path alone is a URL too; its host is empty.
    this.url = new URL(text, 'none://');
  }
}
class CelIp {
  readonly text: string;
  constructor(text: string) {
    if (isIP(text) === 0 || text.includes('%')) throw new Error(`IP Address ${JSON.stringify(text)} parse error`);
    this.text = text;
  }
}
class CelCidr {
  readonly address: string;
  readonly length: number;
  constructor(text: string) {
    const match = /^([^/]+)\/(\d{1,3})$/.exec(text);
    const most = isIP(match?.[1] ?? '') === 6 ? 128 : 32;
    if (match === null || isIP(match[1]!) === 0 || Number(match[2]) > most) {
      throw new Error(`network address parse error during conversion from string: ${JSON.stringify(text)}`);
    }
    this.address = match[1]!;
    this.length = Number(match[2]);
  }
  contains(ip: string): boolean {
    const family = isIP(this.address) === 6 ? 'ipv6' : 'ipv4';
    const list = new BlockList();
    list.addSubnet(this.address, this.length, family);
    return isIP(ip) === isIP(this.address) && list.check(ip, family);
  }
}

const works = (make: () => unknown): boolean => {
  try {
    make();
    return true;
  } catch {
    return false;
  }
};
const isUrl = (text: string) =>
  works(() => new CelUrl(text)) && (text.startsWith('/') || /^[a-z][\w+.-]*:/i.test(text));

/** Kubernetes' url, ip and cidr libraries. */
export function registerAddresses(environment: Environment): void {
  const add = (signature: string, handler: (...values: any[]) => unknown) => offer(environment, signature, handler);
  environment.registerType('kubernetes.URL', CelUrl);
  environment.registerType('net.IP', CelIp);
  environment.registerType('net.CIDR', CelCidr);
  add('isURL(string): bool', isUrl);
  add('url(string): kubernetes.URL', (text: string) => {
    if (!isUrl(text))
      throw new Error(
        `URL parse error during conversion from string: parse ${JSON.stringify(text)}: invalid URI for request`,
      );
    return new CelUrl(text);
  });
  const part = (name: string, read: (url: URL) => string) =>
    add(`kubernetes.URL.${name}(): string`, ({ url }: CelUrl) => read(url));
  part('getScheme', (url) => (url.protocol === 'none:' ? '' : url.protocol.slice(0, -1)));
  part('getHost', (url) => url.host);
  part('getHostname', (url) => url.hostname);
  part('getPort', (url) => url.port);
  part('getEscapedPath', (url) => url.pathname);
  add('isIP(string): bool', (text: string) => works(() => new CelIp(text)));
  add('ip(string): net.IP', (text: string) => new CelIp(text));
  add('net.IP.family(): int', ({ text }: CelIp) => BigInt(isIP(text)));
  add('isCIDR(string): bool', (text: string) => works(() => new CelCidr(text)));
  add('cidr(string): net.CIDR', (text: string) => new CelCidr(text));
  add('net.CIDR.containsIP(string): bool', (cidr: CelCidr, text: string) => cidr.contains(text));
  add('net.CIDR.containsIP(net.IP): bool', (cidr: CelCidr, { text }: CelIp) => cidr.contains(text));
  add('net.CIDR.prefixLength(): int', ({ length }: CelCidr) => BigInt(length));
}
