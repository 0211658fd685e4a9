import type { PodSpec } from '../../api/generated/core-v1.ts';
import { podResourceList } from '../../api/pods/pod-resource-lists.ts';
import { quantityNumber } from '../../api/quantity.ts';

const builtIn = new Set(['cpu', 'memory', 'ephemeral-storage']);
const none: ReadonlyMap<string, number> = new Map();

/** What a pod asks for beside CPU, memory and storage, its overhead among it. Nearly always nothing. */
export function extendedRequests(spec: PodSpec): ReadonlyMap<string, number> {
  if (!namesMore(spec)) return none;
  const wanted = new Map<string, number>();
  for (const [resource, quantity] of Object.entries(
    podResourceList({ spec }, 'requests', { podLevelHugePages: true }),
  )) {
    if (builtIn.has(resource)) continue;
    const amount = quantityNumber(quantity);
    if (amount > 0) wanted.set(resource, amount);
  }
  return wanted;
}

function namesMore({ containers, initContainers = [], resources, overhead }: PodSpec): boolean {
  if (holdsMore(overhead) || holdsMore(resources?.requests)) return true;
  const asks = (container: PodSpec['containers'][number]) => holdsMore(container.resources?.requests);
  return containers.some(asks) || initContainers.some(asks);
}

function holdsMore(list: Readonly<Record<string, string>> | undefined): boolean {
  for (const name in list) if (!builtIn.has(name)) return true;
  return false;
}
