import type { PodSpec } from '../../api/generated/core-v1.ts';
import { quantityNumber } from '../../api/quantity.ts';

const builtIn = new Set(['cpu', 'memory', 'ephemeral-storage']);
const none: ReadonlyMap<string, number> = new Map();

/** What a pod asks for beside CPU, memory and storage. Nearly always nothing. */
export function extendedRequests(spec: PodSpec): ReadonlyMap<string, number> {
  let wanted: Map<string, number> | undefined;
  for (const container of spec.containers) {
    for (const [resource, quantity] of Object.entries(container.resources?.requests ?? {})) {
      if (builtIn.has(resource)) continue;
      const amount = quantityNumber(quantity);
      if (amount <= 0) continue;
      wanted ??= new Map();
      wanted.set(resource, (wanted.get(resource) ?? 0) + amount);
    }
  }
  return wanted ?? none;
}
