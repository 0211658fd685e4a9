import type { KubeObject } from '../../object.ts';
import type { ColumnDefinition } from '../../resource-definition.ts';
import { ageColumn, integerColumn, nameColumn, textColumn } from './common.ts';

const UNKNOWN = '<unknown>';
const SHOWN = 2;

/** One metric as `current/target`. Source: formatHPAMetrics of pkg/printers/internalversion. */
function metricText(spec: any, status: any): string {
  switch (spec.type) {
    case 'External':
      return amountText(spec.external?.target, status?.external?.current);
    case 'Object':
      return amountText(spec.object?.target, status?.object?.current);
    case 'Pods':
      return `${status?.pods === undefined ? UNKNOWN : (status.pods.current?.averageValue ?? '0')}/${spec.pods?.target?.averageValue ?? '0'}`;
    case 'Resource':
      return `${spec.resource?.name}: ${resourceText(spec.resource?.target, status?.resource)}`;
    case 'ContainerResource':
      return `${spec.containerResource?.name}: ${resourceText(spec.containerResource?.target, status?.containerResource)}`;
    default:
      return '<unknown type>';
  }
}

function amountText(target: any, current: any): string {
  if (target?.averageValue !== undefined) return `${current?.averageValue ?? UNKNOWN}/${target.averageValue} (avg)`;
  return `${current === undefined ? UNKNOWN : (current.value ?? '0')}/${target?.value ?? '0'}`;
}

function resourceText(target: any, status: any): string {
  if (target?.averageValue !== undefined) {
    return `${status === undefined ? UNKNOWN : (status.current?.averageValue ?? '0')}/${target.averageValue}`;
  }
  const utilization = status?.current?.averageUtilization;
  const current = utilization === undefined ? UNKNOWN : `${utilization}%`;
  return `${current}/${target?.averageUtilization === undefined ? '<auto>' : `${target.averageUtilization}%`}`;
}

function targets({ spec, status }: KubeObject): string {
  const metrics = spec?.metrics ?? v1Metrics(spec);
  const current = status?.currentMetrics ?? v1Current(status);
  if (metrics.length === 0) return '<none>';
  const list = metrics.map((metric: any, index: number) => metricText(metric, current[index]));
  const shown = list.slice(0, SHOWN).join(', ');
  return list.length > SHOWN ? `${shown} + ${list.length - SHOWN} more...` : shown;
}

/** autoscaling/v1 knows CPU only, in fields of its own. */
function v1Metrics(spec: any): any[] {
  if (spec?.targetCPUUtilizationPercentage === undefined) return [];
  const target = { averageUtilization: spec.targetCPUUtilizationPercentage };
  return [{ type: 'Resource', resource: { name: 'cpu', target } }];
}
function v1Current(status: any): any[] {
  if (status?.currentCPUUtilizationPercentage === undefined) return [];
  return [{ resource: { current: { averageUtilization: status.currentCPUUtilizationPercentage } } }];
}

const orNotSet = (value: unknown): string => (value === undefined ? 'N/A' : String(value));

export const scalingColumns: Record<string, ColumnDefinition[]> = {
  'autoscaling/scale': [
    textColumn('Name', (object) => object.metadata.name),
    integerColumn('Desired', (object) => object['spec'].replicas ?? 0),
    integerColumn('Available', (object) => object['status'].replicas ?? 0),
    ageColumn,
  ],
  'autoscaling/horizontalpodautoscalers': [
    nameColumn,
    textColumn('Reference', ({ spec }) => `${spec?.scaleTargetRef?.kind}/${spec?.scaleTargetRef?.name}`),
    textColumn('Targets', targets),
    textColumn('MinPods', (object) => String(object['spec']?.minReplicas ?? '<unset>')),
    textColumn('MaxPods', (object) => object['spec']?.maxReplicas ?? 0),
    textColumn('Replicas', (object) => object['status']?.currentReplicas ?? 0),
    ageColumn,
  ],
  'policy/poddisruptionbudgets': [
    nameColumn,
    textColumn('Min Available', (object) => orNotSet(object['spec']?.minAvailable)),
    textColumn('Max Unavailable', (object) => orNotSet(object['spec']?.maxUnavailable)),
    integerColumn('Allowed Disruptions', (object) => object['status']?.disruptionsAllowed ?? 0),
    ageColumn,
  ],
};
