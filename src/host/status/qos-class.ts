import type { PodSpec } from '../../api/generated/core-v1.ts';
import { quantity } from '../quantities.ts';

const compute = ['cpu', 'memory'] as const;

/** Guaranteed: every container has cpu and memory limits equal to its requests; BestEffort: none has either. */
export function qosClassOf(pod: PodSpec): 'Guaranteed' | 'Burstable' | 'BestEffort' {
  const podLevel = pod.resources?.requests ?? pod.resources?.limits;
  const holders =
    podLevel === undefined ? [...pod.containers, ...(pod.initContainers ?? [])] : [{ resources: pod.resources }];
  let any = false;
  let guaranteed = true;
  for (const { resources } of holders) {
    for (const name of compute) {
      const limit = quantity(resources?.limits?.[name]);
      const request = quantity(resources?.requests?.[name] ?? resources?.limits?.[name]);
      if (limit > 0 || request > 0) any = true;
      if (limit === 0 || limit !== request) guaranteed = false;
    }
  }
  if (!any) return 'BestEffort';
  return guaranteed ? 'Guaranteed' : 'Burstable';
}
