import type { Pod } from '../../api/generated/core-v1.ts';
import { hostPortsOf, portsConflict } from '../../api/host-ports.ts';
import { isFinishedPhase } from '../status/pod-status.ts';
import { BY_HOST_PORTS, type World } from './world.ts';

/**
 * Why the node does not take a pod that was bound to it past the scheduler: such a pod fails for good, and its controller
 * makes another. Source: the kubelet's predicate admission.
 */
export function admitPod(pod: Pod, world: World): { reason: string; message: string } | undefined {
  const wanted = hostPortsOf(pod.spec);
  if (wanted.length === 0) return undefined;
  const { clusterName, uid } = pod.metadata;
  for (const other of world.pods.byIndex(BY_HOST_PORTS, `${clusterName}//${pod.spec.nodeName}`)) {
    if (other.metadata.uid === uid || isFinishedPhase(other.status?.phase) || !cameBefore(other, pod)) continue;
    if (!hostPortsOf(other.spec).some((taken) => wanted.some((port) => portsConflict(port, taken)))) continue;
    const why = "node(s) didn't have free ports for the requested pod ports";
    return { reason: 'NodePorts', message: `Predicate NodePorts failed: ${why}` };
  }
  return undefined;
}

/** Of two that nobody looked at yet, one gets the port. */
function cameBefore(other: Pod, pod: Pod): boolean {
  if (other.status?.startTime !== undefined) return true;
  const byAge = Date.parse(other.metadata.creationTimestamp) - Date.parse(pod.metadata.creationTimestamp);
  return byAge < 0 || (byAge === 0 && other.metadata.uid < pod.metadata.uid);
}
