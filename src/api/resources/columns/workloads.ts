import { humanDuration } from '../../human-duration.ts';
import type { KubeObject } from '../../object.ts';
import type { ColumnDefinition } from '../../resource-definition.ts';
import { formatLabelSelector, selectorFromLabelSelector } from '../../selectors/label-selectors.ts';
import {
  ageColumn,
  ageOf,
  booleanColumn,
  formatLabels,
  integerColumn,
  nameColumn,
  podTemplateColumns,
  textColumn,
  wideColumn,
} from './common.ts';

const templateColumns = podTemplateColumns((object) => object['spec']?.template);
const selectorColumn = wideColumn('Selector', (object) => formatLabelSelector(object['spec']?.selector));
const fromStatus = (name: string, field: string): ColumnDefinition =>
  integerColumn(name, (object) => object['status']?.[field] ?? 0);
const wanted = integerColumn('Desired', (object) => object['spec']?.replicas ?? 0);
const readyOfWanted = textColumn(
  'Ready',
  (object) => `${object['status']?.readyReplicas ?? 0}/${object['spec']?.replicas ?? 0}`,
);

function deploymentSelector(object: KubeObject): string {
  try {
    return selectorFromLabelSelector(object['spec']?.selector).toString();
  } catch {
    return '<invalid>';
  }
}

const hasCondition = (object: KubeObject, type: string): boolean =>
  object['status']?.conditions?.find((condition: any) => condition.type === type)?.status === 'True';

function jobStatus(job: KubeObject): string {
  if (hasCondition(job, 'Complete')) return 'Complete';
  if (hasCondition(job, 'Failed')) return 'Failed';
  if (job.metadata.deletionTimestamp !== undefined) return 'Terminating';
  for (const type of ['Suspended', 'FailureTarget', 'SuccessCriteriaMet']) if (hasCondition(job, type)) return type;
  return 'Running';
}

function jobCompletions({ spec, status }: KubeObject): string {
  const succeeded = status?.succeeded ?? 0;
  if (spec?.completions !== undefined) return `${succeeded}/${spec.completions}`;
  return (spec?.parallelism ?? 0) > 1 ? `${succeeded}/1 of ${spec.parallelism}` : `${succeeded}/1`;
}

function jobDuration({ status }: KubeObject, nowMs: number): string {
  if (!status?.startTime) return '';
  const end = status.completionTime ? Date.parse(status.completionTime) : nowMs;
  return humanDuration(end - Date.parse(status.startTime));
}

function controllerOf(object: KubeObject): string {
  const controller = object.metadata.ownerReferences?.find((reference) => reference.controller === true);
  if (controller === undefined) return '<none>';
  const slash = controller.apiVersion.indexOf('/');
  const group = slash < 0 ? '' : `.${controller.apiVersion.slice(0, slash)}`;
  return `${`${controller.kind}${group}`.toLowerCase()}/${controller.name}`;
}

export const workloadColumns: Record<string, ColumnDefinition[]> = {
  'apps/deployments': [
    nameColumn,
    readyOfWanted,
    textColumn('Up-to-date', (object) => object['status']?.updatedReplicas ?? 0),
    textColumn('Available', (object) => object['status']?.availableReplicas ?? 0),
    ageColumn,
    ...templateColumns,
    wideColumn('Selector', deploymentSelector),
  ],
  'apps/replicasets': [
    nameColumn,
    wanted,
    fromStatus('Current', 'replicas'),
    fromStatus('Ready', 'readyReplicas'),
    ageColumn,
    ...templateColumns,
    selectorColumn,
  ],
  '/replicationcontrollers': [
    nameColumn,
    wanted,
    fromStatus('Current', 'replicas'),
    fromStatus('Ready', 'readyReplicas'),
    ageColumn,
    ...templateColumns,
    wideColumn('Selector', (object) => formatLabels(object['spec']?.selector)),
  ],
  'apps/statefulsets': [nameColumn, readyOfWanted, ageColumn, ...templateColumns],
  'apps/daemonsets': [
    nameColumn,
    fromStatus('Desired', 'desiredNumberScheduled'),
    fromStatus('Current', 'currentNumberScheduled'),
    fromStatus('Ready', 'numberReady'),
    fromStatus('Up-to-date', 'updatedNumberScheduled'),
    fromStatus('Available', 'numberAvailable'),
    textColumn('Node Selector', (object) => formatLabels(object['spec']?.template?.spec?.nodeSelector)),
    ageColumn,
    ...templateColumns,
    selectorColumn,
  ],
  'apps/controllerrevisions': [
    nameColumn,
    textColumn('Controller', controllerOf),
    textColumn('Revision', (object) => object['revision'] ?? 0),
    ageColumn,
  ],
  'batch/jobs': [
    nameColumn,
    textColumn('Status', jobStatus),
    textColumn('Completions', jobCompletions),
    textColumn('Duration', jobDuration),
    ageColumn,
    ...templateColumns,
    selectorColumn,
  ],
  'batch/cronjobs': [
    nameColumn,
    textColumn('Schedule', (object) => object['spec']?.schedule ?? ''),
    textColumn('Timezone', (object) => object['spec']?.timeZone ?? '<none>'),
    booleanColumn('Suspend', (object) =>
      object['spec']?.suspend === undefined ? '<unset>' : object['spec'].suspend ? 'True' : 'False',
    ),
    integerColumn('Active', (object) => object['status']?.active?.length ?? 0),
    textColumn('Last Schedule', (object, nowMs) =>
      object['status']?.lastScheduleTime ? ageOf(object['status'].lastScheduleTime, nowMs) : '<none>',
    ),
    ageColumn,
    ...podTemplateColumns((object) => object['spec']?.jobTemplate?.spec?.template),
    wideColumn('Selector', (object) => formatLabelSelector(object['spec']?.jobTemplate?.spec?.selector)),
  ],
};
