import type { Node } from '../../api/generated/core-v1.ts';
import { NODES } from '../../api/resources.ts';
import { isNotFound } from '../../api/status.ts';
import type { Client } from '../../client/client.ts';
import type { Controller } from '../../client/controller.ts';
import { type Informer, keyOf } from '../../client/informer.ts';

const isExtended = (name: string): boolean =>
  name.includes('/') && !name.includes('kubernetes.io/') && !name.startsWith('requests.');

/**
 * What allocatable lacks, or has too much (null), of the resources that a tenant said its node has. Source: the kubelet's
 * MachineInfo (pkg/kubelet/nodestatus/setters.go), and "Advertise Extended Resources for a Node".
 */
export function extendedResourceChanges({ status = {} }: Node): Record<string, string | null> | undefined {
  const { capacity = {}, allocatable = {} } = status;
  const changes: Record<string, string | null> = {};
  for (const [name, quantity] of Object.entries(capacity)) {
    if (isExtended(name) && allocatable[name] !== quantity) changes[name] = quantity;
  }
  for (const name of Object.keys(allocatable)) if (isExtended(name) && !(name in capacity)) changes[name] = null;
  return Object.keys(changes).length > 0 ? changes : undefined;
}

/** A virtual node gives all that its tenant says it has. */
export function extendedResources(
  nodes: Informer<Node>,
  client: Client,
  zonesByNode: ReadonlyMap<string, string>,
): Controller {
  return {
    name: 'virtual-node-resources',
    workers: 2,
    watches: [
      {
        informer: nodes,
        handlers: (queue) => {
          const look = (node: Node) => {
            if (zonesByNode.has(node.metadata.name) && extendedResourceChanges(node)) queue.add(keyOf(node));
          };
          return { added: look, updated: (_: Node, after: Node) => look(after) };
        },
      },
    ],
    async reconcile(key) {
      const node = nodes.get(key);
      const allocatable = node && extendedResourceChanges(node);
      if (allocatable === undefined) return;
      const { name, uid, resourceVersion } = node!.metadata;
      const patch = { metadata: { uid, resourceVersion }, status: { allocatable } };
      try {
        await client.for(NODES, node!).patch(name, 'merge', patch, 'status');
      } catch (error) {
        if (!isNotFound(error)) throw error;
      }
    },
  };
}
