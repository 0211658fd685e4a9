import type { JwtAuthenticator } from './authentication/configuration.ts';
import type { ContainerStatus, PodSpec } from './generated/core-v1.ts';
import type { KubeObject } from './object.ts';

/**
 * The platform's own API, all of it in the system tenant. ContainerInstances, VpcServices and UsageRecords are
 * namespaced, the namespace being the tenant's name.
 */

/**
 * One pod, resolved and priced, placed on one host. `metadata.name` is the pod's uid, `metadata.namespace` its tenant.
 *
 * Life: virtual-node/ creates it, with the spec.hostName that the scheduler's profile pool chooses for it (InstancePlacer),
 * or without, and then the profile sets spec.hostName (binding subresource) -> host/ runs it and writes status -> virtual-node/ copies status to the tenant's pod. Deletion: the
 * tenant's pod gets a deletionTimestamp -> virtual-node/ deletes the instance with the same grace period (graceful, as
 * pods: deletionTimestamp and deletionGracePeriodSeconds are set, the object stays) -> host/ stops the containers, writes
 * the final status with `finishedAt`, and deletes it with grace period 0 -> metering/ writes the last ledger row and
 * removes the finalizer METERING_FINALIZER -> virtual-node/ force-deletes the tenant's pod. An instance without a
 * hostName is deleted at once by virtual-node/ (grace period 0).
 */
export interface ContainerInstance extends KubeObject {
  spec: ContainerInstanceSpec;
  status?: ContainerInstanceStatus;
}

export interface ContainerInstanceSpec {
  /** The pod this came from; names are the tenant's. Shown in events and container labels, never trusted for access. */
  podRef: { namespace: string; name: string; uid: string };
  /** The pool's zone it must run in. */
  zone: string;
  /** Name of the Host; set once, by choice of the pool scheduler. */
  hostName?: string;
  /** The billable shape: Kubernetes quantities. What requests add up to, rounded up. */
  resources: { cpu: string; memory: string };
  /** The shapes it had before it was resized, oldest first, each with the moment (RFC 3339, ms) until which it held. */
  resourceHistory?: { cpu: string; memory: string; until: string }[];
  /** The pod's metadata.generation that `pod` is made from; the host says in its status which one it acts on. */
  podGeneration?: number;
  /** The pod's labels and annotations, for the downward API and the runtime. */
  podLabels?: Record<string, string>;
  podAnnotations?: Record<string, string>;
  /**
   * The pod's spec with nothing left to look up: env and envFrom are plain `value`s (downward API's status.podIP,
   * status.podIPs, status.hostIP and spec.nodeName aside, which the host fills in), serviceAccount tokens are files.
   * The host expands each `value` once: `$(NAME)` then refers to a variable it filled in, `$$` is a literal dollar.
   */
  pod: PodSpec;
  /** The handler of the pod's RuntimeClass, where it names one. */
  runtimeHandler?: string;
  /** Content of configMap, secret, projected and downwardAPI volumes, by volume name; replaced live. */
  volumeFiles?: Record<string, VolumeFile[]>;
  /** Registry credentials out of imagePullSecrets. */
  registryCredentials?: { registry: string; username: string; password: string }[];
  /** Address plan of the tenant's VPC and its DNS settings; the address there of the pod's virtual node. */
  vpc: { serviceCidr: string; dnsAddress: string; clusterDomain: string; nodeAddress?: string };
  /** Why the instance could not be resolved yet: CreateContainerConfigError's message by container name. */
  configErrors?: Record<string, string>;
}

/**
 * Chooses the host of an instance that is about to be written, and so saves the binding after it. The scheduler is one,
 * for the virtual node of its process.
 */
export interface InstancePlacer {
  /** Undefined: not now. Without a host the instance waits its turn among the others. */
  place(draft: InstanceDraft): Placement | undefined;
}

/** An instance before it is written. */
export type InstanceDraft = Pick<ContainerInstance, 'apiVersion' | 'kind' | 'spec'> & {
  metadata: { name: string; namespace: string };
};

export interface Placement {
  hostName: string;
  /** To be called once: what has been written, or undefined when it failed. Until then room is kept on the host. */
  settle(instance: ContainerInstance | undefined): void;
}

export interface VolumeFile {
  /** Relative, `/`-separated, below the volume's root. */
  path: string;
  /** base64. */
  data: string;
  /** Octal permission bits as a number (0o644 = 420). */
  mode: number;
  /** The user it belongs to; root when absent. */
  owner?: number;
}

export interface ContainerInstanceStatus {
  phase: 'Pending' | 'Running' | 'Succeeded' | 'Failed' | 'Unknown';
  /** As a pod's; PodScheduled is set by the pool scheduler when nothing fits. */
  conditions?: {
    type: string;
    status: 'True' | 'False' | 'Unknown';
    reason?: string;
    message?: string;
    lastTransitionTime?: string;
    lastProbeTime?: string | null;
    observedGeneration?: number;
  }[];
  reason?: string;
  message?: string;
  hostIP?: string;
  podIP?: string;
  podIPs?: { ip: string }[];
  /** RFC 3339: the host took it on. */
  startTime?: string;
  /** RFC 3339 with milliseconds: metering runs from here (the sandbox exists) ... */
  meteredFrom?: string;
  /** ... to here (no container of it runs any more and its sandbox is gone). */
  meteredTo?: string;
  initContainerStatuses?: ContainerStatus[];
  containerStatuses?: ContainerStatus[];
  ephemeralContainerStatuses?: ContainerStatus[];
  qosClass?: string;
  /** The spec's podGeneration that this status is of. */
  observedGeneration?: number;
}

/** metering/ holds every instance with it until the last ledger row is durable. */
export const METERING_FINALIZER = 'metering.skypod.io/ledger';

/** A machine of the pool; cluster-scoped. Registered by the host agent itself, renewed by a Lease of the same name. */
export interface Host extends KubeObject {
  spec: {
    zone: string;
    /** Every zone it takes instances of, `zone` included: the one machine of `skypod up` stands for all of them. */
    zones?: string[];
    unschedulable?: boolean;
    /** Unique in the pool, given at registration; the host's pod addresses in every VPC derive from it. */
    index?: number;
  };
  status?: {
    conditions?: {
      type: 'Ready';
      status: 'True' | 'False' | 'Unknown';
      reason?: string;
      message?: string;
      lastTransitionTime?: string;
    }[];
    /** The agent's streaming server (exec, attach, port-forward, logs, stats): `https://ADDRESS:PORT`, mutual TLS. */
    streaming?: { address: string; port: number };
    runtime?: { name: string; version: string };
    /** Quantities: cpu, memory, pods, ephemeral-storage. */
    capacity?: Record<string, string>;
    allocatable?: Record<string, string>;
    images?: { names: string[]; sizeBytes: number }[];
  };
}
/** Namespace of the hosts' Leases in the system tenant; a Lease not renewed for 40 s makes its Host NotReady. */
export const HOST_LEASE_NAMESPACE = 'skypod-hosts';

/**
 * One tenant service as the hosts need it: written by network/service/publish from Service and EndpointSlices,
 * namespace = tenant, name = `<service namespace>.<service name>`.
 */
export interface VpcService extends KubeObject {
  spec: {
    serviceRef: { namespace: string; name: string };
    type: 'ClusterIP' | 'NodePort' | 'LoadBalancer' | 'ExternalName';
    /** Empty for headless and ExternalName. */
    clusterIPs: string[];
    externalName?: string;
    publishNotReadyAddresses?: boolean;
    /** The tenant has a proxy of its own for it: it has its names, and no host leads anywhere from its addresses. */
    proxiedElsewhere?: boolean;
    sessionAffinitySeconds?: number;
    ports: { name: string; protocol: 'TCP' | 'UDP' | 'SCTP'; port: number; nodePort?: number }[];
    /** Addresses of all virtual nodes, where one of the traffic policies is Local. */
    localAt?: string[];
    /** Pods reach through its addresses none but the endpoints of their own virtual node. */
    internalLocal?: boolean;
    /** Its node ports lead at a virtual node's address to that node's endpoints alone. */
    externalLocal?: boolean;
    /** At this port of every virtual node load balancers ask how many of its own endpoints are ready, by its address. */
    healthCheck?: { port: number; ready: Record<string, number> };
    /**
     * `ports` by port name: target ports differ per endpoint when they are named. With `localAt` also the address of its
     * virtual node, and whether it ends and yet serves.
     */
    endpoints: {
      address: string;
      ready: boolean;
      serving?: boolean;
      node?: string;
      /** Addresses of the virtual nodes whose pods use none but such endpoints; others use any. */
      near?: string[];
      hostname?: string;
      ports: Record<string, number>;
    }[];
  };
}

/** tenancy/ holds every Tenant with it until nothing of the tenant is left and all of it is billed. */
export const TENANT_FINALIZER = 'tenancy.skypod.io/content';

/** A customer; cluster-scoped; its API is served at `/clusters/NAME`. */
export interface Tenant extends KubeObject {
  spec?: {
    displayName?: string;
    /** OpenID Connect issuers whose tokens stand for users of this tenant, beside the operator's own issuers. */
    authentication?: { jwt?: JwtAuthenticator[] };
    /** What it may store; the operator's defaults (--tenant-max-objects, --tenant-max-bytes) when absent. */
    limits?: { objects?: number; storage?: string };
  };
  status?: { phase?: 'Active' | 'Terminating' };
}

/**
 * One ledger row, immutable. Namespace = tenant, name = `<instance uid>-<intervalStart in epoch ms>`: creating it twice
 * fails, so a second is billed once or not at all.
 */
export interface UsageRecord extends KubeObject {
  spec: {
    instance: string;
    pod: { namespace: string; name: string };
    zone: string;
    /** RFC 3339 with milliseconds. */
    intervalStart: string;
    intervalEnd: string;
    seconds: number;
    vcpuSeconds: number;
    gibSeconds: number;
  };
}

/** Addresses every VPC uses; tenants may share them, since a VPC is a network of its own. */
export const VPC_SERVICE_CIDR = '10.96.0.0/12';
/** `kubernetes.default`. */
export const VPC_API_ADDRESS = '10.96.0.1';
export const VPC_DNS_ADDRESS = '10.96.0.10';
/** Host number i hands out the i-th /21 of it. */
export const VPC_POD_CIDR = '10.128.0.0/9';
/**
 * Addresses of the virtual nodes, in every VPC: local to the VPC's namespace on each host, so a node port answers at any
 * of them wherever the asking pod runs.
 */
export const VPC_NODE_CIDR = '10.112.0.0/16';
export const CLUSTER_DOMAIN = 'cluster.local';
