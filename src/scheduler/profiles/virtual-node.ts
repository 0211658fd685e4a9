import type { Pod } from '../../api/generated/core-v1.ts';
import type { PodDisruptionBudget } from '../../api/generated/policy-v1.ts';
import { formatTime } from '../../api/object.ts';
import { PODS } from '../../api/resources.ts';
import { isNotFound, StatusError } from '../../api/status.ts';
import type { Clock } from '../../base/clock.ts';
import type { Client } from '../../client/client.ts';
import type { EventRecorder } from '../../client/event-recorder.ts';
import { deviceClaims } from '../filter/device-claims.ts';
import { extendedResources } from '../filter/extended-resources.ts';
import { interPodAffinity } from '../filter/inter-pod-affinity.ts';
import { nodeAffinity } from '../filter/node-affinity.ts';
import { nodePorts } from '../filter/node-ports.ts';
import { nodeResources } from '../filter/node-resources.ts';
import { nodeUnschedulable } from '../filter/node-unschedulable.ts';
import { taintToleration } from '../filter/taint-toleration.ts';
import { topologySpread } from '../filter/topology-spread.ts';
import type { PodView } from '../filter/types.ts';
import { volumeClaims } from '../filter/volume-claims.ts';

import { preemptionMessage } from '../framework/fit-error.ts';
import { choosePreemption } from '../framework/preemption.ts';
import type { Profile } from '../framework/scheduler.ts';
import { evenSpread } from '../score/even-spread.ts';
import { preferredInterPodAffinity } from '../score/inter-pod-affinity.ts';
import { preferredNodeAffinity } from '../score/node-affinity.ts';
import { preferredTaintToleration } from '../score/taint-toleration.ts';
import { preferredTopologySpread } from '../score/topology-spread.ts';
import { violating } from '../snapshot/disruption-budgets.ts';
import { type NodeInfo, type PlacedPod, placedPodOf } from '../snapshot/tenant-snapshot.ts';

export interface VirtualNodeProfileOptions {
  client: Client;
  clock: Clock;
  events: EventRecorder;
  /** The tenant's snapshot and what else filters ask. */
  viewOf(tenant: string): PodView;
  /** Pods for which others were sent away, by uid, with the node they wait for. */
  nominations(tenant: string): ReadonlyMap<string, PlacedPod>;
  nominate(tenant: string, pod: PlacedPod): void;
  forgetNomination(pod: Pod): void;
  podOf(tenant: string, namespace: string, name: string): Pod | undefined;
  budgetsOf(tenant: string, namespace: string): PodDisruptionBudget[];
}

/** A tenant's pod -> one of the tenant's virtual Nodes. The filters stand in upstream's order: the first one's reason is told. */
export function virtualNodeProfile(options: VirtualNodeProfileOptions): Profile<Pod, NodeInfo, PodView> {
  const { client, clock, events, viewOf, nominations, nominate, forgetNomination, podOf, budgetsOf } = options;
  const tenantOf = (pod: Pod) => pod.metadata.clusterName!;
  const eventTarget = (pod: Pod) => ({ apiVersion: 'v1', kind: 'Pod', metadata: pod.metadata });

  const observed = ({ metadata }: { metadata: { generation?: number } }) =>
    metadata.generation === undefined ? {} : { observedGeneration: metadata.generation };

  async function preempt(pod: Pod, node: NodeInfo, victims: PlacedPod[]): Promise<void> {
    const { name, uid } = pod.metadata;
    const outranked = [...nominations(tenantOf(pod)).values()].filter(
      (other) => other.uid !== uid && other.nodeName === node.name && other.priority < (pod.spec.priority ?? 0),
    );
    await Promise.all([
      ...victims.map((victim) => sendAway(pod, node, victim)),
      // They may not fit there any more, and look for another place sooner without it.
      ...outranked.map((other) => clearNomination(podOf(tenantOf(pod), other.namespace, other.name))),
    ]);
    const patch = { metadata: { uid }, status: { nominatedNodeName: node.name } };
    await client.for(PODS, pod).patch(name, 'strategic', patch, 'status');
  }

  async function clearNomination(pod: Pod | undefined): Promise<void> {
    if (pod === undefined) return;
    forgetNomination(pod);
    const { name, uid } = pod.metadata;
    try {
      const patch = { metadata: { uid }, status: { nominatedNodeName: null } };
      await client.for(PODS, pod).patch(name, 'strategic', patch, 'status');
    } catch (error) {
      if (!isFinal(error)) throw error;
    }
  }

  async function sendAway(pod: Pod, node: NodeInfo, { namespace, name, uid, terminating }: PlacedPod): Promise<void> {
    if (terminating) return;
    const pods = client.resource<Pod>(tenantOf(pod), PODS, namespace);
    const known = podOf(tenantOf(pod), namespace, name);
    const condition = {
      type: 'DisruptionTarget',
      ...(known !== undefined && observed(known)),
      status: 'True',
      lastTransitionTime: formatTime(clock.now()),
      reason: 'PreemptionByScheduler',
      message: `${pod.spec.schedulerName ?? 'default-scheduler'}: preempting to accommodate a higher priority pod`,
    };
    try {
      const victim = await pods.patch(
        name,
        'strategic',
        { metadata: { uid }, status: { conditions: [condition] } },
        'status',
      );
      await pods.delete(name, { preconditions: { uid } });
      const message = `Preempted by pod ${pod.metadata.uid} on node ${node.name}`;
      const metadata = { ...victim.metadata, clusterName: tenantOf(pod) };
      events.event({ apiVersion: 'v1', kind: 'Pod', metadata }, 'Normal', 'Preempted', message);
    } catch (error) {
      if (!isFinal(error)) throw error;
    }
  }

  return {
    name: 'virtual-node',
    noun: 'nodes',
    filters: [
      volumeClaims,
      deviceClaims,
      nodeUnschedulable,
      taintToleration,
      nodeAffinity,
      nodePorts,
      nodeResources,
      extendedResources,
      topologySpread,
      interPodAffinity,
    ],
    scores: [
      preferredTaintToleration,
      preferredNodeAffinity,
      preferredTopologySpread,
      preferredInterPodAffinity,
      evenSpread,
    ],
    tenantOf,
    view(pod) {
      const view = viewOf(tenantOf(pod));
      return { view, targets: view.snapshot.targets };
    },
    assume(pod, target) {
      viewOf(tenantOf(pod)).snapshot.setPod(placedPodOf(pod, target.name));
    },
    forget(pod) {
      viewOf(tenantOf(pod)).snapshot.removePod(pod.metadata.uid);
    },
    anticipate(pod) {
      const { snapshot } = viewOf(tenantOf(pod));
      const priority = pod.spec.priority ?? 0;
      const before = [...nominations(tenantOf(pod)).values()].filter(
        (other) => other.uid !== pod.metadata.uid && other.priority >= priority && !snapshot.hasPod(other.uid),
      );
      for (const other of before) snapshot.setPod(other);
      return () => {
        for (const other of before) snapshot.removePod(other.uid);
      };
    },
    makeRoom(pod, total, targets, rejection) {
      const tenant = tenantOf(pod);
      const { snapshot } = viewOf(tenant);
      const priority = pod.spec.priority ?? 0;
      if (pod.spec.preemptionPolicy === 'Never')
        return { message: 'not eligible due to preemptionPolicy=Never.', isHopeless: false };
      const lowerOn = (target: NodeInfo) => snapshot.lowerOn(target.name, priority);
      const nominated = nominations(tenant).get(pod.metadata.uid)?.nodeName;
      const node = targets.find(({ name }) => name === nominated);
      if (node !== undefined && lowerOn(node).some(({ preempted }) => preempted))
        return { message: 'not eligible due to a terminating pod on the nominated node.', isHopeless: false };
      const choice = choosePreemption({
        targets,
        lowerOn,
        violating: (units) => violating(units, (namespace) => budgetsOf(tenant, namespace)),
        remove: ({ uid }) => snapshot.removePod(uid),
        restore: (unit) => snapshot.setPod(unit),
        rejection,
      });
      if (!('victims' in choice)) {
        forgetNomination(pod);
        return { message: preemptionMessage(total, choice.rejections), isHopeless: true };
      }
      nominate(tenant, placedPodOf(pod, choice.target.name));
      return { act: () => preempt(pod, choice.target, choice.victims) };
    },
    async bind(pod, target) {
      const { name, namespace, uid } = pod.metadata;
      await client.for(PODS, pod).createSubresource(name, 'binding', {
        apiVersion: 'v1',
        kind: 'Binding',
        metadata: { name, namespace, uid },
        target: { apiVersion: 'v1', kind: 'Node', name: target.name },
      });
    },
    reportPlaced(pod, target) {
      const { name, namespace } = pod.metadata;
      const message = `Successfully assigned ${namespace}/${name} to ${target.name}`;
      events.event(eventTarget(pod), 'Normal', 'Scheduled', message);
    },
    async reportUnschedulable(pod, message, noRoom) {
      const note = message.length <= longestNote ? message : `${message.slice(0, longestNote - 4)} ...`;
      events.event(eventTarget(pod), 'Warning', 'FailedScheduling', note);
      const isCleared = noRoom && Boolean(pod.status?.nominatedNodeName);
      const before = pod.status?.conditions?.find((condition) => condition.type === 'PodScheduled');
      const isKnown = before?.status === 'False' && before.reason === 'Unschedulable' && before.message === message;
      if (isKnown && !isCleared) return;
      const changed = before?.status === 'False' ? before.lastTransitionTime : undefined;
      const condition = {
        type: 'PodScheduled',
        ...observed(pod),
        status: 'False',
        reason: 'Unschedulable',
        message,
        lastTransitionTime: changed ?? formatTime(clock.now()),
      };
      const { name, uid } = pod.metadata;
      const status = { conditions: [condition], ...(isCleared && { nominatedNodeName: null }) };
      await client.for(PODS, pod).patch(name, 'strategic', { metadata: { uid }, status }, 'status');
    },
    isFinal,
  };
}

/** Upstream's longest note of an event. */
const longestNote = 1024;

/** Gone, or bound by somebody else: the watch tells the rest. */
const isFinal = (error: unknown) => isNotFound(error) || (error instanceof StatusError && error.code === 409);
