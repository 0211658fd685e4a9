import type { Socket } from 'node:net';

/**
 * What the host agent asks of the network: a namespace in the tenant's VPC for each pod. `network/vpc` implements it;
 * compose/ hands it in. Idempotent: set-up of an existing pod answers what it has, tear-down of a gone one succeeds.
 */
export interface PodNetwork {
  /**
   * Makes the pod's network namespace with lo and eth0, joined to the tenant's VPC on this host.
   * @param pod uid is the ContainerInstance's name, tenant its namespace, nodeAddress that of its virtual node in the VPC.
   */
  setUp(pod: {
    tenant: string;
    uid: string;
    hostNetwork: boolean;
    hostPorts?: HostPort[];
    nodeAddress?: string;
  }): Promise<PodAddress>;
  tearDown(pod: { tenant: string; uid: string }): Promise<void>;
  /** Every pod that has a namespace here, so that the agent can clear what a crash left behind. */
  list(): Promise<{ tenant: string; uid: string; address: PodAddress }[]>;
  /** A TCP connection from this host into the VPC (probes, port-forward to hostNetwork pods). */
  connect(tenant: string, address: string, port: number, timeoutMs: number): Promise<Socket>;
  /** The local address to bind an outgoing socket to so that it goes into the tenant's VPC; undefined: unbound. */
  localAddress(tenant: string): string | undefined;
}

/**
 * A container port with a hostPort: reachable at the addresses of the VPC's namespace on this host (its gateway, its
 * virtual nodes', its loopback), never at the machine's.
 */
export interface HostPort {
  protocol: 'TCP' | 'UDP' | 'SCTP';
  hostPort: number;
  /** Only at this one of those addresses; undefined: at all of them. */
  hostIP?: string;
  containerPort: number;
}

export interface PodAddress {
  /** For example 10.128.0.5. */
  ip: string;
  /** The pod's namespace, as a path; undefined in a simulated network. */
  namespacePath?: string;
  /** What the pod sees as its node's address: the VPC gateway on this host. */
  hostIp: string;
}
