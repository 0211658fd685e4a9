import type { NamespaceCondition } from '../../api/generated/core-v1.ts';
import { formatTime, type GroupVersionResource } from '../../api/object.ts';
import type { DiscoveryError } from '../common/aggregated-resources.ts';

export interface Remaining {
  resource: GroupVersionResource;
  count: number;
  /** Finalizer -> how many objects carry it. */
  finalizers: Map<string, number>;
}

const fine: Record<string, { reason: string; message: string }> = {
  NamespaceDeletionDiscoveryFailure: {
    reason: 'ResourcesDiscovered',
    message: 'All resources successfully discovered',
  },
  NamespaceDeletionGroupVersionParsingFailure: {
    reason: 'ParsedGroupVersions',
    message: 'All legacy kube types successfully parsed',
  },
  NamespaceDeletionContentFailure: {
    reason: 'ContentDeleted',
    message: 'All content successfully deleted, may be waiting on finalization',
  },
  NamespaceContentRemaining: { reason: 'ContentRemoved', message: 'All content successfully removed' },
  NamespaceFinalizersRemaining: {
    reason: 'ContentHasNoFinalizers',
    message: 'All content-preserving finalizers finished',
  },
};

/** The five conditions of a namespace on its way out; conditions that say the same as before keep their time. */
export function deletionConditions(
  current: NamespaceCondition[] | undefined,
  remaining: Remaining[],
  { failures, undiscovered }: { failures: string[]; undiscovered?: DiscoveryError | undefined },
  nowMs: number,
): NamespaceCondition[] {
  const bad: Record<string, { reason: string; message: string }> = {};
  if (undiscovered !== undefined) {
    bad['NamespaceDeletionDiscoveryFailure'] = {
      reason: 'DiscoveryFailed',
      message: `Discovery failed for some groups, ${undiscovered.failing} failing: ${undiscovered.message}`,
    };
  }
  if (failures.length > 0) {
    bad['NamespaceDeletionContentFailure'] = {
      reason: 'ContentDeletionFailed',
      message: `Failed to delete all resource types, ${failures.length} remaining: ${[...failures].sort().join(', ')}`,
    };
  }
  if (remaining.length > 0) {
    const parts = remaining.map(
      ({ resource, count }) => `${resource.resource}.${resource.group} has ${count} resource instances`,
    );
    bad['NamespaceContentRemaining'] = {
      reason: 'SomeResourcesRemain',
      message: `Some resources are remaining: ${parts.sort().join(', ')}`,
    };
  }
  const finalizers = new Map<string, number>();
  for (const each of remaining) {
    for (const [name, count] of each.finalizers) finalizers.set(name, (finalizers.get(name) ?? 0) + count);
  }
  if (finalizers.size > 0) {
    const parts = [...finalizers].map(([name, count]) => `${name} in ${count} resource instances`);
    bad['NamespaceFinalizersRemaining'] = {
      reason: 'SomeFinalizersRemain',
      message: `Some content in the namespace has finalizers remaining: ${parts.sort().join(', ')}`,
    };
  }
  const others = (current ?? []).filter((condition) => fine[condition.type] === undefined);
  const ours = Object.keys(fine).map((type) => {
    const status = bad[type] === undefined ? 'False' : 'True';
    const { reason, message } = bad[type] ?? fine[type]!;
    const before = current?.find((condition) => condition.type === type);
    const lastTransitionTime = before?.status === status ? before.lastTransitionTime : formatTime(nowMs);
    return { type, status, ...(lastTransitionTime !== undefined && { lastTransitionTime }), reason, message };
  });
  return [...others, ...ours];
}
