import type { ContainerStatus, Pod } from '../../api/generated/core-v1.ts';
import type { ContainerTerminations } from '../../api/metrics.ts';

/** Of these many tenants' nodes counts are kept, the oldest forgotten first: counters may begin anew at any time. */
const mostNodes = 10_000;

const lists = [
  ['containerStatuses', 'container'],
  ['initContainerStatuses', 'init_container'],
  ['ephemeralContainerStatuses', 'ephemeral_container'],
] as const;

/** Counts the containers that end, by node. Source: the kubelet's pkg/kubelet/status. */
export class TerminationCounts {
  readonly #byNode = new Map<string, Map<string, ContainerTerminations>>();

  /** What a pod's status said, and what it says now. */
  observe(before: Pod, after: Pod): void {
    if (before.status === after.status || before.metadata.uid !== after.metadata.uid) return;
    for (const [field, type] of lists) {
      for (const status of after.status?.[field] ?? []) {
        const ended = status.state?.terminated;
        if (ended === undefined || isEnded(before.status?.[field], status.name)) continue;
        this.#count(after, type, ended.exitCode, ended.reason ?? '');
      }
    }
  }

  of(tenant: string, nodeName: string): ContainerTerminations[] {
    return [...(this.#byNode.get(`${tenant}/${nodeName}`)?.values() ?? [])];
  }

  #count(pod: Pod, type: ContainerTerminations['type'], exitCode: number, reason: string): void {
    const node = `${pod.metadata.clusterName}/${pod.spec.nodeName}`;
    let counts = this.#byNode.get(node);
    if (counts === undefined) {
      if (this.#byNode.size >= mostNodes) this.#byNode.delete(this.#byNode.keys().next().value!);
      this.#byNode.set(node, (counts = new Map()));
    }
    const key = `${type} ${exitCode} ${reason}`;
    const known = counts.get(key);
    if (known === undefined) counts.set(key, { type, exitCode, reason, count: 1 });
    else known.count++;
  }
}

const isEnded = (statuses: ContainerStatus[] | undefined, name: string): boolean =>
  statuses?.find((status) => status.name === name)?.state?.terminated !== undefined;
