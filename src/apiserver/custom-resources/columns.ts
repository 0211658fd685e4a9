import type { CustomResourceColumnDefinition } from '../../api/generated/apiextensions-v1.ts';
import type { ColumnDefinition } from '../../api/resource-definition.ts';
import { ageOf } from '../../api/resources/columns/common.ts';
import { parseJsonPath, printValue } from '../../api/structural-schema/json-path.ts';

type Cell = ReturnType<ColumnDefinition['value']>;

const name: ColumnDefinition = {
  name: 'Name',
  type: 'string',
  format: 'name',
  description: 'The name of the object, unique among those of its kind in its namespace.',
  priority: 0,
  value: ({ metadata }) => metadata.name,
};
const age: CustomResourceColumnDefinition = { name: 'Age', type: 'date', jsonPath: '.metadata.creationTimestamp' };

/** A version's columns in tables. Source: apiextensions' tableconvertor. */
export function columnsOf(columns: CustomResourceColumnDefinition[]): ColumnDefinition[] {
  return [name, ...(columns.length > 0 ? columns : [age]).map(columnOf)];
}

function columnOf(column: CustomResourceColumnDefinition): ColumnDefinition {
  const path = pathOf(column.jsonPath);
  const type = column.type as ColumnDefinition['type'];
  return {
    name: column.name,
    type,
    ...(column.format && { format: column.format }),
    description: column.description || `Custom resource definition column (in JSONPath format): ${column.jsonPath}`,
    priority: column.priority ?? 0,
    value(object, nowMs) {
      const found = path(object);
      return found.length === 0 ? null : cellOf(type, found[0], nowMs);
    },
  };
}

/** A path that upstream takes and cannot follow shows nothing; it must not hide the whole resource. */
function pathOf(text: string): (object: unknown) => unknown[] {
  try {
    return parseJsonPath(text);
  } catch {
    return () => [];
  }
}

function cellOf(type: ColumnDefinition['type'], value: unknown, nowMs: number): Cell {
  if (type === 'string') return printValue(value);
  if (value === null) return null;
  switch (type) {
    case 'integer':
      return typeof value === 'number' ? Math.trunc(value) : null;
    case 'number':
      return typeof value === 'number' ? value : null;
    case 'boolean':
      return typeof value === 'boolean' ? value : null;
    case 'date':
      if (typeof value !== 'string') return null;
      return Number.isNaN(Date.parse(value)) ? '<invalid>' : ageOf(value, nowMs);
  }
}
