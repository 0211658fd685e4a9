import type { CustomResourceColumnDefinition } from '../../api/generated/apiextensions-v1.ts';
import type { ColumnDefinition } from '../../api/resource-definition.ts';
import { ageOf } from '../../api/resources/columns/common.ts';
import { firstValue, type JsonPath, parseJsonPath, printValue } from '../../api/structural-schema/json-path.ts';

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

/** What all columns of one row may take together: steps along their paths, and characters. */
const stepsOfRow = 200_000;
const charactersOfRow = 3 * 1024 * 1024;

/** A version's columns in tables. Source: apiextensions' tableconvertor. */
export function columnsOf(columns: CustomResourceColumnDefinition[]): ColumnDefinition[] {
  const shown = columns.length > 0 ? columns : [age];
  const bounds = {
    steps: Math.max(100, Math.floor(stepsOfRow / shown.length)),
    characters: Math.max(256, Math.floor(charactersOfRow / shown.length)),
  };
  return [name, ...shown.map((column) => columnOf(column, bounds))];
}

interface Bounds {
  steps: number;
  characters: number;
}

function columnOf(column: CustomResourceColumnDefinition, { steps, characters }: Bounds): ColumnDefinition {
  const path = pathOf(column.jsonPath);
  const type = column.type as ColumnDefinition['type'];
  return {
    name: column.name,
    type,
    ...(column.format && { format: column.format }),
    description: column.description || `Custom resource definition column (in JSONPath format): ${column.jsonPath}`,
    priority: column.priority ?? 0,
    value(object, nowMs) {
      const found = firstValue(path, object, steps);
      return found.length === 0 ? null : cellOf(type, found[0], nowMs, characters);
    },
  };
}

/** A path that upstream takes and cannot follow shows nothing; it must not hide the whole resource. */
function pathOf(text: string): JsonPath {
  try {
    return parseJsonPath(text);
  } catch {
    return () => [];
  }
}

function cellOf(type: ColumnDefinition['type'], value: unknown, nowMs: number, characters: number): Cell {
  if (type === 'string') return printValue(value, characters);
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
