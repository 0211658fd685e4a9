import { storedForms } from '../conversion/index.ts';
import { schemaOfKind } from '../generated-schema.ts';
import type {
  ColumnDefinition,
  ResourceDefinition,
  ResourceStrategy,
  SubresourceDefinition,
} from '../resource-definition.ts';
import type { TypeSchema } from '../schema.ts';
import { withoutDisabledFields } from '../strategies/disabled-fields.ts';
import { emptyStatusOf } from '../strategies/empty-status.ts';
import { columnsOf } from './columns/index.ts';
import type { ResourceFacts } from './facts.ts';
import { selectableFields } from './selectable-fields.ts';

/** Resources whose metadata.generation counts changes; source: the strategies in Kubernetes' pkg/registry. */
const withGeneration = new Set([
  '/pods',
  '/podtemplates',
  '/replicationcontrollers',
  'admissionregistration.k8s.io/mutatingadmissionpolicies',
  'admissionregistration.k8s.io/mutatingadmissionpolicybindings',
  'admissionregistration.k8s.io/mutatingwebhookconfigurations',
  'admissionregistration.k8s.io/validatingadmissionpolicies',
  'admissionregistration.k8s.io/validatingadmissionpolicybindings',
  'admissionregistration.k8s.io/validatingwebhookconfigurations',
  'apiextensions.k8s.io/customresourcedefinitions',
  'apps/daemonsets',
  'apps/deployments',
  'apps/replicasets',
  'apps/statefulsets',
  'batch/cronjobs',
  'batch/jobs',
  'discovery.k8s.io/endpointslices',
  'flowcontrol.apiserver.k8s.io/flowschemas',
  'flowcontrol.apiserver.k8s.io/prioritylevelconfigurations',
  'networking.k8s.io/ingressclasses',
  'networking.k8s.io/ingresses',
  'networking.k8s.io/networkpolicies',
  'policy/poddisruptionbudgets',
  'resource.k8s.io/deviceclasses',
  'resource.k8s.io/resourceslices',
  'scheduling.k8s.io/priorityclasses',
  'pool.skypod.io/containerinstances',
  'pool.skypod.io/hosts',
  'network.skypod.io/vpcservices',
  'tenancy.skypod.io/tenants',
]);

/** Said to whoever uses them in any way. */
const deprecations: Record<string, string> = {
  '/endpoints': 'v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice',
  '/componentstatuses': 'v1 ComponentStatus is deprecated in v1.19+',
};

const replicasScale = {
  specReplicasPath: '.spec.replicas',
  statusReplicasPath: '.status.replicas',
  labelSelectorPath: '.spec.selector',
};

export interface Behaviour {
  strategy?: ResourceStrategy;
  columns?: ColumnDefinition[];
  /** Hand-written resources bring theirs; the built-in ones are looked up by kind. */
  schema?: TypeSchema;
}

export function defineResource(facts: ResourceFacts, behaviour: Behaviour = {}): ResourceDefinition {
  const key = `${facts.group}/${facts.resource}`;
  const schema = behaviour.schema ?? schemaOfKind(facts.group, facts.version, facts.kind);
  if (schema === undefined) throw new Error(`no schema for ${facts.group}/${facts.version} ${facts.kind}`);
  const storedAs = storedForms[`${facts.group}/${facts.version}/${facts.resource}`];
  const deprecated = deprecations[key];
  return {
    ...facts,
    listKind: `${facts.kind}List`,
    schema,
    subresources: facts.subresources.map(
      (subresource): SubresourceDefinition =>
        subresource.name === 'scale' ? { ...subresource, scale: replicasScale } : subresource,
    ),
    columns: behaviour.columns ?? columnsOf(facts.group, facts.resource),
    selectableFields: selectableFields[key] ?? {},
    hasGeneration: withGeneration.has(key),
    strategy: withEmptyStatus(withoutDisabledFields(key, behaviour.strategy ?? {}), schema),
    ...(storedAs !== undefined && { storedAs }),
    ...(deprecated !== undefined && { deprecationWarning: deprecated }),
  };
}

/** Clients bring no status, and an object without one is not how Kubernetes writes it. */
function withEmptyStatus(strategy: ResourceStrategy, schema: TypeSchema): ResourceStrategy {
  const emptyStatus = emptyStatusOf(schema);
  if (emptyStatus === undefined) return strategy;
  return {
    ...strategy,
    prepareForCreate(object) {
      object['status'] ??= emptyStatus();
      strategy.prepareForCreate?.(object);
    },
  };
}
