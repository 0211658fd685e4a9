import type { PodNetwork } from '../../api/pod-network.ts';
import type { Clock } from '../../base/clock.ts';
import type { Logger } from '../../base/log.ts';
import type { LinkPorts } from './vpc-rules.ts';

export interface VpcNetworkOptions {
  /** Two instances on one machine have different ones; state is kept in `network/` below it. */
  dataDirectory: string;
  /** The Host's spec.index. */
  hostIndex: number;
  logger: Logger;
  clock: Clock;
  /** Default 1500; less where hosts are joined by a tunnel. */
  mtu?: number;
  ports?: LinkPorts;
  /** Whether pods reach what is outside the machine; default: when the machine has a default route. */
  egress?: boolean;
  /** Blocks that no pod may reach, beside loopback, link-local and the clouds' metadata addresses. */
  blockedDestinations?: readonly string[];
  /** How long a VPC without pods stays; default 30 s. */
  idleVpcMs?: number;
}

/** What the parts that serve a VPC (DNS, API forwarder, service table) need to know of it. */
export interface CarriedVpc {
  tenant: string;
  /** The machine's end of the link: listen here to be reached from this VPC, bind here to reach into it. */
  linkAddress: string;
  gateway: string;
  namespacePath: string;
  /**
   * Runs a program (nft, conntrack) in the VPC's namespace, one at a time.
   * @returns its standard output
   * @throws ProgramError
   */
  run(program: string, args: string[], input?: string): Promise<string>;
}

export interface VpcHandlers {
  /** The VPC stands; its first pod waits until this resolves. Called for VPCs that stand already, too. */
  added(vpc: CarriedVpc): Promise<void> | void;
  removed(vpc: CarriedVpc): Promise<void> | void;
}

export interface VpcNetwork extends PodNetwork {
  readonly ports: LinkPorts;
  carried(): CarriedVpc[];
  /** Resolves when `added` did for all VPCs that stand. */
  subscribe(handlers: VpcHandlers): Promise<void>;
  /** Ends helper processes. Namespaces, rules and pods stay. */
  close(): void;
  /** Removes every namespace, interface, rule and file of this instance. */
  destroy(): Promise<void>;
}
