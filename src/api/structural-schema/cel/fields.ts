import { isEmbeddedResource, type JsonSchema, preservesUnknownFields, valuesOf } from '../json-schema.ts';
import { fieldName } from './values.ts';

/** A node of the evaluator's tree that selects a field (`.`) or names a variable (`id`). */
export interface Selection {
  op: string;
  args: any;
}

const metadataOfResources: JsonSchema = {
  type: 'object',
  properties: { name: { type: 'string' }, generateName: { type: 'string' } },
};

/** The first field that is selected from self or oldSelf and that the schema does not have. */
export function undefinedFieldOf(nodes: Iterable<Selection>, schema: JsonSchema, isRoot: boolean): string | undefined {
  for (const node of nodes) {
    if (node.op !== '.') continue;
    const [from, name] = node.args as [Selection, string];
    const parent = schemaAt(from, schema, isRoot);
    if (parent === undefined || isOpen(parent.schema)) continue;
    if (partOf(parent, name) === undefined) return name;
  }
  return undefined;
}

interface Place {
  schema: JsonSchema;
  isRoot: boolean;
}

/** undefined: not a plain way from self, so nothing is known. */
function schemaAt(node: Selection, self: JsonSchema, isRoot: boolean): Place | undefined {
  if (node.op === 'id') return node.args === 'self' || node.args === 'oldSelf' ? { schema: self, isRoot } : undefined;
  if (node.op !== '.') return undefined;
  const [from, name] = node.args as [Selection, string];
  const parent = schemaAt(from, self, isRoot);
  const part = parent === undefined || isOpen(parent.schema) ? undefined : partOf(parent, name);
  return part === undefined ? undefined : { schema: part, isRoot: false };
}

const isOpen = (schema: JsonSchema): boolean =>
  schema.type !== 'object' || valuesOf(schema) !== undefined || preservesUnknownFields(schema);

function partOf({ schema, isRoot }: Place, name: string): JsonSchema | undefined {
  if (isRoot || isEmbeddedResource(schema)) {
    if (name === 'metadata') return metadataOfResources;
    if (name === 'apiVersion' || name === 'kind') return { type: 'string' };
  }
  return Object.entries(schema.properties ?? {}).find(([property]) => fieldName(property) === name)?.[1];
}
