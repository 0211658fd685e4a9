import { CompileError, type Issue } from '../issues.ts';
import { type Token, tokensOf } from './lexer.ts';
import { bytesLiteral, intLiteral, stringLiteral, uintLiteral } from './literals.ts';
import { expandMacro } from './macros.ts';
import type { ListNode, MapNode, Node, StructNode } from './syntax-tree.ts';

const reservedWords = new Set(
  'as break const continue else false for function if import in let loop package namespace null return true var void while'.split(
    ' ',
  ),
);
const primaryTokens =
  "{'[', '{', '(', '.', '-', '!', 'true', 'false', 'null', NUM_FLOAT, NUM_INT, NUM_UINT, STRING, BYTES, IDENTIFIER}";
const maximalDepth = 250;
const maximalSize = 100_000;
const relations = new Set(['<', '<=', '>=', '>', '==', '!=', 'in']);
const relationNames: Record<string, string> = {
  '<': '_<_',
  '<=': '_<=_',
  '>': '_>_',
  '>=': '_>=_',
  '==': '_==_',
  '!=': '_!=_',
  in: '@in',
};

/** Source text as a tree with its macros expanded. Throws a CompileError. Source: cel-go's parser. */
export function parse(source: string, bindings = false): Node {
  const issues: Issue[] = [];
  if ([...source].length > maximalSize) {
    const message = `expression code point size exceeds limit: size: ${[...source].length}, limit ${maximalSize}`;
    throw new CompileError(source, [{ offset: undefined, message }]);
  }
  const parser = new Parser(tokensOf(source, issues), issues, bindings);
  let tree: Node | undefined;
  try {
    tree = parser.whole();
  } catch (error) {
    if (!(error instanceof SyntaxStop)) throw error;
  }
  if (issues.length > 0) throw new CompileError(source, issues);
  return tree!;
}

/** After a first error in the order of tokens nothing more is looked at. */
class SyntaxStop {}

class Parser {
  readonly #tokens: Token[];
  readonly #issues: Issue[];
  readonly #bindings: boolean;
  #at = 0;
  #depth = 0;

  constructor(tokens: Token[], issues: Issue[], bindings: boolean) {
    this.#bindings = bindings;
    this.#tokens = tokens;
    this.#issues = issues;
  }

  whole(): Node {
    const tree = this.#expression();
    if (this.#next.kind !== 'end') this.#unexpected('<EOF>');
    return tree;
  }

  get #next(): Token {
    return this.#tokens[this.#at]!;
  }

  #is(text: string): boolean {
    const token = this.#next;
    return token.text === text && (token.kind === 'symbol' || (text === 'in' && token.kind === 'identifier'));
  }

  #take(text: string): Token | undefined {
    return this.#is(text) ? this.#tokens[this.#at++] : undefined;
  }

  #expect(text: string, expecting = `'${text}'`): Token {
    return this.#take(text) ?? this.#unexpected(expecting);
  }

  #unexpected(expecting: string): never {
    const { text, offset } = this.#next;
    const isExtra = expecting === '<EOF>' && this.#tokens[this.#at + 1]?.kind === 'end';
    this.#report(
      offset,
      `Syntax error: ${isExtra ? 'extraneous' : 'mismatched'} input '${text}' expecting ${expecting}`,
    );
    throw new SyntaxStop();
  }

  #report(offset: number | undefined, message: string): void {
    this.#issues.push({ offset, message });
  }

  #nested<T>(parse: () => T): T {
    if (++this.#depth > maximalDepth) {
      this.#report(undefined, `expression recursion limit exceeded: ${maximalDepth}`);
      throw new SyntaxStop();
    }
    const result = parse();
    this.#depth--;
    return result;
  }

  #expression(): Node {
    return this.#nested(() => {
      const condition = this.#or();
      const operator = this.#take('?');
      if (operator === undefined) return condition;
      const whenTrue = this.#or();
      this.#expect(':');
      const whenFalse = this.#expression();
      return this.#call(operator.offset, '_?_:_', undefined, [condition, whenTrue, whenFalse]);
    });
  }

  #or(): Node {
    return this.#balanced('||', '_||_', () => this.#and());
  }

  #and(): Node {
    return this.#balanced('&&', '_&&_', () => this.#relation());
  }

  /** Long chains become balanced trees, so that they are not deep. */
  #balanced(symbol: string, name: string, term: () => Node): Node {
    const terms = [term()];
    const offsets: number[] = [];
    for (let token = this.#take(symbol); token !== undefined; token = this.#take(symbol)) {
      offsets.push(token.offset);
      terms.push(term());
    }
    const build = (low: number, high: number): Node => {
      const middle = Math.floor((low + high + 1) / 2);
      const left = middle === low ? terms[middle]! : build(low, middle - 1);
      const right = middle === high ? terms[middle + 1]! : build(middle + 1, high);
      return this.#call(offsets[middle]!, name, undefined, [left, right]);
    };
    return offsets.length === 0 ? terms[0]! : build(0, offsets.length - 1);
  }

  #relation(): Node {
    let left = this.#sum();
    while (relations.has(this.#next.text) && (this.#next.kind === 'symbol' || this.#is('in'))) {
      const { text, offset } = this.#tokens[this.#at++]!;
      left = this.#call(offset, relationNames[text]!, undefined, [left, this.#sum()]);
    }
    return left;
  }

  #sum(): Node {
    return this.#leftAssociative(['+', '-'], () => this.#product());
  }

  #product(): Node {
    return this.#leftAssociative(['*', '/', '%'], () => this.#unary());
  }

  #leftAssociative(symbols: string[], operand: () => Node): Node {
    let left = operand();
    for (let depth = 0; this.#next.kind === 'symbol' && symbols.includes(this.#next.text); depth++) {
      const { text, offset } = this.#tokens[this.#at++]!;
      if (this.#depth + depth > maximalDepth) {
        this.#report(undefined, `expression recursion limit exceeded: ${maximalDepth}`);
        throw new SyntaxStop();
      }
      left = this.#call(offset, `_${text}_`, undefined, [left, operand()]);
    }
    return left;
  }

  #unary(): Node {
    for (const [symbol, name] of [
      ['!', '!_'],
      ['-', '-_'],
    ] as const) {
      if (!this.#is(symbol)) continue;
      const after = this.#tokens[this.#at + 1];
      // A sign belongs to the number behind it.
      if (symbol === '-' && (after?.kind === 'int' || after?.kind === 'double')) return this.#member();
      const { offset } = this.#next;
      let times = 0;
      while (this.#take(symbol) !== undefined) times++;
      const operand = this.#member();
      return times % 2 === 0 ? operand : this.#call(offset, name, undefined, [operand]);
    }
    return this.#member();
  }

  #member(): Node {
    let node = this.#primary();
    for (let depth = this.#depth; ; depth++) {
      if (depth > maximalDepth) {
        this.#report(undefined, `expression recursion limit exceeded: ${maximalDepth}`);
        throw new SyntaxStop();
      }
      const dot = this.#take('.');
      if (dot !== undefined) node = this.#selection(node, dot.offset);
      else {
        const open = this.#take('[');
        if (open === undefined) return node;
        const isOptional = this.#take('?') !== undefined;
        const index = this.#expression();
        this.#expect(']');
        node = this.#call(open.offset, isOptional ? '_[?_]' : '_[_]', undefined, [node, index]);
      }
    }
  }

  #selection(operand: Node, offset: number): Node {
    const isOptional = this.#take('?') !== undefined;
    const name = this.#next;
    const isWord = name.kind === 'identifier' && !['in', 'true', 'false', 'null'].includes(name.text);
    if (!isWord && name.kind !== 'quotedIdentifier') {
      if (isOptional) this.#unexpected('{IDENTIFIER, ESC_IDENTIFIER}');
      const { kind, text, offset } = this.#next;
      this.#report(offset, `Syntax error: no viable alternative at input '.${kind === 'end' ? '' : text}'`);
      throw new SyntaxStop();
    }
    this.#at++;
    const open = !isOptional && isWord ? this.#take('(') : undefined;
    if (open !== undefined) return this.#call(open.offset, name.text, operand, this.#argumentsTo(')'));
    const field = this.#fieldName(name);
    if (!isOptional) return { kind: 'select', offset, operand, field, isTest: false };
    const literal: Node = { kind: 'literal', offset: name.offset, value: field };
    return { kind: 'call', offset, function: '_?._', arguments: [operand, literal] };
  }

  /** Kubernetes leaves cel-go's names in backticks off. */
  #fieldName({ kind, text, offset }: Token): string {
    if (kind === 'identifier') return text;
    this.#report(offset, "unsupported syntax: '`'");
    return text.slice(1, -1);
  }

  #argumentsTo(close: string): Node[] {
    const list: Node[] = [];
    if (this.#take(close) !== undefined) return list;
    do list.push(this.#expression());
    while (this.#take(',') !== undefined);
    this.#expect(close, `{',', '${close}'}`);
    return list;
  }

  #primary(): Node {
    const token = this.#next;
    const { offset } = token;
    switch (token.kind) {
      case 'int':
      case 'uint':
      case 'double':
      case 'string':
      case 'bytes':
        return this.#literal(false);
      case 'identifier':
        return this.#named();
      case 'symbol':
        break;
      default:
        return this.#unexpected(primaryTokens);
    }
    switch (token.text) {
      case '-':
        this.#at++;
        if (this.#next.kind !== 'int' && this.#next.kind !== 'double') this.#unexpected('{NUM_FLOAT, NUM_INT}');
        return this.#literal(true);
      case '.':
        return this.#named();
      case '(': {
        this.#at++;
        const inner = this.#expression();
        this.#expect(')');
        return inner;
      }
      case '[':
        this.#at++;
        return this.#list(offset);
      case '{':
        this.#at++;
        return this.#map(offset);
      default:
        return this.#unexpected(primaryTokens);
    }
  }

  #literal(isNegative: boolean): Node {
    const { kind, text, offset: at } = this.#tokens[this.#at++]!;
    const offset = isNegative ? at - 1 : at;
    let value: unknown;
    try {
      switch (kind) {
        case 'int':
          value = intLiteral(text, isNegative);
          break;
        case 'uint':
          value = uintLiteral(text);
          break;
        case 'double':
          value = isNegative ? -Number(text) : Number(text);
          if (!Number.isFinite(value)) value = undefined;
          break;
        case 'string':
          value = stringLiteral(text);
          break;
        default:
          value = bytesLiteral(text);
      }
      if (value === undefined) this.#report(offset, `invalid ${kind} literal`);
    } catch (error) {
      this.#report(offset, (error as Error).message);
    }
    return { kind: 'literal', offset, value: value ?? null };
  }

  /** A literal word, a name, a call or a message. */
  #named(): Node {
    const dot = this.#take('.');
    const token = this.#next;
    if (token.kind !== 'identifier' || (dot !== undefined && isLiteralWord(token.text))) this.#unexpected('IDENTIFIER');
    const { text, offset } = token;
    if (text === 'in') this.#unexpected(primaryTokens);
    this.#at++;
    if (isLiteralWord(text)) {
      return { kind: 'literal', offset, value: text === 'null' ? null : text === 'true' };
    }
    const name = dot === undefined ? text : `.${text}`;
    const message = this.#messageName(name);
    if (message !== undefined) return this.#message(message);
    if (reservedWords.has(text)) this.#report(offset, `reserved identifier: ${text}`);
    const open = this.#take('(');
    if (open !== undefined) return this.#call(open.offset, name, undefined, this.#argumentsTo(')'));
    return { kind: 'ident', offset, name };
  }

  /** `a.b.C` when a `{` follows it. */
  #messageName(first: string): string | undefined {
    let name = first;
    let at = this.#at;
    while (this.#tokens[at]?.text === '.' && this.#tokens[at + 1]?.kind === 'identifier') {
      name += `.${this.#tokens[at + 1]!.text}`;
      at += 2;
    }
    const brace = this.#tokens[at];
    if (brace?.kind !== 'symbol' || brace.text !== '{') return undefined;
    this.#at = at;
    return name;
  }

  #message(typeName: string): StructNode {
    const { offset } = this.#expect('{');
    const node: StructNode = { kind: 'struct', offset, typeName, fields: [] };
    while (!this.#is('}')) {
      const isOptional = this.#take('?') !== undefined;
      const token = this.#next;
      const { kind } = token;
      if (kind !== 'identifier' && kind !== 'quotedIdentifier') {
        this.#unexpected("{'}', ',', '?', IDENTIFIER, ESC_IDENTIFIER}");
      }
      this.#at++;
      const colon = this.#expect(':');
      const name = this.#fieldName(token);
      node.fields.push({ offset: colon.offset, name, value: this.#expression(), isOptional });
      if (this.#take(',') === undefined) break;
    }
    this.#expect('}', "{'}', ','}");
    return node;
  }

  #list(offset: number): ListNode {
    const node: ListNode = { kind: 'list', offset, elements: [], optionals: new Set() };
    while (!this.#is(']')) {
      if (this.#take('?') !== undefined) node.optionals.add(node.elements.length);
      node.elements.push(this.#expression());
      if (this.#take(',') === undefined) break;
    }
    this.#expect(']', "{']', ','}");
    return node;
  }

  #map(offset: number): MapNode {
    const node: MapNode = { kind: 'map', offset, entries: [] };
    while (!this.#is('}')) {
      const isOptional = this.#take('?') !== undefined;
      const key = this.#expression();
      const colon = this.#expect(':');
      node.entries.push({ offset: colon.offset, key, value: this.#expression(), isOptional });
      if (this.#take(',') === undefined) break;
    }
    this.#expect('}', "{'}', ','}");
    return node;
  }

  #call(offset: number, name: string, target: Node | undefined, list: Node[]): Node {
    const report = (at: number, message: string) => this.#report(at, message);
    const expanded = expandMacro(offset, name, target, list, report, this.#bindings);
    if (expanded !== undefined) return expanded;
    return {
      kind: 'call',
      offset,
      function: name,
      ...(target !== undefined && { target }),
      arguments: list,
    };
  }
}

const isLiteralWord = (text: string) => text === 'true' || text === 'false' || text === 'null';
