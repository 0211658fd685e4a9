import type { Node, Pod } from '../../api/generated/core-v1.ts';
import { formatTime } from '../../api/object.ts';
import { NODES, PODS } from '../../api/resources.ts';
import { isNotFound } from '../../api/status.ts';
import { ALL_TENANTS } from '../../client/client.ts';
import type { Controller, ControllerQueue } from '../../client/controller.ts';
import { keyOf, type ObjectKey } from '../../client/informer.ts';
import type { ControllerDependencies } from '../common/dependencies.ts';
import { isPodTerminal } from '../common/pod-state.ts';
import { byNode, nodeKeyOf } from '../common/pods-by-node.ts';
import { noExecuteTaints, toleratedMs } from './due.ts';

const component = 'taint-eviction-controller';

/** Deletes pods from nodes whose NoExecute taints they do not tolerate, or no longer do. */
export function createTaintEvictionController(dependencies: ControllerDependencies): Controller {
  const { informers, client } = dependencies;
  const pods = informers.informer<Pod>(PODS, { tenant: ALL_TENANTS, indexes: byNode });
  const nodes = informers.informer<Node>(NODES, { tenant: ALL_TENANTS });
  const recorder = dependencies.recorder(component);
  /** Pods that stay only for a while, since when. */
  const waiting = new Map<ObjectKey, { uid: string; sinceMs: number }>();

  const event = (pod: Pod, what: string) =>
    recorder.event(
      { apiVersion: 'v1', kind: 'Pod', metadata: pod.metadata },
      'Normal',
      'TaintManagerEviction',
      `${what} Pod ${pod.metadata.namespace}/${pod.metadata.name}`,
    );

  function forget(key: ObjectKey, pod: Pod | undefined): void {
    if (waiting.delete(key) && pod !== undefined) event(pod, 'Cancelling deletion of');
  }

  async function evict(pod: Pod, nowMs: number): Promise<void> {
    event(pod, 'Marking for deletion');
    const podClient = client.for(PODS, pod);
    const { name, uid, generation } = pod.metadata;
    const condition = {
      type: 'DisruptionTarget',
      status: 'True',
      lastTransitionTime: formatTime(nowMs),
      reason: 'DeletionByTaintManager',
      message: 'Taint manager: deleting due to NoExecute taint',
      ...(generation !== undefined && { observedGeneration: generation }),
    };
    try {
      await podClient.patch(name, 'strategic', { metadata: { uid }, status: { conditions: [condition] } }, 'status');
      await podClient.delete(name, { preconditions: { uid } });
    } catch (error) {
      if (!isNotFound(error)) throw error;
    }
  }

  return {
    name: component,
    workers: 8,
    watches: [
      {
        informer: pods,
        handlers: (queue) => {
          const look = (pod: Pod) => {
            if (waiting.has(keyOf(pod)) || noExecuteTaints(nodes.get(nodeKeyOf(pod))).length > 0) queue.add(keyOf(pod));
          };
          return {
            added: look,
            updated: (before: Pod, pod: Pod) => {
              const isSame =
                before.spec.nodeName === pod.spec.nodeName && before.spec.tolerations === pod.spec.tolerations;
              if (!isSame) look(pod);
            },
            deleted: (pod: Pod) => void waiting.delete(keyOf(pod)),
          };
        },
      },
      {
        informer: nodes,
        handlers: (queue) => {
          const enqueue = (node: Node, to: ControllerQueue) => {
            for (const pod of pods.byIndex('node', keyOf(node))) to.add(keyOf(pod));
          };
          return {
            added: (node: Node) => {
              if (noExecuteTaints(node).length > 0) enqueue(node, queue);
            },
            updated: (before: Node, node: Node) => {
              if (noExecuteTaints(before).length + noExecuteTaints(node).length > 0) enqueue(node, queue);
            },
          };
        },
      },
    ],
    async reconcile(key, tools) {
      const pod = pods.get(key);
      if (pod === undefined || pod.metadata.deletionTimestamp !== undefined || isPodTerminal(pod)) {
        waiting.delete(key);
        return;
      }
      const taints = noExecuteTaints(nodes.get(nodeKeyOf(pod)));
      const stayMs = taints.length === 0 ? Infinity : toleratedMs(pod, taints);
      if (stayMs === Infinity) return forget(key, pod);
      const nowMs = tools.now();
      const { uid } = pod.metadata;
      let wait = waiting.get(key);
      if (wait?.uid !== uid) waiting.set(key, (wait = { uid, sinceMs: nowMs }));
      const leftMs = wait.sinceMs + stayMs - nowMs;
      if (leftMs > 0) {
        tools.queue.addAfter(key, leftMs);
        return;
      }
      await evict(pod, nowMs);
      waiting.delete(key);
    },
  };
}
