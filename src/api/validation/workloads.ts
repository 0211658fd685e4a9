import type { Steps } from '../../base/steps.ts';
import { semanticEqual } from '../equality.ts';
import type { DaemonSet, Deployment, ReplicaSet, StatefulSet } from '../generated/apps-v1.ts';
import type { PodTemplateSpec, ReplicationController } from '../generated/core-v1.ts';
import type { LabelSelector } from '../generated/meta-v1.ts';
import { isDns1123Label, isPercent } from '../names.ts';
import { type Selector, selectorFromLabelSelector, selectorFromLabels } from '../selectors/label-selectors.ts';
import type { Findings } from './findings.ts';
import { goSelector, goValueOf } from './go-value.ts';
import { validateImmutable, validateLabelSelector } from './metadata.ts';
import { validatePodTemplate } from './pods/spec.ts';
import { validateClaimSpec } from './volumes/storage.ts';

const apps = 'io.k8s.api.apps.v1';

/** Source: pkg/apis/apps/validation. Every workload selects the pods of its own template. */
function validateSelector(
  selector: LabelSelector | undefined | null,
  workload: string,
  findings: Findings,
): Selector | undefined {
  if (selector === undefined || selector === null) findings.required('spec.selector');
  else {
    validateLabelSelector(selector, 'spec.selector', findings);
    if (!Object.keys(selector.matchLabels ?? {}).length && !selector.matchExpressions?.length) {
      findings.invalid('spec.selector', {}, `empty selector is invalid for ${workload}`);
    }
  }
  try {
    return selectorFromLabelSelector(selector);
  } catch {
    findings.invalid(
      'spec.selector',
      goSelector(selector!),
      workload === 'statefulset' ? '' : 'invalid label selector',
    );
    return undefined;
  }
}

function* validateTemplate(
  template: PodTemplateSpec,
  selector: Selector,
  workload: string,
  findings: Findings,
): Steps<void> {
  const selectsAll = selector.requirements.length === 0 && !selector.nothing;
  if (!selectsAll && !selector.matches(template.metadata?.labels)) {
    findings.invalid(
      'spec.template.metadata.labels',
      template.metadata?.labels,
      '`selector` does not match template `labels`',
    );
  }
  yield* validatePodTemplate(template, 'spec.template', findings);
  validateRunsForever(template, workload, findings);
}

function validateRunsForever(template: PodTemplateSpec, workload: string, findings: Findings): void {
  const { restartPolicy, activeDeadlineSeconds } = template.spec;
  if (restartPolicy !== 'Always') {
    findings.notSupported('spec.template.spec.restartPolicy', restartPolicy ?? '', ['Always']);
  }
  if (activeDeadlineSeconds !== undefined) {
    findings.forbidden(
      'spec.template.spec.activeDeadlineSeconds',
      `activeDeadlineSeconds in ${workload} is not Supported`,
    );
  }
}

export function* validateDeployment({ spec }: Deployment, findings: Findings): Steps<void> {
  findings.nonnegative(spec.replicas, 'spec.replicas');
  const selector = validateSelector(spec.selector, 'deployment', findings);
  if (selector !== undefined) yield* validateTemplate(spec.template, selector, 'ReplicaSet', findings);
  validateStrategy(spec.strategy ?? {}, findings);
  findings.nonnegative(spec.minReadySeconds, 'spec.minReadySeconds');
  findings.nonnegative(spec.revisionHistoryLimit, 'spec.revisionHistoryLimit');
  findings.nonnegative(spec.progressDeadlineSeconds, 'spec.progressDeadlineSeconds');
  if (spec.progressDeadlineSeconds !== undefined && spec.progressDeadlineSeconds <= (spec.minReadySeconds ?? 0)) {
    findings.invalid(
      'spec.progressDeadlineSeconds',
      spec.progressDeadlineSeconds,
      'must be greater than minReadySeconds',
    );
  }
}

export function* validateDeploymentUpdate(deployment: Deployment, old: Deployment, findings: Findings): Steps<void> {
  yield* validateDeployment(deployment, findings);
  validateImmutable(deployment.spec.selector, old.spec.selector, 'spec.selector', findings);
}

function validateStrategy(strategy: NonNullable<Deployment['spec']['strategy']>, findings: Findings): void {
  const path = 'spec.strategy.rollingUpdate';
  const { type, rollingUpdate } = strategy;
  if (type === 'Recreate') {
    if (rollingUpdate !== undefined) {
      findings.forbidden(path, "may not be specified when strategy `type` is 'Recreate'");
    }
  } else if (type === 'RollingUpdate') {
    if (rollingUpdate === undefined) {
      findings.required(path, 'this should be defaulted and never be nil');
      return;
    }
    validateIntOrPercent(rollingUpdate.maxUnavailable, `${path}.maxUnavailable`, findings);
    validateIntOrPercent(rollingUpdate.maxSurge, `${path}.maxSurge`, findings);
    if (amountOf(rollingUpdate.maxUnavailable) === 0 && amountOf(rollingUpdate.maxSurge) === 0) {
      findings.invalid(`${path}.maxUnavailable`, rollingUpdate.maxUnavailable, 'may not be 0 when `maxSurge` is 0');
    }
    validateAtMostAll(rollingUpdate.maxUnavailable, `${path}.maxUnavailable`, findings);
  } else {
    findings.notSupported('spec.strategy', goValueOf(`${apps}.DeploymentStrategy`, strategy), [
      'Recreate',
      'RollingUpdate',
    ]);
  }
}

export function validateIntOrPercent(value: number | string | undefined, path: string, findings: Findings): void {
  if (typeof value === 'string') findings.invalidEach(path, value, isPercent(value));
  else findings.nonnegative(value, path);
}

const percentOf = (value: number | string | undefined): number | undefined =>
  typeof value === 'string' && /^\d+%$/.test(value) ? Number(value.slice(0, -1)) : undefined;
const amountOf = (value: number | string | undefined): number =>
  percentOf(value) ?? (typeof value === 'number' ? value : 0);

export function validateAtMostAll(value: number | string | undefined, path: string, findings: Findings): void {
  if ((percentOf(value) ?? 0) > 100) findings.invalid(path, value, 'must not be greater than 100%');
}

export function* validateReplicaSet({ spec }: ReplicaSet, findings: Findings): Steps<void> {
  findings.nonnegative(spec.replicas, 'spec.replicas');
  findings.nonnegative(spec.minReadySeconds, 'spec.minReadySeconds');
  const selector = validateSelector(spec.selector, 'deployment', findings);
  if (selector !== undefined) yield* validateTemplate(spec.template!, selector, 'ReplicaSet', findings);
}

export function* validateReplicaSetUpdate(replicaSet: ReplicaSet, old: ReplicaSet, findings: Findings): Steps<void> {
  yield* validateReplicaSet(replicaSet, findings);
  validateImmutable(replicaSet.spec.selector, old.spec.selector, 'spec.selector', findings);
}

export function* validateReplicationController({ spec }: ReplicationController, findings: Findings): Steps<void> {
  findings.nonnegative(spec.minReadySeconds, 'spec.minReadySeconds');
  if (!Object.keys(spec.selector ?? {}).length) findings.required('spec.selector');
  findings.nonnegative(spec.replicas, 'spec.replicas');
  if (spec.template === undefined) {
    findings.required('spec.template');
    return;
  }
  yield* validateTemplate(spec.template, selectorFromLabels(spec.selector), 'ReplicationController', findings);
}

export function* validateDaemonSet({ spec }: DaemonSet, findings: Findings): Steps<void> {
  validateLabelSelector(spec.selector, 'spec.selector', findings);
  const selector = spec.selector ?? undefined;
  if (selector === undefined) {
    // What selects nothing matches no labels either.
    findings.invalid(
      'spec.template.metadata.labels',
      spec.template.metadata?.labels,
      '`selector` does not match template `labels`',
    );
  } else {
    const isEmpty = !Object.keys(selector.matchLabels ?? {}).length && !selector.matchExpressions?.length;
    if (isEmpty) findings.invalid('spec.selector', {}, 'empty selector is invalid for daemonset');
    try {
      if (!isEmpty && !selectorFromLabelSelector(selector).matches(spec.template.metadata?.labels)) {
        findings.invalid(
          'spec.template.metadata.labels',
          spec.template.metadata?.labels,
          '`selector` does not match template `labels`',
        );
      }
    } catch {
      // Said by validateLabelSelector.
    }
  }
  yield* validatePodTemplate(spec.template, 'spec.template', findings);
  validateRunsForever(spec.template, 'DaemonSet', findings);
  findings.nonnegative(spec.minReadySeconds, 'spec.minReadySeconds');
  findings.nonnegative(spec.revisionHistoryLimit, 'spec.revisionHistoryLimit');
  const { type, rollingUpdate } = spec.updateStrategy ?? {};
  if (type === 'RollingUpdate') {
    const path = 'spec.updateStrategy.rollingUpdate';
    if (rollingUpdate === undefined) {
      findings.required(path);
      return;
    }
    validateIntOrPercent(rollingUpdate.maxUnavailable, `${path}.maxUnavailable`, findings);
    validateIntOrPercent(rollingUpdate.maxSurge, `${path}.maxSurge`, findings);
    if (amountOf(rollingUpdate.maxUnavailable) === 0 && amountOf(rollingUpdate.maxSurge) === 0) {
      findings.required(`${path}.maxUnavailable`, 'cannot be 0 when maxSurge is 0');
    }
    if (amountOf(rollingUpdate.maxUnavailable) !== 0 && amountOf(rollingUpdate.maxSurge) !== 0) {
      findings.invalid(`${path}.maxSurge`, rollingUpdate.maxSurge, 'may not be set when maxUnavailable is non-zero');
    }
    validateAtMostAll(rollingUpdate.maxUnavailable, `${path}.maxUnavailable`, findings);
  } else if (type !== 'OnDelete') {
    const shown = goValueOf(`${apps}.DaemonSetUpdateStrategy`, spec.updateStrategy ?? {});
    findings.notSupported('spec.updateStrategy', shown, ['RollingUpdate', 'OnDelete']);
  }
}

export function* validateDaemonSetUpdate(daemonSet: DaemonSet, old: DaemonSet, findings: Findings): Steps<void> {
  validateImmutable(daemonSet.spec.selector, old.spec.selector, 'spec.selector', findings);
  yield* validateDaemonSet(daemonSet, findings);
}

/** Claims are looked at once: afterwards they are fixed. */
export const validateStatefulSetCreate = (set: StatefulSet, findings: Findings): Steps<void> =>
  validateStatefulSet(set, findings, set.spec.volumeClaimTemplates);

function* validateStatefulSet(
  { spec }: StatefulSet,
  findings: Findings,
  claims: StatefulSet['spec']['volumeClaimTemplates'] = [],
): Steps<void> {
  if (spec.podManagementPolicy !== 'OrderedReady' && spec.podManagementPolicy !== 'Parallel') {
    findings.invalid('spec.podManagementPolicy', spec.podManagementPolicy, "must be 'OrderedReady' or 'Parallel'");
  }
  const { type, rollingUpdate } = spec.updateStrategy ?? {};
  if (type === 'OnDelete') {
    if (rollingUpdate !== undefined) {
      findings.invalid(
        'spec.updateStrategy.rollingUpdate',
        rollingUpdate,
        "only allowed for updateStrategy 'RollingUpdate'",
      );
    }
  } else if (type === 'RollingUpdate') {
    findings.nonnegative(rollingUpdate?.partition, 'spec.updateStrategy.rollingUpdate.partition');
    const unavailable = rollingUpdate?.maxUnavailable;
    validateIntOrPercent(unavailable, 'spec.updateStrategy.rollingUpdate.maxUnavailable', findings);
    validateAtMostAll(unavailable, 'spec.updateStrategy.rollingUpdate.maxUnavailable', findings);
  } else {
    const shown = goValueOf(`${apps}.StatefulSetUpdateStrategy`, spec.updateStrategy ?? {});
    findings.invalid('spec.updateStrategy', shown, "must be 'RollingUpdate' or 'OnDelete'");
  }
  for (const when of ['whenDeleted', 'whenScaled'] as const) {
    findings.optionalOneOf(
      spec.persistentVolumeClaimRetentionPolicy?.[when],
      `spec.persistentVolumeClaimRetentionPolicy.${when}`,
      ['Retain', 'Delete'],
    );
  }
  claims.forEach((claim, index) => {
    validateClaimSpec(claim.spec, `spec.volumeClaimTemplates[${index}].spec`, findings);
  });
  findings.nonnegative(spec.replicas, 'spec.replicas');
  findings.nonnegative(spec.minReadySeconds, 'spec.minReadySeconds');
  findings.nonnegative(spec.ordinals?.start, 'spec.ordinals.start');
  if (spec.serviceName) findings.invalidEach('spec.serviceName', spec.serviceName, isDns1123Label(spec.serviceName));
  const selector = validateSelector(spec.selector, 'statefulset', findings);
  if (selector === undefined) validateRunsForever(spec.template, 'StatefulSet', findings);
  else yield* validateTemplate(withClaimVolumes(spec), selector, 'StatefulSet', findings);
}

/** Pods mount the claims of the set by name; hostname and subdomain are the controller's. */
function withClaimVolumes(spec: StatefulSet['spec']): PodTemplateSpec {
  const claims = spec.volumeClaimTemplates ?? [];
  const names = new Set(claims.map((claim) => claim.metadata.name));
  return {
    ...spec.template,
    spec: {
      ...spec.template.spec,
      subdomain: undefined,
      hostname: undefined,
      volumes: [
        ...[...names].map((name) => ({ name, persistentVolumeClaim: { claimName: name } })),
        ...(spec.template.spec.volumes ?? []).filter((volume) => !names.has(volume.name)),
      ],
    },
  };
}

const changeableInStatefulSet = [
  'replicas',
  'template',
  'updateStrategy',
  'minReadySeconds',
  'ordinals',
  'revisionHistoryLimit',
  'persistentVolumeClaimRetentionPolicy',
] as const;

export function* validateStatefulSetUpdate(
  statefulSet: StatefulSet,
  old: StatefulSet,
  findings: Findings,
): Steps<void> {
  yield* validateStatefulSet(statefulSet, findings);
  const kept: any = { ...statefulSet.spec };
  for (const field of changeableInStatefulSet) kept[field] = old.spec[field];
  if (!semanticEqual(kept, old.spec)) {
    findings.forbidden(
      'spec',
      "updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', 'updateStrategy', 'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden",
    );
  }
}
