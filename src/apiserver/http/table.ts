import type { KubeObject } from '../../api/object.ts';
import type { ResourceDefinition } from '../../api/resource-definition.ts';
import { badRequest } from '../../api/status.ts';

/** How much of the object comes with each row: kubectl asks for `Object` when it sorts or prints labels itself. */
export type IncludeObject = 'None' | 'Metadata' | 'Object';

export function parseIncludeObject(value: string | null): IncludeObject {
  if (value === null || value === '' || value === 'Metadata') return 'Metadata';
  if (value === 'None' || value === 'Object') return value;
  throw badRequest(
    `Unable to convert to Table as requested: includeObject: Invalid value: ${JSON.stringify(value)}: must be 'Metadata', 'Object', 'None', or empty`,
  );
}

/** Of the bookmark after a streamed list: a Table says it in the metadata of its one row, whatever was asked for. */
const INITIAL_EVENTS_END = 'k8s.io/initial-events-end';

export interface TableListMetadata {
  resourceVersion?: string;
  continue?: string;
  remainingItemCount?: number;
}

/** A meta.k8s.io Table. `object` is what the client may see of each row (no clusterName for tenants). */
export function tableOf(
  definition: ResourceDefinition,
  objects: KubeObject[],
  metadata: TableListMetadata,
  options: { version: string; includeObject: IncludeObject; nowMs: number; withColumns: boolean },
): object {
  const apiVersion = `meta.k8s.io/${options.version}`;
  return {
    kind: 'Table',
    apiVersion,
    metadata,
    columnDefinitions: options.withColumns
      ? definition.columns.map((column) => ({
          name: column.name,
          type: column.type,
          format: column.format ?? '',
          description: column.description,
          priority: column.priority,
        }))
      : null,
    rows: objects.map((object) => ({
      cells: definition.columns.map((column) => cell(column, object, options.nowMs)),
      object:
        options.includeObject === 'None' && object.metadata.annotations?.[INITIAL_EVENTS_END] !== 'true'
          ? null
          : options.includeObject === 'Object'
            ? object
            : partialMetadata(object, options.version),
    })),
  };
}

/** One odd object must not make the whole list unreadable. */
function cell(column: ResourceDefinition['columns'][number], object: KubeObject, nowMs: number) {
  try {
    return column.value(object, nowMs);
  } catch {
    return '<unknown>';
  }
}

export function partialMetadata(object: KubeObject, version: string): object {
  return { kind: 'PartialObjectMetadata', apiVersion: `meta.k8s.io/${version}`, metadata: object.metadata };
}
