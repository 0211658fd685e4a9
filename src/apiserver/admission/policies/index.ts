import type { AdmissionPlugin } from '../admission.ts';
import { compileMutatingPolicy, compileValidatingPolicy } from './compiled-policy.ts';
import { MUTATING_POLICY_PLUGIN, mutateByPolicies } from './mutating.ts';
import { Policies, type PolicyOptions } from './policies.ts';
import { enforce } from './validating.ts';

export type { PolicyObserver } from './observer.ts';
export { policyParamsAccess } from './params-access.ts';
export type { PolicyOptions } from './policies.ts';

/** Source: ValidatingAdmissionPolicy upstream, KEP-3488. */
export function validatingPolicies(options: PolicyOptions): AdmissionPlugin {
  const names: [string, string] = ['validatingadmissionpolicies', 'validatingadmissionpolicybindings'];
  const policies = new Policies(options, names, compileValidatingPolicy);
  return {
    name: 'ValidatingAdmissionPolicy',
    handles: (request) => policies.concern(request),
    async validate(request) {
      const bound = await policies.ofTenant(request.tenant, request.pace);
      if (bound.length > 0) await enforce(options, bound, request);
    },
  };
}

/** Source: MutatingAdmissionPolicy upstream, KEP-3962. */
export function mutatingPolicies(options: PolicyOptions): AdmissionPlugin {
  const names: [string, string] = ['mutatingadmissionpolicies', 'mutatingadmissionpolicybindings'];
  const policies = new Policies(options, names, compileMutatingPolicy);
  return {
    name: MUTATING_POLICY_PLUGIN,
    handles: (request) => policies.concern(request),
    async admit(request) {
      const bound = await policies.ofTenant(request.tenant, request.pace);
      if (bound.length > 0) await mutateByPolicies(options, bound, request);
    },
  };
}
