import type { KubeObject } from '../../object.ts';
import type { ColumnDefinition } from '../../resource-definition.ts';
import { ageOf, named, textColumn, wideColumn } from './common.ts';

/** Both APIs of events print alike; events.k8s.io keeps the older fields under `deprecated` names. */
interface EventView {
  object: { kind?: string; name?: string; fieldPath?: string };
  source: { component?: string; host?: string };
  message: string;
  first?: string | null;
  last?: string | null;
  count: number;
}

function viewOf(event: KubeObject): EventView {
  return event['regarding'] !== undefined || event['note'] !== undefined
    ? {
        object: event['regarding'] ?? {},
        source: event['deprecatedSource'] ?? {},
        message: event['note'] ?? '',
        first: event['deprecatedFirstTimestamp'],
        last: event['deprecatedLastTimestamp'],
        count: event['deprecatedCount'] ?? 0,
      }
    : {
        object: event['involvedObject'] ?? {},
        source: event['source'] ?? {},
        message: event['message'] ?? '',
        first: event['firstTimestamp'],
        last: event['lastTimestamp'],
        count: event['count'] ?? 0,
      };
}

const firstSeen = (event: KubeObject, nowMs: number): string => ageOf(viewOf(event).first || event['eventTime'], nowMs);

function lastSeen(event: KubeObject, nowMs: number): string {
  if (event['series']) return ageOf(event['series'].lastObservedTime, nowMs);
  const { last } = viewOf(event);
  return last ? ageOf(last, nowMs) : firstSeen(event, nowMs);
}

function target(event: KubeObject): string {
  const { kind = '', name } = viewOf(event).object;
  return name ? `${kind.toLowerCase()}/${name}` : kind.toLowerCase();
}

function sourceOf(event: KubeObject): string {
  const { source } = viewOf(event);
  const component = source.component || event['reportingComponent'] || event['reportingController'] || '';
  const instance = source.host || event['reportingInstance'] || '';
  return instance === '' ? component : `${component}, ${instance}`;
}

export const eventColumns: ColumnDefinition[] = [
  textColumn('Last Seen', lastSeen),
  textColumn('Type', (object) => object['type'] ?? ''),
  textColumn('Reason', (object) => object['reason'] ?? ''),
  textColumn('Object', target),
  wideColumn('Subobject', (object) => viewOf(object).object.fieldPath ?? ''),
  wideColumn('Source', sourceOf),
  textColumn('Message', (object) => viewOf(object).message.trim()),
  wideColumn('First Seen', firstSeen),
  wideColumn('Count', (object) => object['series']?.count ?? (viewOf(object).count || 1)),
  named((object) => object.metadata.name, 1),
];
