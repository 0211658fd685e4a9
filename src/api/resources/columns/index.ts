import type { ColumnDefinition } from '../../resource-definition.ts';
import { ageColumn, nameColumn } from './common.ts';

const groups: Record<string, ColumnDefinition[]> = {};

/** kubectl's columns of a resource; name and age where Kubernetes has nothing of its own. */
export function columnsOf(group: string, version: string, resource: string): ColumnDefinition[] {
  return groups[`${group}/${version}/${resource}`] ?? groups[`${group}/${resource}`] ?? [nameColumn, ageColumn];
}
