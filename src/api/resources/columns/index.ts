import type { ColumnDefinition } from '../../resource-definition.ts';
import { accessColumns } from './access.ts';
import { nameColumn } from './common.ts';
import { coreColumns } from './core.ts';
import { eventColumns } from './events.ts';
import { extensionColumns } from './extension.ts';
import { networkColumns } from './network.ts';
import { platformColumns } from './platform.ts';
import { podColumns, podTemplateColumns } from './pods.ts';
import { scalingColumns } from './scaling.ts';
import { storageColumns } from './storage.ts';
import { workloadColumns } from './workloads.ts';

const columns: Record<string, ColumnDefinition[]> = {
  '/pods': podColumns,
  '/podtemplates': podTemplateColumns,
  '/events': eventColumns,
  'events.k8s.io/events': eventColumns,
  ...coreColumns,
  ...workloadColumns,
  ...networkColumns,
  ...accessColumns,
  ...storageColumns,
  ...scalingColumns,
  ...extensionColumns,
  ...platformColumns,
};

/** Kubernetes prints a date, not an age, where a resource has no columns of its own. */
const createdAt: ColumnDefinition = {
  name: 'Created At',
  type: 'date',
  description: 'Created At',
  priority: 0,
  value: (object) => object.metadata.creationTimestamp,
};

/** kubectl's columns of a resource. */
export const columnsOf = (group: string, resource: string): ColumnDefinition[] =>
  columns[`${group}/${resource}`] ?? [nameColumn, createdAt];
