import type { Node } from '../../api/generated/core-v1.ts';
import { formatMicroTime } from '../../api/object.ts';
import { VPC_NODE_CIDR } from '../../api/pool.ts';
import { quantityMilliValue, quantityValue } from '../../api/quantity.ts';
import { NODES } from '../../api/resources.ts';
import { ZONE_LABEL } from '../../api/well-known.ts';

export interface VirtualNodeOptions {
  /** Names of the pool's zones, as the tenant sees them; a zone's place decides its node's address. */
  zones: readonly string[];
  region?: string;
  /** Epoch ms since when the nodes are said to be ready. */
  readySinceMs: number;
  /** What each shows as capacity and allocatable, instead of practically unlimited amounts. */
  capacity?: NodeCapacity;
}

/** Kubernetes quantities by resource: those of a pool that is small enough for its size to be of interest. */
export type NodeCapacity = Partial<Record<keyof typeof CAPACITY, string>>;

/** The kubelet version tenants see: the Kubernetes version whose behaviour the platform gives, and who gives it. */
export const KUBELET_VERSION = 'v1.36.0+skypod';

/** Practically unlimited; large enough for any tenant, small enough for clients that add quantities up as int64. */
const CAPACITY = { cpu: '100000', memory: '400Ti', 'ephemeral-storage': '1Pi', pods: '1000000' };

/** Whether a node's capacity can name the resource. */
export const isNodeResource = (name: string): name is keyof typeof CAPACITY => Object.hasOwn(CAPACITY, name);

/** What resourceFieldRef reports for limits that are not set. */
export function allocatableOf(capacity: NodeCapacity = {}) {
  const shown = { ...CAPACITY, ...capacity };
  return {
    cpuMillis: quantityMilliValue(shown.cpu),
    memoryBytes: quantityValue(shown.memory),
    ephemeralStorageBytes: quantityValue(shown['ephemeral-storage']),
  };
}

export const virtualNodeName = (zone: string): string => `virtual-node-${zone}`;

/** Zone by the name of its virtual node. */
export const zonesByNode = (zones: readonly string[]): Map<string, string> =>
  new Map(zones.map((zone) => [virtualNodeName(zone), zone]));

/** The node's address in each tenant's VPC: the first of VPC_NODE_CIDR for the first zone, and so on. */
function virtualNodeAddress(index: number): string {
  const [first, second] = VPC_NODE_CIDR.split('.');
  return `${first}.${second}.${(index + 1) >> 8}.${(index + 1) & 255}`;
}

/** Those addresses by the nodes' names. */
export const virtualNodeAddresses = (zones: readonly string[]): Map<string, string> =>
  new Map(zones.map((zone, index) => [virtualNodeName(zone), virtualNodeAddress(index)]));

interface LeaseTemplate {
  apiVersion: string;
  kind: string;
  metadata: { name: string; namespace: string };
  owner: { apiVersion: string; kind: string; name: string; resource: { group: string; resource: string } };
  isLive: true;
  spec: { holderIdentity: string; leaseDurationSeconds: number; readonly renewTime: string };
}

type NodeTemplate = Omit<Node, 'metadata'> & {
  metadata: { name: string; labels: Record<string, string>; annotations?: Record<string, string> };
};

/**
 * All that the API server's shared layer holds of virtual nodes, by `resource.group`: the Nodes, and the Leases that say
 * they are alive.
 */
export const virtualNodeTemplates = (options: VirtualNodeOptions & { now(): number }) => ({
  nodes: virtualNodes(options),
  'leases.coordination.k8s.io': virtualNodeLeases(options),
});

/**
 * A virtual node is alive as long as the control plane answers, so its Lease is renewed by being read: no heartbeat, and
 * no timer a tenant.
 */
function virtualNodeLeases({ zones, now }: { zones: readonly string[]; now(): number }): LeaseTemplate[] {
  return zones.map((zone) => {
    const name = virtualNodeName(zone);
    return {
      apiVersion: 'coordination.k8s.io/v1',
      kind: 'Lease',
      metadata: { name, namespace: 'kube-node-lease' },
      owner: { apiVersion: 'v1', kind: 'Node', name, resource: NODES },
      isLive: true,
      spec: {
        holderIdentity: name,
        leaseDurationSeconds: 40,
        get renewTime() {
          return formatMicroTime(now());
        },
      },
    };
  });
}

/** What every tenant finds under /api/v1/nodes: one Node a zone. The same for all, so the API server keeps them once. */
export function virtualNodes(options: VirtualNodeOptions): NodeTemplate[] {
  const { zones, region = 'skypod', readySinceMs } = options;
  const capacity = { ...CAPACITY, ...options.capacity };
  const since = `${new Date(readySinceMs).toISOString().slice(0, 19)}Z`;
  return zones.map((zone, index) => {
    const name = virtualNodeName(zone);
    return {
      apiVersion: 'v1',
      kind: 'Node',
      metadata: {
        name,
        labels: {
          'beta.kubernetes.io/arch': nodeArchitecture(),
          'beta.kubernetes.io/os': 'linux',
          'kubernetes.io/arch': nodeArchitecture(),
          'kubernetes.io/hostname': name,
          'kubernetes.io/os': 'linux',
          'node-role.kubernetes.io/virtual': '',
          'node.kubernetes.io/instance-type': 'virtual',
          'topology.kubernetes.io/region': region,
          [ZONE_LABEL]: zone,
          type: 'virtual',
        },
      },
      spec: { providerID: `skypod://${region}/${zone}` },
      status: {
        capacity,
        allocatable: capacity,
        conditions: conditions(since),
        addresses: [
          { type: 'InternalIP', address: virtualNodeAddress(index) },
          { type: 'Hostname', address: name },
        ],
        // What would be there answers at nodes/NAME:PORT/proxy; clients take the port from here.
        daemonEndpoints: { kubeletEndpoint: { Port: 10250 } },
        nodeInfo: {
          machineID: '',
          systemUUID: '',
          bootID: '',
          kernelVersion: '',
          osImage: 'Skypod virtual node',
          containerRuntimeVersion: 'skypod://1',
          kubeletVersion: KUBELET_VERSION,
          kubeProxyVersion: '',
          operatingSystem: 'linux',
          architecture: nodeArchitecture(),
        },
        images: [],
      },
    } as unknown as NodeTemplate;
  });
}

const pressures = [
  ['MemoryPressure', 'KubeletHasSufficientMemory', 'kubelet has sufficient memory available'],
  ['DiskPressure', 'KubeletHasNoDiskPressure', 'kubelet has no disk pressure'],
  ['PIDPressure', 'KubeletHasSufficientPID', 'kubelet has sufficient PID available'],
] as const;

function conditions(since: string) {
  const times = { lastHeartbeatTime: since, lastTransitionTime: since };
  return [
    ...pressures.map(([type, reason, message]) => ({ type, status: 'False', ...times, reason, message })),
    { type: 'Ready', status: 'True', ...times, reason: 'KubeletReady', message: 'kubelet is posting ready status' },
  ];
}

/** Kubernetes' (Go's) name of this machine's architecture: the pool's hosts are taken to be like the control plane's. */
function nodeArchitecture(): string {
  return process.arch === 'x64' ? 'amd64' : process.arch;
}
