import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import type { HostPort } from '../../api/pod-network.ts';
import { VPC_NODE_CIDR, VPC_POD_CIDR, VPC_SERVICE_CIDR } from '../../api/pool.ts';
import { type Cidr, isAddress } from '../addresses/ipv4.ts';
import { nodeGroup } from '../addresses/node-group.ts';
import { BlockAllocator } from '../ipam/block-allocator.ts';
import { IpBatch, IpCommandError, runIpOnce } from './ip-batch.ts';
import type { LinkAddress } from './link-address.ts';
import { enableForwarding, linkElements } from './machine-rules.ts';
import { type KernelNames, namespacePath, podLink, VPC_LINK } from './names.ts';
import { runNft, type Shell } from './shell.ts';
import { type LinkPorts, VPC_TABLE, vpcRules } from './vpc-rules.ts';

export interface VpcOptions {
  tenant: string;
  names: KernelNames;
  block: Cidr;
  link: LinkAddress;
  ports: LinkPorts;
  mtu: number;
  egress: boolean;
  blocked: readonly string[];
  /** `ip` in the machine's namespace, shared by all VPCs. */
  machineIp: IpBatch;
  /** For programs that configure pods, and for those that write rules: neither waits for the other. */
  podShell: Shell;
  rulesShell: Shell;
}

/**
 * Every next hop has this address, and what is behind one has an address made of its IP: so all neighbour entries are
 * permanent. Learned ones would count towards one limit for the whole machine (1024 by default), at two a pod.
 */
const GATEWAY_MAC = 'ee:ee:ee:ee:ee:ee';

function macOf(address: string): string {
  return `0a:58:${address
    .split('.')
    .map((octet) => Number(octet).toString(16).padStart(2, '0'))
    .join(':')}`;
}

/** Rules of ours in the machine's routing policy have this priority. */
export const RULE_PRIORITY = 5000;
const ALREADY = /File exists/;
const GONE = /No such (file|process|device)|Cannot (find|remove)|does not exist/;

/** Interfaces take these over when they are made. Strict reverse path filtering is what keeps pods to their addresses. */
const settings: [path: string, value: number][] = [
  ['ipv4/ip_forward', 1],
  ...['all', 'default'].flatMap((scope): [string, number][] => [
    [`ipv4/conf/${scope}/rp_filter`, 1],
    [`ipv4/conf/${scope}/send_redirects`, 0],
    [`ipv4/conf/${scope}/accept_redirects`, 0],
    [`ipv4/conf/${scope}/accept_source_route`, 0],
    // Host ports answer at the loopback, too; `from-pods` keeps everybody else's packets from it.
    [`ipv4/conf/${scope}/route_localnet`, 1],
    [`ipv6/conf/${scope}/disable_ipv6`, 1],
  ]),
];
const applySettings = settings.map(
  ([path, value]) => `[ ! -e /proc/sys/net/${path} ] || echo ${value} > /proc/sys/net/${path}`,
);

/**
 * One tenant's network on this host: a namespace that routes between its pods. Each pod hangs on a veth of its own with
 * a /32 route and there is no bridge: every packet between pods passes the namespace's IP layer, so service translation
 * works in all directions without bridge netfilter, strict reverse path filtering lets a pod use no address but its
 * own, and pods share no link layer on which to pretend to be somebody else.
 */
export class Vpc {
  readonly tenant: string;
  readonly link: LinkAddress;
  readonly allocator: BlockAllocator;
  readonly namespaceName: string;
  readonly namespacePath: string;
  readonly rules: string;
  readonly #options: VpcOptions;
  readonly #ip: IpBatch;

  constructor(options: VpcOptions) {
    this.tenant = options.tenant;
    this.link = options.link;
    this.#options = options;
    this.allocator = new BlockAllocator(options.block);
    this.namespaceName = options.names.vpcNamespace(options.tenant);
    this.namespacePath = namespacePath(this.namespaceName);
    this.rules = vpcRules({
      gateway: this.gateway,
      link: options.link,
      ports: options.ports,
      egress: options.egress,
      blocked: options.blocked,
    });
    this.#ip = new IpBatch(this.namespaceName);
  }

  /** The pods' next hop and the node address they see; hostNetwork pods have it as their own. */
  get gateway(): string {
    return this.allocator.gateway;
  }

  get linkName(): string {
    return this.#options.names.link(this.link.index);
  }

  exists(): boolean {
    return existsSync(this.namespacePath);
  }

  /**
   * Makes the namespace, or brings one that a crash left into the same state; pods in it are not disturbed.
   * @param keepRules the namespace has these rules already, with services in them
   */
  async create(keepRules: boolean): Promise<void> {
    const { names, link, machineIp, rulesShell, egress, mtu } = this.#options;
    await tolerate(ALREADY, machineIp.run([`netns add ${this.namespaceName}`]));
    const script = keepRules ? applySettings : [...applySettings, 'exec nft -f -'];
    await rulesShell.run(
      'nsenter',
      [`--net=${this.namespacePath}`, 'sh', '-ec', script.join('\n')],
      keepRules ? '' : this.rules,
    );

    const device = this.linkName;
    await tolerate(
      ALREADY,
      runIpOnce(rulesShell, undefined, [
        `link add ${device} address ${GATEWAY_MAC} mtu ${mtu} type veth peer name ${VPC_LINK} address ${macOf(link.vpc)} mtu ${mtu} netns ${this.namespaceName}`,
      ]),
    );
    // No link-local IPv6 either: the way from a VPC to the machine is the pair of addresses below and nothing else.
    await writeFile(`/proc/sys/net/ipv6/conf/${device}/disable_ipv6`, '1').catch(() => {});
    await machineIp.run([`addr replace ${link.machine} peer ${link.vpc}/32 dev ${device}`, `link set ${device} up`]);
    await this.#ip.run([
      'link set lo up',
      `addr replace ${this.gateway}/32 dev lo`,
      `route replace local ${VPC_NODE_CIDR} dev lo src ${this.gateway}`,
      `addr replace ${link.vpc} peer ${link.machine}/32 dev ${VPC_LINK}`,
      `link set ${VPC_LINK} up`,
      `neigh replace ${link.machine} lladdr ${GATEWAY_MAC} dev ${VPC_LINK} nud permanent`,
      // Hosts without a route yet: an answer at once is kinder than silence.
      `route replace unreachable ${VPC_POD_CIDR} metric 1000`,
      `route replace default via ${link.machine} dev ${VPC_LINK} src ${this.gateway}`,
    ]);
    const table = link.routingTable;
    await machineIp.run([
      `route replace ${VPC_POD_CIDR} via ${link.vpc} dev ${device} src ${link.machine} table ${table}`,
      `route replace ${VPC_SERVICE_CIDR} via ${link.vpc} dev ${device} src ${link.machine} table ${table}`,
      `route replace ${VPC_NODE_CIDR} via ${link.vpc} dev ${device} src ${link.machine} table ${table}`,
      `route replace ${link.vpc} dev ${device} src ${link.machine} table ${table}`,
    ]);
    await tolerate(ALREADY, machineIp.run([`rule add from ${link.machine} lookup ${table} priority ${RULE_PRIORITY}`]));
    if (egress) await enableForwarding(device);
    await runNft(rulesShell, undefined, linkElements('add', names, link));
  }

  /** Removes everything that `create` made. Pods' own namespaces must be gone. */
  async remove(): Promise<void> {
    const { names, link, machineIp, rulesShell } = this.#options;
    this.#ip.close();
    await runNft(rulesShell, undefined, linkElements('delete', names, link)).catch(() => {
      // The table went with a flush of somebody's, or the elements were never added.
    });
    await tolerate(
      GONE,
      machineIp.run([
        `rule del from ${link.machine} lookup ${link.routingTable} priority ${RULE_PRIORITY}`,
        `link del ${this.linkName}`,
        `netns del ${this.namespaceName}`,
      ]),
    );
  }

  /** Ends the helper process; the kernel's state stays. */
  close(): void {
    this.#ip.close();
  }

  /**
   * Makes a pod's namespace and joins it to this one.
   * @param fresh nobody can have made it before, so what stands in the way is the rest of a pod that is gone
   * @param nodeAddress of its virtual node
   */
  async connectPod(namespaceName: string, address: string, fresh: boolean, nodeAddress?: string): Promise<void> {
    const link = podLink(address);
    const group = nodeGroup(nodeAddress);
    const { mtu, machineIp, podShell } = this.#options;
    const make = async () => {
      const namespaceMade = machineIp.run([`netns add ${namespaceName}`]);
      await (fresh ? namespaceMade : tolerate(ALREADY, namespaceMade));
      const configured = runIpOnce(podShell, namespaceName, [
        `link add ${link} up group ${group} address ${GATEWAY_MAC} mtu ${mtu} netns ${this.namespaceName} type veth peer name eth0 address ${macOf(address)} mtu ${mtu}`,
        'link set lo up',
        'link set eth0 up',
        `addr replace ${address}/32 dev eth0`,
        `route replace ${this.gateway} dev eth0`,
        `neigh replace ${this.gateway} lladdr ${GATEWAY_MAC} dev eth0 nud permanent`,
        `route replace default via ${this.gateway} dev eth0 src ${address}`,
      ]);
      await (fresh ? configured : tolerate(ALREADY, configured));
    };
    if (fresh) {
      await make().catch(async (error) => {
        if (!(error instanceof IpCommandError)) throw error;
        await this.disconnectPod(namespaceName, address);
        await tolerate(GONE, this.#ip.run([`link del ${link}`]));
        await make();
      });
    } else {
      await make();
    }
    await this.#ip.run([
      `route replace ${address}/32 dev ${link} src ${this.gateway}`,
      `neigh replace ${address} lladdr ${macOf(address)} dev ${link} nud permanent`,
    ]);
  }

  /**
   * Opens or closes a pod's host ports at the gateway. Opening twice is fine.
   * @throws when another pod of the VPC on this host has one of them
   */
  async hostPorts(verb: 'add' | 'delete', address: string, ports: HostPort[]): Promise<void> {
    if (ports.length === 0) return;
    const elements = new Map<string, string[]>();
    for (const { protocol, hostPort, containerPort, hostIP } of ports) {
      const name = protocol.toLowerCase();
      if (!/^(tcp|udp|sctp)$/.test(name) || ![hostPort, containerPort].every(isPort)) {
        throw new Error(`not a usable host port: ${protocol} ${hostPort} to ${containerPort}`);
      }
      // An address that is none is nobody's: the port is open nowhere.
      if (hostIP !== undefined && !isAddress(hostIP)) continue;
      const map = hostIP === undefined ? 'host-ports' : 'host-ports-at';
      const key = `${hostIP === undefined ? '' : `${hostIP} . `}${name} . ${hostPort}`;
      const element = verb === 'add' ? `${key} : ${address} . ${containerPort}` : key;
      elements.set(map, [...(elements.get(map) ?? []), element]);
    }
    if (elements.size === 0) return;
    const lines = [...elements].map(([map, list]) => `${verb} element ip ${VPC_TABLE} ${map} { ${list.join(', ')} }\n`);
    await runNft(
      this.#options.rulesShell,
      this.namespacePath,
      `${lines.join('')}${verb} element ip ${VPC_TABLE} host-port-hairpin { ${address} . ${address} }\n`,
    );
  }

  /** Idempotent. The kernel takes the veth away with the namespace, a little later; the route goes now. */
  async disconnectPod(namespaceName: string, address: string): Promise<void> {
    await Promise.all([
      tolerate(GONE, this.#options.machineIp.run([`netns del ${namespaceName}`])),
      tolerate(GONE, this.#ip.run([`route del ${address}/32 dev ${podLink(address)}`])),
    ]);
  }
}

function isPort(port: number): boolean {
  return Number.isInteger(port) && port > 0 && port < 65536;
}

async function tolerate(pattern: RegExp, work: Promise<void>): Promise<void> {
  try {
    await work;
  } catch (error) {
    if (!(error instanceof IpCommandError) || !error.every(pattern)) throw error;
  }
}
