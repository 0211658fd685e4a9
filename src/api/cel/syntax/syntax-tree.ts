import type { CelType } from '../types.ts';

/** Where it stands, and what the checker found out about it. */
interface Common {
  /** Offset in the source, in UTF-16 units: of the operator, the dot or the bracket that makes the node. */
  offset: number;
  type?: CelType;
}

export interface LiteralNode extends Common {
  kind: 'literal';
  /** As values.ts has them. */
  value: unknown;
}
export interface IdentNode extends Common {
  kind: 'ident';
  name: string;
  /** The name of a type, not of a variable. */
  typeValue?: CelType;
  /** No name at all: stands for a part that was evaluated into a place of the run before (interpreter-steps.ts). */
  place?: { slot: number; isAttribute: boolean };
}
export interface SelectNode extends Common {
  kind: 'select';
  operand: Node;
  field: string;
  /** `has(operand.field)` */
  isTest: boolean;
}
export interface CallNode extends Common {
  kind: 'call';
  function: string;
  target?: Node;
  arguments: Node[];
  /** The overloads the types admit; more than one where types are known at run time only. */
  overloads?: string[];
}
export interface ListNode extends Common {
  kind: 'list';
  elements: Node[];
  /** Indices of `?element`. */
  optionals: Set<number>;
}
export interface MapEntry {
  offset: number;
  key: Node;
  value: Node;
  isOptional: boolean;
}
export interface MapNode extends Common {
  kind: 'map';
  entries: MapEntry[];
}
export interface StructField {
  offset: number;
  name: string;
  value: Node;
  isOptional: boolean;
}
export interface StructNode extends Common {
  kind: 'struct';
  typeName: string;
  fields: StructField[];
}
export interface ComprehensionNode extends Common {
  kind: 'comprehension';
  range: Node;
  /** The element of a list or key of a map; with a second variable: the index or key. */
  variable: string;
  variable2?: string;
  accumulator: string;
  initial: Node;
  condition: Node;
  step: Node;
  result: Node;
}

export type Node =
  | LiteralNode
  | IdentNode
  | SelectNode
  | CallNode
  | ListNode
  | MapNode
  | StructNode
  | ComprehensionNode;

/** Every node, outer ones first. */
export function* nodesOf(node: Node): Generator<Node> {
  yield node;
  for (const part of partsOf(node)) yield* nodesOf(part);
}

export function partsOf(node: Node): Node[] {
  switch (node.kind) {
    case 'literal':
    case 'ident':
      return [];
    case 'select':
      return [node.operand];
    case 'call':
      return node.target === undefined ? node.arguments : [node.target, ...node.arguments];
    case 'list':
      return node.elements;
    case 'map':
      return node.entries.flatMap(({ key, value }) => [key, value]);
    case 'struct':
      return node.fields.map(({ value }) => value);
    case 'comprehension':
      return [node.range, node.initial, node.condition, node.step, node.result];
  }
}

/** `a.b.c` when the node is a chain of plain selections from a name. */
export function qualifiedName(node: Node): string | undefined {
  if (node.kind === 'ident') return node.name;
  if (node.kind !== 'select' || node.isTest) return undefined;
  const prefix = qualifiedName(node.operand);
  return prefix === undefined ? undefined : `${prefix}.${node.field}`;
}
