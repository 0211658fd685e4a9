import type { KubeObject } from '../object.ts';

/**
 * autoscaling/v1 has fields for one CPU target; what else v2 knows travels in annotations, so that nothing is lost on
 * the way there and back. Source: pkg/apis/autoscaling/v1/conversion.go.
 */
const METRICS = 'autoscaling.alpha.kubernetes.io/metrics';
const CURRENT_METRICS = 'autoscaling.alpha.kubernetes.io/current-metrics';
const CONDITIONS = 'autoscaling.alpha.kubernetes.io/conditions';
const BEHAVIOR = 'autoscaling.alpha.kubernetes.io/behavior';

/** Percent. */
const DEFAULT_CPU_UTILIZATION = 80;

const isCpuUtilization = (metric: any): boolean =>
  metric.type === 'Resource' &&
  metric.resource?.name === 'cpu' &&
  metric.resource.target?.averageUtilization !== undefined;

export function autoscalerToV2(object: KubeObject): KubeObject {
  const { targetCPUUtilizationPercentage, ...spec } = object['spec'] ?? {};
  const { currentCPUUtilizationPercentage, ...status } = object['status'] ?? {};
  const annotations = { ...object.metadata.annotations };
  const taken = (key: string) => {
    const text = annotations[key];
    delete annotations[key];
    return text === undefined ? undefined : parseOr(text);
  };
  const metrics = taken(METRICS) ?? [];
  const currentMetrics = taken(CURRENT_METRICS) ?? [];
  const conditions = taken(CONDITIONS);
  const behavior = behaviorFromGo(taken(BEHAVIOR));
  // Here and not by v1's defaults, which know nothing of the metrics in the annotation.
  const averageUtilization =
    targetCPUUtilizationPercentage ?? (metrics.length === 0 ? DEFAULT_CPU_UTILIZATION : undefined);
  if (averageUtilization !== undefined) {
    const target = { type: 'Utilization', averageUtilization };
    metrics.unshift({ type: 'Resource', resource: { name: 'cpu', target } });
  }
  if (currentCPUUtilizationPercentage !== undefined) {
    const current = { averageUtilization: currentCPUUtilizationPercentage };
    currentMetrics.unshift({ type: 'Resource', resource: { name: 'cpu', current } });
  }
  return {
    ...object,
    apiVersion: 'autoscaling/v2',
    metadata: withAnnotations(object, annotations),
    spec: { ...spec, ...(metrics.length > 0 && { metrics }), ...(behavior !== undefined && { behavior }) },
    status: { ...status, currentMetrics, ...(conditions !== undefined && { conditions }) },
  };
}

export function autoscalerFromV2(object: KubeObject): KubeObject {
  const { metrics = [], behavior, ...spec } = object['spec'] ?? {};
  const { currentMetrics = [], conditions, ...status } = object['status'] ?? {};
  const annotations = { ...object.metadata.annotations };
  const cpu = metrics.find(isCpuUtilization);
  const others = metrics.filter((metric: any) => metric !== cpu);
  const isCurrentCpu = (metric: any) =>
    metric.type === 'Resource' &&
    metric.resource?.name === 'cpu' &&
    metric.resource.current?.averageUtilization !== undefined;
  const currentCpu = currentMetrics.find(isCurrentCpu);
  const otherCurrent = currentMetrics.filter((metric: any) => metric !== currentCpu);
  if (others.length > 0) annotations[METRICS] = JSON.stringify(others);
  if (otherCurrent.length > 0) annotations[CURRENT_METRICS] = JSON.stringify(otherCurrent);
  if (conditions?.length) annotations[CONDITIONS] = JSON.stringify(conditions);
  if (behavior !== undefined) annotations[BEHAVIOR] = JSON.stringify(behaviorToGo(behavior));
  return {
    ...object,
    apiVersion: 'autoscaling/v1',
    metadata: withAnnotations(object, annotations),
    spec: {
      ...spec,
      ...(cpu !== undefined && { targetCPUUtilizationPercentage: cpu.resource.target.averageUtilization }),
    },
    status: {
      currentReplicas: 0,
      desiredReplicas: 0,
      ...status,
      ...(currentCpu !== undefined && {
        currentCPUUtilizationPercentage: currentCpu.resource.current.averageUtilization,
      }),
    },
  };
}

/** This annotation alone is written from Go structs without JSON names: all fields, capitalized. */
function behaviorToGo(behavior: any): object {
  const rules = (given: any) =>
    given === undefined
      ? null
      : {
          StabilizationWindowSeconds: given.stabilizationWindowSeconds ?? null,
          SelectPolicy: given.selectPolicy ?? null,
          Policies:
            given.policies?.map(({ type, value, periodSeconds }: any) => ({
              Type: type,
              Value: value,
              PeriodSeconds: periodSeconds,
            })) ?? null,
          Tolerance: given.tolerance ?? null,
        };
  return { ScaleUp: rules(behavior.scaleUp), ScaleDown: rules(behavior.scaleDown) };
}

/** Go reads names in any case; unset fields are null. */
function behaviorFromGo(value: any): any {
  if (Array.isArray(value)) return value.map(behaviorFromGo);
  if (typeof value !== 'object' || value === null) return value;
  const fields = Object.entries(value).filter(([, item]) => item !== null);
  return Object.fromEntries(
    fields.map(([name, item]) => [name[0]!.toLowerCase() + name.slice(1), behaviorFromGo(item)]),
  );
}

function withAnnotations({ metadata }: KubeObject, annotations: Record<string, string>): KubeObject['metadata'] {
  const { annotations: _, ...rest } = metadata;
  return Object.keys(annotations).length > 0 ? { ...rest, annotations } : rest;
}

/** An annotation that anyone may write is not trusted to be JSON. */
function parseOr(text: string): any {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
