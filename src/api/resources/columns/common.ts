import { humanDuration } from '../../human-duration.ts';
import type { KubeObject } from '../../object.ts';
import type { ColumnDefinition } from '../../resource-definition.ts';

type Cell = (object: KubeObject, nowMs: number) => string | number | boolean | null;

const column =
  (type: ColumnDefinition['type'], priority: number) =>
  (name: string, value: Cell): ColumnDefinition => ({
    name,
    type,
    description: name,
    priority,
    value,
  });

/** Shown always, or (wide...) with `-o wide`. */
export const textColumn = column('string', 0);
export const wideColumn = column('string', 1);
export const integerColumn = column('integer', 0);
export const booleanColumn = column('boolean', 0);

export const named = (value: Cell, priority = 0): ColumnDefinition => ({
  name: 'Name',
  type: 'string',
  format: 'name',
  description: 'Name',
  priority,
  value,
});

export const nameColumn = named((object) => object.metadata.name);
export const ageColumn = textColumn('Age', (object, nowMs) => ageOf(object.metadata.creationTimestamp, nowMs));

/** Time since an RFC 3339 timestamp as kubectl prints it. */
export function ageOf(timestamp: string | null | undefined, nowMs: number): string {
  if (timestamp === null || timestamp === undefined || timestamp === '') return '<unknown>';
  return humanDuration(nowMs - Date.parse(timestamp));
}

/** `a=b,c=d` in key order, `<none>` when there are no labels. */
export function formatLabels(labels: Record<string, string> | null | undefined): string {
  const pairs = Object.entries(labels ?? {}).map(([key, value]) => `${key}=${value}`);
  return pairs.length === 0 ? '<none>' : pairs.sort().join(',');
}

export const containerNames = (containers: { name: string }[] | undefined): string =>
  (containers ?? []).map((container) => container.name).join(',');
export const containerImages = (containers: { image?: string }[] | undefined): string =>
  (containers ?? []).map((container) => container.image ?? '').join(',');

export const podTemplateColumns = (template: (object: KubeObject) => any): ColumnDefinition[] => [
  wideColumn('Containers', (object) => containerNames(template(object)?.spec?.containers)),
  wideColumn('Images', (object) => containerImages(template(object)?.spec?.containers)),
];
