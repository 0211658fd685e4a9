import type { Pod } from '../../api/generated/core-v1.ts';
import type { LabelSelector } from '../../api/generated/meta-v1.ts';
import type { FilterPlugin, ScorePlugin } from '../framework/plugin.ts';
import type { NodeInfo, TenantSnapshot } from '../snapshot/tenant-snapshot.ts';

/** What filters and scores for pods may look at. */
export interface PodView {
  snapshot: TenantSnapshot;
  /** Names of the tenant's namespaces whose labels match. */
  namespacesMatching(selector: LabelSelector): string[];
  /** `bound`, `unbound`, or undefined when there is no such claim. */
  claimState(namespace: string, name: string): 'bound' | 'unbound' | 'deleting' | undefined;
  /** The same of a ResourceClaim. */
  deviceClaimState(namespace: string, name: string): 'allocated' | 'unallocated' | 'deleting' | undefined;
}

export type PodFilter = FilterPlugin<Pod, NodeInfo, PodView>;
export type PodScore = ScorePlugin<Pod, NodeInfo, PodView>;
export type { Pod };
