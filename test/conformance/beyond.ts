import type { Spec } from './build.ts';

/** The sigs whose tests say what users of Kubernetes expect of any cluster; storage drivers are not among them. */
const sigs = /^\[sig-(api-machinery|auth|cli|apps|scheduling|network|node|instrumentation|architecture|storage)\] /;

/** What no cluster of virtual nodes is asked, the first that matches, and why. The page counts them. */
const leftOut: [pattern: RegExp, why: string][] = [
  [/\[Conformance\]/, 'conformance tests: docs/conformance.md'],
  [/Feature:Windows|\[Provider:GCE\]|Feature:GPUDevicePlugin|AWS KMS/, 'Windows, GPUs and one cloud alone'],
  [/\[Alpha\]|\[Feature:OffByDefault\]|Feature:StorageVersionAPI/, 'feature gates that are off by default'],
  [/\[Disruptive\]/, 'end processes of nodes and of the control plane by SSH'],
  [
    /\[Driver: |Testpattern|Volume type: |Flexvolumes|sig-storage.*(NFS|Dynamic Provisioning|PersistentVolumes|Volume metrics)/,
    'storage drivers',
  ],
  [/\[DRA\]/, 'device drivers on nodes'],
  [/Feature:NetworkPolicy/, 'what network policies do: they are only kept as yet'],
  [/LoadBalancer|load-balancer/, 'load balancers of a cloud'],
  [/IPv6|DualStack|dual-stack/, 'IPv6 of nodes'],
  [/SCTP/, 'SCTP in the kernel of nodes'],
  [
    /SSH to all nodes|crictl|AppArmor|NodeLogQuery|NodeProblemDetector|KubeletCredentialProviders|HostCleanup|SELinux|resource usage tracking|KubeProxy|kube-proxy urls|Conntrack proxy/,
    'programs and modules of a machine behind the node, or SSH to it',
  ],
  [
    /InPlacePodLevelResourcesVerticalScaling|Pod Level Resources \[Serial\]/,
    'cgroups of a machine behind the node, read through a hostPath (decision 13)',
  ],
  [/\[Flaky\]/, 'flaky by their own word'],
  [/\[Performance\]|Networking-Performance|PerformanceDNS|1000 pods/, 'load tests'],
  [/sig-network.*\[Slow\].*\[Serial\]|DNS configMap/, 'the configuration of CoreDNS'],
];

/** Why tests that were chosen do not pass, where that is known. The page tells it beside what the test said. */
const known: [pattern: RegExp, why: string][] = [
  [/KubeletFineGrainedAuthz|NodeAuthenticator/, 'no kubelet listens at a virtual node’s address'],
  [/should proxy logs on node/, 'a virtual node has no /var/log of its own'],
  [/PV Protection|PVC has node-affinity|against a pvc with different volume attributes/, 'nothing binds volumes yet'],
  [/StatefulSetBasic|StatefulSetPersistentVolumeClaimPolicy|PVC Protection/, 'there is no default StorageClass yet'],
  [
    /internalTrafficPolicy=Local.*hostNetwork: true|endpoints using hostNetwork/,
    'pods of the host’s network share one namespace, whatever their node',
  ],
  [/SupplementalGroupsPolicy/, 'containerd 1.6 tells no user of containers, and knows no Strict'],
  [/UserNamespacesSupport/, 'containerd 1.6 has no user namespaces'],
  [/PrivilegedPod/, 'the test machine’s kernel has no dummy interfaces'],
  [/Internet connection/, 'the test machine has no way to the internet'],
  [/Deploy clustered applications/, 'needs images of public registries'],
  [
    /Traffic Distribution.*(pods on multiple nodes|fall back to same zone)/,
    'needs two nodes in each of three zones; a zone has one virtual node',
  ],
  [/Traffic Distribution|HealthCheckNodePort correctly/, 'needs three zones: ZONES=3'],
  [
    /guaranteed qos - 1 container.*restart.* resizing/,
    'the test machine lets nobody lower an OOM score (no CAP_SYS_RESOURCE)',
  ],
  [
    /Mount propagation/,
    'mounts of a pod stay in it (Bidirectional is refused), and there is no kubelet’s process to look into',
  ],
  [
    /pull from private registry with secret/,
    'a registry that a pod is, at `localhost`: images are pulled outside of its VPC',
  ],
  [/configurable pod resolv.conf/, 'the suite’s image, as it is built here, has no CoreDNS'],
];

export const knownCause = (testName: string): string | undefined =>
  known.find(([pattern]) => pattern.test(testName))?.[1];

export interface BeyondTests {
  chosen: Spec[];
  /** How many tests were left out for each reason, in the order above. */
  left: Map<string, number>;
}

/** The tests beyond conformance that are meant for any cluster, out of all that the suite holds. */
export function beyondTests(specs: Spec[]): BeyondTests {
  const left = new Map(leftOut.map(([, why]) => [why, 0]));
  const chosen = specs.filter((spec) => {
    const why = sigs.test(spec.text) ? leftOut.find(([pattern]) => pattern.test(spec.text))?.[1] : undefined;
    if (why !== undefined) left.set(why, left.get(why)! + 1);
    return sigs.test(spec.text) && why === undefined;
  });
  return { chosen, left };
}
