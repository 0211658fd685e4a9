import type { GroupResource } from '../object.ts';
import { claimEvaluator } from './claims.ts';
import { deviceClaimEvaluator } from './device-claims.ts';
import { objectCount, type QuotaEvaluator } from './evaluator.ts';
import { podEvaluator } from './pods.ts';
import { serviceEvaluator } from './services.ts';

/** By `group/resource`: what counts for more than being there. */
const evaluators: Record<string, QuotaEvaluator> = {
  '/pods': podEvaluator,
  '/services': serviceEvaluator,
  '/persistentvolumeclaims': claimEvaluator,
  'resource.k8s.io/resourceclaims': deviceClaimEvaluator,
};

/** Not stored, or never counted. */
const ignored = new Set([
  '/bindings',
  '/componentstatuses',
  'authentication.k8s.io/tokenreviews',
  'authentication.k8s.io/selfsubjectreviews',
  'authorization.k8s.io/subjectaccessreviews',
  'authorization.k8s.io/selfsubjectaccessreviews',
  'authorization.k8s.io/localsubjectaccessreviews',
  'authorization.k8s.io/selfsubjectrulesreviews',
  '/events',
  'events.k8s.io/events',
]);

/** Resources whose objects are looked at one by one; all others are only counted. */
export const isMeasured = ({ group, resource }: GroupResource): boolean => `${group}/${resource}` in evaluators;

/** undefined: quota does not care for it. */
export function evaluatorOf(resource: GroupResource): QuotaEvaluator | undefined {
  const key = `${resource.group}/${resource.resource}`;
  return ignored.has(key) ? undefined : (evaluators[key] ?? objectCount(resource));
}

export * from './charge.ts';
export * from './evaluator.ts';
export { endsCharging } from './pods.ts';
