import { runAtOnce, type Steps } from '../../base/steps.ts';
import type { KubeObject } from '../object.ts';
import type { ResourceDefinition } from '../resource-definition.ts';
import type { FieldError } from '../status.ts';
import { Findings } from './findings.ts';
import {
  finalizerChecks,
  metadataChecks,
  metadataUpdateChecks,
  mutableMetadataChecks,
  standardFinalizerChecks,
} from './metadata.ts';
import { validateRequired } from './required.ts';

/** Kinds whose own validation covers every required field; the others are also held to their schema. */
const covered = new Set([
  'apiextensions.k8s.io/customresourcedefinitions',
  '/pods',
  '/events',
  '/limitranges',
  '/resourcequotas',
  '/nodes',
  '/persistentvolumes',
  'discovery.k8s.io/endpointslices',
  'flowcontrol.apiserver.k8s.io/flowschemas',
  'flowcontrol.apiserver.k8s.io/prioritylevelconfigurations',
  'networking.k8s.io/ipaddresses',
  'networking.k8s.io/servicecidrs',
  'node.k8s.io/runtimeclasses',
  'apps/daemonsets',
  'apps/deployments',
  'apps/replicasets',
  'apps/statefulsets',
  '/podtemplates',
  '/replicationcontrollers',
  'batch/jobs',
  'batch/cronjobs',
  'autoscaling/horizontalpodautoscalers',
  'networking.k8s.io/ingresses',
  'resource.k8s.io/deviceclasses',
  'resource.k8s.io/resourceclaims',
  'resource.k8s.io/resourceclaimtemplates',
  'resource.k8s.io/resourceslices',
  'storage.k8s.io/csidrivers',
  'storage.k8s.io/csinodes',
  'storage.k8s.io/csistoragecapacities',
  'storage.k8s.io/storageclasses',
  'storage.k8s.io/volumeattachments',
  'storage.k8s.io/volumeattributesclasses',
]);

/**
 * Everything that is wrong with an object about to be created, defaults applied: metadata, the kind's own rules,
 * required fields. Field paths and messages are upstream's; `invalid()` of status.ts turns them into the 422.
 */
export function* objectChecks(
  definition: ResourceDefinition,
  object: KubeObject,
  view?: ResourceDefinition,
): Steps<FieldError[]> {
  const { strategy } = definition;
  const findings = new Findings();
  if (strategy.metadataLast !== true) yield* metadataChecks(definition, object.metadata, findings);
  yield;
  const own = yield* strategy.checks?.create(object, findings.list) ?? done(strategy.validateCreate?.(object, view));
  if (strategy.metadataLast === true && own.length === 0)
    yield* metadataChecks(common(definition), object.metadata, findings);
  yield;
  requireFields(definition, object, findings, own);
  return findings.list;
}

export const validateObject = (definition: ResourceDefinition, object: KubeObject, view?: ResourceDefinition) =>
  runAtOnce(objectChecks(definition, object, view));

/** The same for an update; `old` is what is stored. */
export function* objectUpdateChecks(
  definition: ResourceDefinition,
  object: KubeObject,
  old: KubeObject,
  view?: ResourceDefinition,
): Steps<FieldError[]> {
  const { strategy } = definition;
  const findings = yield* updateFindings(definition, object, old);
  yield;
  const own = yield* strategy.checks?.update(object, old, findings.list) ??
    done(strategy.validateUpdate?.(object, old, view));
  yield;
  requireFields(definition, object, findings, own);
  return findings.list;
}

export const validateObjectUpdate = (
  definition: ResourceDefinition,
  object: KubeObject,
  old: KubeObject,
  view?: ResourceDefinition,
) => runAtOnce(objectUpdateChecks(definition, object, old, view));

/** For writes of the status subresource: metadata, and what the kind says of its status. */
export function* objectStatusUpdateChecks(
  definition: ResourceDefinition,
  object: KubeObject,
  old: KubeObject,
): Steps<FieldError[]> {
  const { strategy } = definition;
  const findings = yield* updateFindings(definition, object, old, 'status');
  yield;
  const own = yield* strategy.checks?.statusUpdate(object, old, findings.list) ??
    done(strategy.validateStatusUpdate?.(object, old));
  for (const finding of own) findings.list.push(finding);
  return findings.list;
}

export const validateObjectStatusUpdate = (definition: ResourceDefinition, object: KubeObject, old: KubeObject) =>
  runAtOnce(objectStatusUpdateChecks(definition, object, old));

type OwnLook = 'nothing' | 'mutable' | 'all';

/** Kinds whose own validation looks at less of metadata than `all`. Source: ValidateUpdate of their strategies. */
const ownOnUpdate: Record<string, OwnLook> = {
  'policy/poddisruptionbudgets': 'nothing',
  'storage.k8s.io/volumeattachments': 'mutable',
};
const ownOnStatusUpdate: Record<string, OwnLook> = {
  ...ownOnUpdate,
  'admissionregistration.k8s.io/validatingadmissionpolicies': 'nothing',
  'batch/cronjobs': 'nothing',
};

/** How much of metadata a kind's own validation looks at again, when it or a subresource of it is updated. */
export function ownLookAtMetadata({ group, resource }: ResourceDefinition, subresource?: string): OwnLook {
  return (subresource === 'status' ? ownOnStatusUpdate : ownOnUpdate)[`${group}/${resource}`] ?? 'all';
}

/**
 * Upstream looks at what may change first, then at that and at what may not, and again at both for each kind's own sake:
 * so often each finding is told, in this order. Finalizers are looked at once, as those of new objects are.
 */
function* updateFindings(
  definition: ResourceDefinition,
  object: KubeObject,
  old: KubeObject,
  subresource?: 'status',
): Steps<Findings> {
  const [mutable, finalizers, all, standard] = [new Findings(), new Findings(), new Findings(), new Findings()];
  yield* mutableMetadataChecks(object.metadata, mutable);
  yield* finalizerChecks(object.metadata, finalizers);
  yield* metadataUpdateChecks(object.metadata, old.metadata, all);
  if (subresource === undefined) yield* standardFinalizerChecks(definition, object.metadata, standard);
  const ofKind = { nothing: [], mutable: [mutable], all: [all] }[ownLookAtMetadata(definition, subresource)];
  const findings = new Findings();
  for (const part of [mutable, finalizers, all, ...ofKind, standard]) {
    for (const finding of part.list) findings.list.push(finding);
  }
  return findings;
}

/** What is asked of objects of any group. */
const common = ({ namespaced, strategy }: ResourceDefinition) => ({ namespaced, strategy });

/** What cannot be cut. */
// biome-ignore lint/correctness/useYield: it is a part of steps, and one itself.
function* done(findings: FieldError[] | undefined): Steps<FieldError[]> {
  return findings ?? [];
}

function requireFields(
  definition: ResourceDefinition,
  object: KubeObject,
  findings: Findings,
  own: FieldError[],
): void {
  // There may be hundreds of thousands, which are no arguments of a call.
  for (const finding of own) findings.list.push(finding);
  if (covered.has(`${definition.group}/${definition.resource}`)) return;
  validateRequired(definition.schema, object, findings);
}
