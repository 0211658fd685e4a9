import { Environment } from '@marcbachmann/cel-js';
import { registerAddresses } from './addresses.ts';
import { registerCollections } from './collections.ts';
import { registerQuantities } from './quantities.ts';
import { registerStrings } from './strings.ts';

/** The language with Kubernetes' libraries. Source: k8s.io/apiserver/pkg/cel/library. */
function base(): Environment {
  const environment = new Environment({ enableOptionalTypes: true, homogeneousAggregateLiterals: false });
  registerStrings(environment);
  registerCollections(environment);
  registerQuantities(environment);
  registerAddresses(environment);
  return environment;
}

let shared: Environment | undefined;

/** What x-kubernetes-validations know besides: self and oldSelf. Built when the first rule is. */
export function ruleEnvironment(): Environment {
  shared ??= base().registerVariable('self', 'dyn').registerVariable('oldSelf', 'dyn');
  return shared;
}
