import { table } from '../../base/table.ts';
import type { HorizontalPodAutoscaler, MetricSpec } from '../generated/autoscaling-v2.ts';
import type { PodDisruptionBudget } from '../generated/policy-v1.ts';
import { isDns1123Label, isPathSegmentName } from '../names.ts';
import { compareQuantities } from '../quantity.ts';
import type { Findings } from './findings.ts';
import { goValueOf } from './go-value.ts';
import { validateLabelSelector } from './metadata.ts';
import { validateContainerResourceName } from './pods/resources.ts';
import { validateAtMostAll, validateIntOrPercent } from './workloads.ts';

/** Of either version: v1 differs in the metric only. Source: pkg/apis/autoscaling/validation. */
export function validateAutoscaler({ spec }: HorizontalPodAutoscaler, findings: Findings): void {
  const { minReplicas, maxReplicas, scaleTargetRef } = spec;
  if (minReplicas !== undefined && minReplicas < 1) {
    findings.invalid('spec.minReplicas', minReplicas, 'must be greater than or equal to 1');
  }
  if (!maxReplicas) findings.required('spec.maxReplicas', 'must be set and greater than 0');
  else if (maxReplicas < 1) findings.invalid('spec.maxReplicas', maxReplicas, 'must be greater than or equal to 1');
  if (minReplicas !== undefined && (maxReplicas ?? 0) < minReplicas) {
    findings.invalid('spec.maxReplicas', maxReplicas, 'must be greater than or equal to `minReplicas`');
  }
  for (const field of ['kind', 'name'] as const) {
    const value = scaleTargetRef?.[field];
    if (!value) findings.required(`spec.scaleTargetRef.${field}`);
    else findings.invalidEach(`spec.scaleTargetRef.${field}`, value, isPathSegmentName(value));
  }
  const apiVersion = scaleTargetRef?.apiVersion ?? '';
  if (!apiVersion.includes('/')) {
    findings.invalid('spec.scaleTargetRef.apiVersion', apiVersion, 'apiVersion must specify API group');
  }
  spec.metrics?.forEach((metric, index) => {
    validateMetric(metric, `spec.metrics[${index}]`, findings);
  });
  const kinds = (spec.metrics ?? []).map(({ type }) => type);
  if (minReplicas === 0 && !kinds.includes('Object') && !kinds.includes('External')) {
    const why = 'must specify at least one Object or External metric to support scaling to zero replicas';
    findings.forbidden('spec.metrics', why);
  }
  for (const direction of ['scaleUp', 'scaleDown'] as const) {
    const rules = spec.behavior?.[direction];
    if (rules === undefined) continue;
    const path = `spec.behavior.${direction}`;
    const seconds = rules.stabilizationWindowSeconds;
    if (seconds !== undefined && seconds < 0) {
      findings.invalid(`${path}.stabilizationWindowSeconds`, seconds, 'must be greater than or equal to zero');
    }
    if (seconds !== undefined && seconds > 3600) {
      findings.invalid(`${path}.stabilizationWindowSeconds`, seconds, 'must be less than or equal to 3600');
    }
    findings.optionalOneOf(rules.selectPolicy, `${path}.selectPolicy`, ['Disabled', 'Max', 'Min']);
    const { tolerance } = rules;
    if (tolerance !== undefined && compareQuantities(tolerance, '0') < 0) {
      findings.invalid(`${path}.tolerance`, tolerance, 'must be greater than or equal to 0');
    }
    if (!rules.policies?.length) findings.required(`${path}.policies`, 'must specify at least one Policy');
    rules.policies?.forEach(({ type, value, periodSeconds }, i) => {
      const at = `${path}.policies[${i}]`;
      findings.optionalOneOf(type, `${at}.type`, ['Percent', 'Pods']);
      if (value <= 0) findings.invalid(`${at}.value`, value, 'must be greater than zero');
      if (periodSeconds <= 0) findings.invalid(`${at}.periodSeconds`, periodSeconds, 'must be greater than zero');
      if (periodSeconds > 1800)
        findings.invalid(`${at}.periodSeconds`, periodSeconds, 'must be less than or equal to 1800');
    });
  }
}

const sourceFields = table<'containerResource' | 'external' | 'object' | 'pods' | 'resource'>({
  ContainerResource: 'containerResource',
  External: 'external',
  Object: 'object',
  Pods: 'pods',
  Resource: 'resource',
});

function validateMetric(metric: MetricSpec, path: string, findings: Findings): void {
  if (!metric.type) {
    findings.required(`${path}.type`, 'must specify a metric source type');
  }
  const field = sourceFields[metric.type];
  if (field === undefined) findings.notSupported(`${path}.type`, metric.type ?? '', Object.keys(sourceFields));
  const given = (['object', 'external', 'pods', 'resource', 'containerResource'] as const).filter(
    (source) => metric[source] !== undefined,
  );
  // The first there is, whichever is meant.
  const [first] = given;
  if (first !== undefined) validateSource(first, metric[first], `${path}.${first}`, findings);
  if (field === undefined) findings.notSupported(`${path}.type`, metric.type ?? '', Object.keys(sourceFields));
  else if (metric[field] === undefined) {
    findings.required(`${path}.${field}`, 'must populate information for the given metric source');
  }
  if (given.length === 1) return;
  for (const other of given) {
    if (other !== field) findings.forbidden(`${path}.${other}`, 'must populate the given metric source only');
  }
}

function validateSource(
  field: (typeof sourceFields)[string] & string,
  source: any,
  at: string,
  findings: Findings,
): void {
  if ((field === 'resource' || field === 'containerResource') && !source.name) {
    findings.required(`${at}.name`, 'must specify a resource name');
  }
  if (field === 'containerResource') {
    if (source.name) validateContainerResourceName(source.name, `${at}.name`, findings);
    if (!source.container) findings.required(`${at}.container`, 'must specify a container');
    else findings.invalidEach(`${at}.container`, source.container, isDns1123Label(source.container));
  }
  if (field === 'object') {
    for (const part of ['kind', 'name'] as const) {
      const value: string | undefined = source.describedObject?.[part];
      if (!value) findings.required(`${at}.describedObject.${part}`);
      else findings.invalidEach(`${at}.describedObject.${part}`, value, isPathSegmentName(value));
    }
  }
  if (field === 'object' || field === 'pods' || field === 'external') {
    const name: string = source.metric?.name ?? '';
    if (name === '') findings.required(`${at}.metric.name`, 'must specify a metric name');
    else findings.invalidEach(`${at}.metric.name`, name, isPathSegmentName(name));
  }
  validateTarget(field, source.target ?? {}, `${at}.target`, findings);
}

function validateTarget(source: string, target: any, path: string, findings: Findings): void {
  const { type, value, averageValue, averageUtilization } = target;
  if (!type) findings.required(`${path}.type`, 'must specify a metric target type');
  if (!['Utilization', 'Value', 'AverageValue'].includes(type)) {
    findings.invalid(`${path}.type`, type ?? '', 'must be either Utilization, Value, or AverageValue');
  }
  for (const [field, quantity] of [
    ['value', value],
    ['averageValue', averageValue],
  ]) {
    if (quantity !== undefined && compareQuantities(quantity, '0') <= 0) {
      findings.invalid(`${path}.${field}`, quantity, 'must be positive');
    }
  }
  if (averageUtilization !== undefined && averageUtilization < 1) {
    findings.invalid(`${path}.averageUtilization`, averageUtilization, 'must be greater than 0');
  }
  if (source === 'resource' || source === 'containerResource') {
    if (averageUtilization === undefined && averageValue === undefined) {
      findings.required(`${path}.averageUtilization`, 'must set either a target raw value or a target utilization');
    }
    if (averageUtilization !== undefined && averageValue !== undefined) {
      findings.forbidden(`${path}.averageValue`, 'may not set both a target raw value and a target utilization');
    }
  } else if (source === 'pods') {
    if (averageValue === undefined) {
      findings.required(`${path}.averageValue`, 'must specify a positive target averageValue');
    }
  } else if (value === undefined && averageValue === undefined) {
    findings.required(
      `${path}.averageValue`,
      source === 'external'
        ? 'must set either a target value for metric or a per-pod target'
        : 'must set either a target value or averageValue',
    );
  }
  if (source === 'external' && value !== undefined && averageValue !== undefined) {
    findings.forbidden(`${path}.value`, 'may not set both a target value for metric and a per-pod target');
  }
}

export function validateDisruptionBudget({ spec }: PodDisruptionBudget, findings: Findings): void {
  const { minAvailable, maxUnavailable, selector, unhealthyPodEvictionPolicy } = spec;
  if (minAvailable !== undefined && maxUnavailable !== undefined) {
    findings.invalid(
      'spec',
      goValueOf('io.k8s.api.policy.v1.PodDisruptionBudgetSpec', spec),
      'minAvailable and maxUnavailable cannot be both set',
    );
  }
  validateIntOrPercent(minAvailable, 'spec.minAvailable', findings);
  validateAtMostAll(minAvailable, 'spec.minAvailable', findings);
  validateIntOrPercent(maxUnavailable, 'spec.maxUnavailable', findings);
  validateAtMostAll(maxUnavailable, 'spec.maxUnavailable', findings);
  validateLabelSelector(selector, 'spec.selector', findings);
  findings.optionalOneOf(unhealthyPodEvictionPolicy, 'spec.unhealthyPodEvictionPolicy', [
    'AlwaysAllow',
    'IfHealthyBudget',
  ]);
}
