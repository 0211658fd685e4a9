import type { PodSpec } from '../generated/core-v1.ts';
import { compareQuantities } from '../quantity.ts';

export type QosClass = 'Guaranteed' | 'Burstable' | 'BestEffort';

const counted = ['cpu', 'memory'];

/** Source: ComputePodQOS of pkg/apis/core/v1/helper/qos. */
export function qosClassOf(spec: Pick<PodSpec, 'containers' | 'initContainers' | 'resources'>): QosClass {
  let requestsAny = false;
  let isGuaranteed = true;
  // What is set for the pod as a whole counts alone.
  const holders = spec.resources ? [spec] : [...(spec.containers ?? []), ...(spec.initContainers ?? [])];
  for (const { resources } of holders) {
    for (const name of counted) {
      const request = resources?.requests?.[name];
      const limit = resources?.limits?.[name];
      const hasRequest = request !== undefined && compareQuantities(request, '0') > 0;
      const hasLimit = limit !== undefined && compareQuantities(limit, '0') > 0;
      if (hasRequest || hasLimit) requestsAny = true;
      if (!hasLimit || (hasRequest && compareQuantities(request, limit) !== 0)) isGuaranteed = false;
    }
  }
  return !requestsAny ? 'BestEffort' : isGuaranteed ? 'Guaranteed' : 'Burstable';
}
