import { readFile, writeFile } from 'node:fs/promises';
import type { LinkAddress } from './link-address.ts';
import type { KernelNames } from './names.ts';
import { runNft, type Shell } from './shell.ts';
import type { LinkPorts } from './vpc-rules.ts';

/**
 * The machine's own namespace: one table of ours, which judges only packets that come from or go to our links.
 * It does not trust the rules inside a VPC: a privileged hostNetwork pod may change those.
 */
export function machineRules(options: {
  names: KernelNames;
  ports: LinkPorts;
  egress: boolean;
  blocked: readonly string[];
}): string {
  const { names, ports } = options;
  const links = `"${names.linkPrefix}*"`;
  const masquerade = options.egress
    ? `
  chain postrouting {
    type nat hook postrouting priority srcnat; policy accept;
    ip saddr @sources masquerade
  }`
    : '';
  return `add table inet ${names.machineTable}
delete table inet ${names.machineTable}
table inet ${names.machineTable} {
  set links { type ifname . ipv4_addr . ipv4_addr; }
  set link-sources { type ifname . ipv4_addr; }
  set sources { type ipv4_addr; }

  chain from-vpc {
    ct state established,related accept
    iifname . ip saddr . ip daddr @links meta l4proto { tcp, udp } th dport ${ports.dns} accept
    iifname . ip saddr . ip daddr @links tcp dport ${ports.api} accept
    meta nfproto ipv4 reject with icmpx admin-prohibited
    drop
  }
  chain input {
    type filter hook input priority filter - 10; policy accept;
    iifname ${links} goto from-vpc
  }
  chain from-vpc-outwards {
    oifname ${links} drop
    iifname . ip saddr != @link-sources drop
    ip daddr { ${options.blocked.join(', ')} } drop
    ${options.egress ? 'accept' : 'drop'}
  }
  chain forward {
    type filter hook forward priority filter - 10; policy accept;
    iifname ${links} ct state established,related accept
    oifname ${links} ct state established,related accept
    meta nfproto ipv6 iifname ${links} drop
    iifname ${links} goto from-vpc-outwards
    oifname ${links} drop
  }${masquerade}
}
`;
}

export function linkElements(verb: 'add' | 'delete', names: KernelNames, link: LinkAddress): string {
  const { machineTable: table } = names;
  const name = names.link(link.index);
  return [
    `${verb} element inet ${table} links { "${name}" . ${link.vpc} . ${link.machine} }`,
    `${verb} element inet ${table} link-sources { "${name}" . ${link.vpc} }`,
    `${verb} element inet ${table} sources { ${link.vpc} }`,
    '',
  ].join('\n');
}

export async function removeMachineRules(shell: Shell, names: KernelNames): Promise<void> {
  await runNft(shell, undefined, `add table inet ${names.machineTable}\ndelete table inet ${names.machineTable}\n`);
}

/** The interface of the machine's default route; undefined when there is none, so pods have no way out either. */
export async function findUplink(shell: Shell): Promise<string | undefined> {
  const routes = JSON.parse((await shell.run('ip', ['-j', '-4', 'route', 'show', 'default'])) || '[]') as {
    dev?: string;
  }[];
  return routes.find((route) => route.dev !== undefined)?.dev;
}

/**
 * Lets one interface of the machine forward IPv4, and no other: pods need it of their link and of the uplink (for
 * what comes back).
 * @returns whether it was off before
 */
export async function enableForwarding(interfaceName: string): Promise<boolean> {
  const path = `/proc/sys/net/ipv4/conf/${interfaceName}/forwarding`;
  if ((await readFile(path, 'utf8')).trim() === '1') return false;
  await writeFile(path, '1');
  return true;
}

export async function disableForwarding(interfaceName: string): Promise<void> {
  await writeFile(`/proc/sys/net/ipv4/conf/${interfaceName}/forwarding`, '0').catch((error) => {
    if (error.code !== 'ENOENT') throw error;
  });
}
