import { VPC_API_ADDRESS, VPC_DNS_ADDRESS, VPC_NODE_CIDR, VPC_POD_CIDR, VPC_SERVICE_CIDR } from '../../api/pool.ts';
import type { LinkAddress } from './link-address.ts';
import { VPC_LINK } from './names.ts';

/** Name of the table in each VPC's namespace; network/service/table adds the elements of its maps. */
export const VPC_TABLE = 'skypod';

/**
 * Ports on the machine's end of each VPC's link. Fixed, so that the rules in a VPC outlive the process that listens;
 * not 53 and 443, which a server of the machine may hold on all addresses.
 */
export interface LinkPorts {
  dns: number;
  api: number;
}

/** Destinations no pod may reach through the machine: its links, loopback, and where clouds keep their metadata. */
export const BLOCKED_DESTINATIONS = [
  '0.0.0.0/8',
  '127.0.0.0/8',
  '169.254.0.0/16',
  '100.100.100.200/32',
  '168.63.129.16/32',
  '192.0.0.192/32',
  '224.0.0.0/3',
];

/**
 * The nftables table of a VPC's namespace, empty of services. It is replaced as a whole only when the VPC is made or
 * taken over after a restart; then service/table fills it again in its own transaction.
 *
 * A packet for a service: `services` maps (address, protocol, port) to a chain that depends on nothing but the number
 * of endpoints: chain `pick-3` puts a random number below 3 into the packet's mark and looks up (address, protocol,
 * port, mark) in `backends`. So a change of a service is a change of map elements, and there are as many chains as endpoint counts.
 * Node ports have maps and chains of their own (`node-services`, `node-pick-3`) without an address: they answer at the
 * gateway and at every virtual node's address.
 *
 * Services for clients of the same virtual node come first (`local-services`, `local-pick-3`): their keys begin with the
 * interface group of the client's pod, which is its node's number. What comes from elsewhere meets all endpoints.
 *
 * Host ports answer at all addresses that are local here, or at one of them; the loopback only for pods of the host's
 * network, which it belongs to.
 *
 * A service with session affinity has a chain of its own that puts its number into the connection's mark and looks up
 * (client, mark, protocol) in `affinity` before it picks. `remember` writes that entry when the connection's first
 * packet is forwarded, by when its destination is the endpoint picked.
 *
 * Whatever of the service range was not translated has no endpoint and is refused in forward and output; `more-services`
 * are addresses of the tenant's further ServiceCIDRs.
 */
export function vpcRules(options: {
  gateway: string;
  link: LinkAddress;
  ports: LinkPorts;
  egress: boolean;
  blocked: readonly string[];
}): string {
  const { gateway, link, ports } = options;
  const translate = `
    ip daddr ${VPC_DNS_ADDRESS} meta l4proto { tcp, udp } th dport 53 dnat to ${link.machine}:${ports.dns}
    ip daddr ${VPC_API_ADDRESS} tcp dport 443 dnat to ${link.machine}:${ports.api}
    ip daddr . meta l4proto . th dport vmap @services
    ip daddr { ${gateway}, ${VPC_NODE_CIDR} } meta l4proto . th dport vmap @node-services
    dnat ip to ip daddr . meta l4proto . th dport map @host-ports-at
    fib daddr type local dnat ip to meta l4proto . th dport map @host-ports`;
  return `add table ip ${VPC_TABLE}
delete table ip ${VPC_TABLE}
table ip ${VPC_TABLE} {
  map services { type ipv4_addr . inet_proto . inet_service : verdict; }
  map backends { type ipv4_addr . inet_proto . inet_service . mark : ipv4_addr . inet_service; }
  map node-services { type inet_proto . inet_service : verdict; }
  map node-backends { type inet_proto . inet_service . mark : ipv4_addr . inet_service; }
  map local-services { type devgroup . ipv4_addr . inet_proto . inet_service : verdict; }
  map local-backends { type devgroup . ipv4_addr . inet_proto . inet_service . mark : ipv4_addr . inet_service; }
  map affinity {
    type ipv4_addr . mark . inet_proto : ipv4_addr . inet_service
    flags dynamic,timeout
  }
  map remember { type mark : verdict; }
  set hairpin { type ipv4_addr . ipv4_addr; }
  set more-services { type ipv4_addr; }
  map host-ports { type inet_proto . inet_service : ipv4_addr . inet_service; }
  map host-ports-at { type ipv4_addr . inet_proto . inet_service : ipv4_addr . inet_service; }
  set host-port-hairpin { type ipv4_addr . ipv4_addr; }

  chain from-pods {
    type filter hook prerouting priority raw; policy accept;
    iifname != "lo" ip daddr 127.0.0.0/8 drop
  }
  chain prerouting {
    type nat hook prerouting priority dstnat; policy accept;
    meta iifgroup . ip daddr . meta l4proto . th dport vmap @local-services${translate}
  }
  chain local-out {
    type nat hook output priority -100; policy accept;${translate}
  }
  chain postrouting {
    type nat hook postrouting priority srcnat; policy accept;
    oifname "${VPC_LINK}" masquerade
    ip saddr ${link.machine} snat to ${gateway}
    ct status dnat ip saddr { 127.0.0.0/8, ${VPC_NODE_CIDR} } snat to ${gateway}
    ct status dnat ip saddr . ip daddr @hairpin snat to ${gateway}
    ct status dnat ip saddr . ip daddr @host-port-hairpin snat to ${gateway}
  }

  chain refuse-service {
    meta l4proto tcp reject with tcp reset
    reject with icmp port-unreachable
  }
  chain to-machine {
    ip daddr ${link.machine} meta l4proto { tcp, udp } th dport ${ports.dns} accept
    ip daddr ${link.machine} tcp dport ${ports.api} accept
    ip daddr { ${options.blocked.join(', ')} } reject with icmp admin-prohibited
    ${options.egress ? 'accept' : 'reject with icmp net-unreachable'}
  }
  chain forward {
    type filter hook forward priority filter; policy accept;
    ct state established,related accept
    ct status dnat ct mark vmap @remember
    iifname "${VPC_LINK}" ip saddr != ${link.machine} drop
    ip daddr ${VPC_SERVICE_CIDR} goto refuse-service
    ip daddr @more-services goto refuse-service
    oifname "${VPC_LINK}" goto to-machine
  }
  chain output {
    type filter hook output priority filter; policy accept;
    ct state established,related accept
    ct status dnat ct mark vmap @remember
    ip daddr ${VPC_SERVICE_CIDR} goto refuse-service
    ip daddr @more-services goto refuse-service
    # A translated packet still shows the interface of its first route here. Addresses of no pod have an unreachable route.
    ip daddr ${VPC_POD_CIDR} accept
    oifname "${VPC_LINK}" goto to-machine
  }
}
`;
}
