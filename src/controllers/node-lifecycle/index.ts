import type { Node } from '../../api/generated/core-v1.ts';
import { formatTime } from '../../api/object.ts';
import { NODES } from '../../api/resources.ts';
import { isNotFound } from '../../api/status.ts';
import { ALL_TENANTS } from '../../client/client.ts';
import type { Controller } from '../../client/controller.ts';
import { keyOf } from '../../client/informer.ts';
import type { ControllerDependencies } from '../common/dependencies.ts';
import { taintsFor } from './taints.ts';

/**
 * Nodes that are cordoned, or whose conditions say so, carry taints that keep new pods away. Whether a node answers is
 * not this controller's affair: no machine stands behind a tenant's nodes.
 */
export function createNodeLifecycleController({ informers, client, clock }: ControllerDependencies): Controller {
  const nodes = informers.informer<Node>(NODES, { tenant: ALL_TENANTS });
  return {
    name: 'node-lifecycle-controller',
    workers: 4,
    watches: [
      {
        informer: nodes,
        handlers: (queue) => {
          const look = (node: Node) => {
            if (taintsFor(node, '') !== undefined) queue.add(keyOf(node));
          };
          return { added: look, updated: (_: Node, after: Node) => look(after) };
        },
      },
    ],
    async reconcile(key) {
      const node = nodes.get(key);
      const taints = node && taintsFor(node, formatTime(clock.now()));
      if (node === undefined || taints === undefined) return;
      const { name, uid, resourceVersion } = node.metadata;
      const spec = { taints: taints.length === 0 ? null : taints };
      try {
        await client.for(NODES, node).patch(name, 'merge', { metadata: { uid, resourceVersion }, spec });
      } catch (error) {
        if (!isNotFound(error)) throw error;
      }
    },
  };
}
