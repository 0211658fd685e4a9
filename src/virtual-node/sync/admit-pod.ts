import type { Node, Pod } from '../../api/generated/core-v1.ts';
import { hostPortsOf, portsConflict } from '../../api/pods/host-ports.ts';
import { NODES } from '../../api/resources.ts';
import { requiredNodeAffinityMatches } from '../../api/selectors/node-selectors.ts';
import { isNotFound } from '../../api/status.ts';
import type { Client } from '../../client/client.ts';
import { isFinishedPhase } from '../status/pod-status.ts';
import { insufficientFor, usageOf } from './node-usage.ts';
import { BY_HOST_PORTS, BY_NODE, podKeyOf, type World } from './world.ts';

export interface Refusal {
  /** Of the pod's status and event. */
  reason: string;
  message: string;
}

/**
 * Why the node does not take a pod that was bound to it past the scheduler: such a pod fails for good, and its controller
 * makes another. Reads nothing but local copies unless the pod would be refused for the node's labels. Source: the
 * kubelet's predicate admission (pkg/kubelet/lifecycle/predicate.go), in its order.
 */
export async function admitPod(pod: Pod, world: World, client: Client): Promise<Refusal | undefined> {
  const os = pod.metadata.labels?.['kubernetes.io/os'];
  if (os !== undefined && os !== 'linux') {
    const message = "Failed to admit pod as the `kubernetes.io/os` label doesn't match node label";
    return { reason: 'PodOSSelectorNodeLabelDoesNotMatch', message };
  }
  if (pod.spec.os !== undefined && pod.spec.os.name !== 'linux') {
    return { reason: 'PodOSNotSupported', message: "Failed to admit pod as the OS field doesn't match node OS" };
  }
  const node = world.nodes.get(nodeKeyOf(pod));
  return (
    (node && (refuseForResources(pod, node, world) ?? (await refuseForAffinity(pod, node, client)))) ??
    refuseForPorts(pod, world)
  );
}

function refuseForResources(pod: Pod, node: Node, world: World): Refusal | undefined {
  const key = nodeKeyOf(pod);
  if (insufficientFor(pod, node, world.usages.of(key)) === undefined) return undefined;
  // Pods that were taken away by force, and whose instances still end, hold nothing.
  const isThere = (instance: Parameters<typeof podKeyOf>[0]) =>
    world.pods.get(podKeyOf(instance))?.metadata.uid === instance.metadata.name;
  const lacking = insufficientFor(pod, node, usageOf(world.instances.byIndex(BY_NODE, key), isThere));
  if (lacking === undefined) return undefined;
  const { resource, requested, used, capacity } = lacking;
  const figures = `requested: ${requested}, used: ${used}, capacity: ${capacity}`;
  return { reason: `OutOf${resource}`, message: `Node didn't have enough resource: ${resource}, ${figures}` };
}

async function refuseForAffinity(pod: Pod, node: Node, client: Client): Promise<Refusal | undefined> {
  const matches = ({ metadata: { name, labels = {} } }: Node) => requiredNodeAffinityMatches(pod.spec, name, labels);
  if (matches(node)) return undefined;
  // Its labels may have changed a moment ago.
  const now = await client
    .for(NODES, node)
    .get(node.metadata.name)
    .catch((error: unknown) => {
      if (!isNotFound(error)) throw error;
      return node;
    });
  if (matches(now as Node)) return undefined;
  return failed('NodeAffinity', "node(s) didn't match Pod's node affinity/selector");
}

function refuseForPorts(pod: Pod, world: World): Refusal | undefined {
  const wanted = hostPortsOf(pod.spec);
  if (wanted.length === 0) return undefined;
  for (const other of world.pods.byIndex(BY_HOST_PORTS, nodeKeyOf(pod))) {
    if (other.metadata.uid === pod.metadata.uid || isFinishedPhase(other.status?.phase)) continue;
    if (!cameBefore(other, pod)) continue;
    if (!hostPortsOf(other.spec).some((taken) => wanted.some((port) => portsConflict(port, taken)))) continue;
    return failed('NodePorts', "node(s) didn't have free ports for the requested pod ports");
  }
  return undefined;
}

const failed = (reason: string, why: string): Refusal => ({ reason, message: `Predicate ${reason} failed: ${why}` });

const nodeKeyOf = ({ metadata, spec }: Pod): string => `${metadata.clusterName}//${spec.nodeName}`;

/** Of two that nobody looked at yet, one gets the port. */
function cameBefore(other: Pod, pod: Pod): boolean {
  if (other.status?.startTime !== undefined) return true;
  const byAge = Date.parse(other.metadata.creationTimestamp) - Date.parse(pod.metadata.creationTimestamp);
  return byAge < 0 || (byAge === 0 && other.metadata.uid < pod.metadata.uid);
}
