import type { CallNode, ComprehensionNode, IdentNode, ListNode, Node } from './syntax-tree.ts';

export type MacroReport = (offset: number, message: string) => void;

/** What no source can name. */
const ACCUMULATOR = '@result';
const visibleAccumulator = '__result__';
const unused = '#unused';
/** `optMap` says its target twice; chains of it must not grow without end. */
const maximalCopy = 10_000;

/** The tree a macro stands for; undefined when the call is none. Source: cel-go's parser/macro.go, ext/comprehensions.go. */
export function expandMacro(
  offset: number,
  name: string,
  target: Node | undefined,
  given: Node[],
  report: MacroReport,
  /** Whether `cel.bind` is one: cel-go's ext.Bindings. */
  bindings = false,
): Node | undefined {
  const make = new Maker(offset);
  if (target === undefined) {
    if (name !== 'has' || given.length !== 1) return undefined;
    const [selection] = given as [Node];
    if (selection.kind === 'select') {
      return { kind: 'select', offset, operand: selection.operand, field: selection.field, isTest: true };
    }
    report(selection.offset, 'invalid argument to has() macro');
    return make.literal(true);
  }
  const isBind = bindings && name === 'bind' && given.length === 3 && target.kind === 'ident' && target.name === 'cel';
  const expand = isBind ? bind : macros[`${name}/${given.length}`];
  try {
    return expand?.(make, target, given);
  } catch (error) {
    if (!(error instanceof MacroMisuse)) throw error;
    report(error.offset, error.text);
    return make.literal(true);
  }
}

class MacroMisuse {
  readonly offset: number;
  readonly text: string;
  constructor(node: Node, text: string) {
    this.offset = node.offset;
    this.text = text;
  }
}

/** All nodes of a macro stand where it is called. */
class Maker {
  readonly offset: number;

  constructor(offset: number) {
    this.offset = offset;
  }

  literal = (value: unknown): Node => ({ kind: 'literal', offset: this.offset, value });
  name = (name: string): IdentNode => ({ kind: 'ident', offset: this.offset, name });
  list = (...elements: Node[]): ListNode => ({
    kind: 'list',
    offset: this.offset,
    elements,
    optionals: new Set(),
  });
  map = (): Node => ({ kind: 'map', offset: this.offset, entries: [] });
  call = (name: string, ...given: Node[]): CallNode => ({
    kind: 'call',
    offset: this.offset,
    function: name,
    arguments: given,
  });
  member = (target: Node, name: string): CallNode => ({ ...this.call(name), target });
  get accumulator(): IdentNode {
    return this.name(ACCUMULATOR);
  }

  loop(
    range: Node,
    variables: string[],
    parts: { initial: Node; condition?: Node; step: Node; result?: Node },
  ): ComprehensionNode {
    return {
      kind: 'comprehension',
      offset: this.offset,
      range,
      variable: variables[0]!,
      ...(variables[1] !== undefined && { variable2: variables[1] }),
      accumulator: ACCUMULATOR,
      condition: this.literal(true),
      result: this.accumulator,
      ...parts,
    };
  }
}

type Expand = (make: Maker, target: Node, given: Node[]) => Node;

function loopVariable(node: Node, complaint: string): string {
  if (node.kind !== 'ident') throw new MacroMisuse(node, complaint);
  if (node.name === visibleAccumulator || node.name === ACCUMULATOR) {
    throw new MacroMisuse(node, 'iteration variable overwrites accumulator variable');
  }
  return node.name;
}

const oneVariable = (given: Node[], complaint = 'argument must be a simple name') => [
  loopVariable(given[0]!, complaint),
];

function twoVariables(given: Node[]): string[] {
  const names = [given[0]!, given[1]!].map((node) => loopVariable(node, 'argument must be a simple name'));
  if (names[0] === names[1]) throw new MacroMisuse(given[1]!, `duplicate variable name: ${names[0]}`);
  return names;
}

const all = (make: Maker, range: Node, variables: string[], predicate: Node) =>
  make.loop(range, variables, {
    initial: make.literal(true),
    condition: make.call('@not_strictly_false', make.accumulator),
    step: make.call('_&&_', make.accumulator, predicate),
  });

const exists = (make: Maker, range: Node, variables: string[], predicate: Node) =>
  make.loop(range, variables, {
    initial: make.literal(false),
    condition: make.call('@not_strictly_false', make.call('!_', make.accumulator)),
    step: make.call('_||_', make.accumulator, predicate),
  });

const existsOne = (make: Maker, range: Node, variables: string[], predicate: Node) =>
  make.loop(range, variables, {
    initial: make.literal(0n),
    step: make.call('_?_:_', predicate, make.call('_+_', make.accumulator, make.literal(1n)), make.accumulator),
    result: make.call('_==_', make.accumulator, make.literal(1n)),
  });

const when = (make: Maker, filter: Node | undefined, step: Node) =>
  filter === undefined ? step : make.call('_?_:_', filter, step, make.accumulator);

const collected = (make: Maker, range: Node, variables: string[], filter: Node | undefined, item: Node) =>
  make.loop(range, variables, {
    initial: make.list(),
    step: when(make, filter, make.call('_+_', make.accumulator, make.list(item))),
  });

const collectedMap = (make: Maker, range: Node, variables: string[], filter: Node | undefined, inserted: Node[]) =>
  make.loop(range, variables, {
    initial: make.map(),
    step: when(make, filter, make.call('cel.@mapInsert', make.accumulator, ...inserted)),
  });

/** The value of an optional under a name. */
function bound(make: Maker, target: Node, given: Node[], macro: string): Node {
  const [variable, body] = given as [Node, Node];
  const initial = make.member(copied(target), 'value');
  return named(make, variable, initial, body, `${macro}() variable name must be a simple identifier`);
}

/** `result` with `initial` under the name that `variable` is: a comprehension over nothing. */
function named(make: Maker, variable: Node, initial: Node, result: Node, misuse: string): Node {
  if (variable.kind !== 'ident') throw new MacroMisuse(variable, misuse);
  return {
    kind: 'comprehension',
    offset: make.offset,
    range: make.list(),
    variable: unused,
    accumulator: variable.name,
    initial,
    condition: make.literal(false),
    step: make.name(variable.name),
    result,
  };
}

const optional = (make: Maker, target: Node, value: Node) =>
  make.call('_?_:_', make.member(target, 'hasValue'), value, make.call('optional.none'));

const macros: Record<string, Expand> = {
  'all/2': (make, range, given) => all(make, range, oneVariable(given), given[1]!),
  'all/3': (make, range, given) => all(make, range, twoVariables(given), given[2]!),
  'exists/2': (make, range, given) => exists(make, range, oneVariable(given), given[1]!),
  'exists/3': (make, range, given) => exists(make, range, twoVariables(given), given[2]!),
  'exists_one/2': (make, range, given) => existsOne(make, range, oneVariable(given), given[1]!),
  'exists_one/3': (make, range, given) => existsOne(make, range, twoVariables(given), given[2]!),
  'existsOne/2': (make, range, given) => existsOne(make, range, oneVariable(given), given[1]!),
  'existsOne/3': (make, range, given) => existsOne(make, range, twoVariables(given), given[2]!),
  'map/2': (make, range, given) =>
    collected(make, range, oneVariable(given, 'argument is not an identifier'), undefined, given[1]!),
  'map/3': (make, range, given) =>
    collected(make, range, oneVariable(given, 'argument is not an identifier'), given[1]!, given[2]!),
  'filter/2': (make, range, given) =>
    collected(make, range, oneVariable(given, 'argument is not an identifier'), given[1]!, given[0]!),
  'transformList/3': (make, range, given) => collected(make, range, twoVariables(given), undefined, given[2]!),
  'transformList/4': (make, range, given) => collected(make, range, twoVariables(given), given[2]!, given[3]!),
  'transformMap/3': (make, range, given) =>
    collectedMap(make, range, twoVariables(given), undefined, [given[0]!, given[2]!]),
  'transformMap/4': (make, range, given) =>
    collectedMap(make, range, twoVariables(given), given[2]!, [given[0]!, given[3]!]),
  'transformMapEntry/3': (make, range, given) => collectedMap(make, range, twoVariables(given), undefined, [given[2]!]),
  'transformMapEntry/4': (make, range, given) => collectedMap(make, range, twoVariables(given), given[2]!, [given[3]!]),
  'sortBy/2': sortBy,
  'optMap/2': (make, target, given) =>
    optional(make, target, make.call('optional.of', bound(make, target, given, 'optMap'))),
  'optFlatMap/2': (make, target, given) => optional(make, target, bound(make, target, given, 'optFlatMap')),
};

/** `cel.bind(name, value, result)`: the result with the value under a name. */
function bind(make: Maker, _target: Node, given: Node[]): Node {
  const [variable, initial, result] = given as [Node, Node, Node];
  return named(make, variable, initial, result, 'cel.bind() variable names must be simple identifiers');
}

/** `list.sortBy(e, key)`: sorted by the keys that are found first. Source: cel-go's ext/lists.go. */
function sortBy(make: Maker, target: Node, given: Node[]): Node {
  const [variable, key] = given as [Node, Node];
  if (!['list', 'select', 'ident', 'comprehension', 'call'].includes(target.kind)) {
    throw new MacroMisuse(
      target,
      `sortBy can only be applied to a list, identifier, comprehension, call or select expression`,
    );
  }
  const name = loopVariable(variable, 'argument must be a simple name');
  const bindName = '@__sortBy_input__';
  const keys = collected(make, make.name(bindName), [name], undefined, key);
  return {
    kind: 'comprehension',
    offset: make.offset,
    range: make.list(),
    variable: unused,
    accumulator: bindName,
    initial: target,
    condition: make.literal(false),
    step: make.name(bindName),
    result: { ...make.call('@sortByAssociatedKeys', keys), target: make.name(bindName) },
  };
}

function copied(node: Node): Node {
  let left = maximalCopy;
  const copy = (value: any): any => {
    if (typeof value !== 'object' || value === null || value instanceof Uint8Array) return value;
    if (value instanceof Set) return new Set(value);
    if (Array.isArray(value)) return value.map(copy);
    if (Object.getPrototypeOf(value) !== Object.prototype) return value;
    if ('offset' in value && --left < 0) throw new MacroMisuse(node, 'expression is too large');
    return Object.fromEntries(Object.entries(value).map(([key, part]) => [key, copy(part)]));
  };
  return copy(node);
}
