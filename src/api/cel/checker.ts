import type { FunctionDeclaration, Functions, Overload } from './declarations.ts';
import type { Issue } from './issues.ts';
import { assign, assignAll, mostGeneral, Substitution, substitute } from './syntax/substitution.ts';
import {
  type CallNode,
  type ComprehensionNode,
  type IdentNode,
  type ListNode,
  type MapNode,
  type Node,
  nodesOf,
  qualifiedName,
  type SelectNode,
  type StructNode,
} from './syntax/syntax-tree.ts';
import {
  boolType,
  bytesType,
  type CelType,
  doubleType,
  durationType,
  dynType,
  errorType,
  formatType,
  intType,
  isDyn,
  listOf,
  mapOf,
  nullType,
  opaqueOf,
  optionalOf,
  sameType,
  stringType,
  timestampType,
  typeOf,
  typeParameter,
  typeType,
  uintType,
  unwrapOptional,
} from './types.ts';
import { typeOfValue } from './values.ts';

/** Named types with fields. */
export interface StructTypes {
  has(name: string): boolean;
  fieldOf(name: string, field: string): CelType | undefined;
}

/** What an expression may name. */
export interface Declarations {
  functions: Functions;
  /** `authorizer.requestResource` is a name too. */
  variables: ReadonlyMap<string, CelType>;
  structs: StructTypes;
}

const typeNames = new Map<string, CelType>(
  [
    boolType,
    bytesType,
    doubleType,
    dynType,
    intType,
    nullType,
    stringType,
    timestampType,
    durationType,
    typeType,
    uintType,
    listOf(dynType),
    mapOf(dynType, dynType),
    opaqueOf('net.IP'),
    opaqueOf('net.CIDR'),
    optionalOf(typeParameter('V')),
  ].map((type) => [type.name, type]),
);

/** Gives every node its type and every call its overloads; what is wrong goes to `issues`. Source: cel-go's checker. */
export function check(tree: Node, declarations: Declarations, issues: Issue[]): void {
  new Checker(declarations, issues).checkAll(tree);
}

class Checker {
  readonly #functions: Functions;
  readonly #structs: StructTypes;
  readonly #issues: Issue[];
  readonly #scopes: ReadonlyMap<string, CelType>[];
  readonly #substitution = new Substitution();
  #free = 0;

  constructor({ functions, variables, structs }: Declarations, issues: Issue[]) {
    this.#functions = functions;
    this.#structs = structs;
    this.#issues = issues;
    this.#scopes = [variables];
  }

  checkAll(tree: Node): void {
    this.#check(tree);
    for (const node of nodesOf(tree)) node.type = substitute(this.#substitution, node.type ?? errorType, true);
  }

  #report(node: { offset: number }, message: string): void {
    this.#issues.push({ offset: node.offset, message });
  }

  #check(node: Node): CelType {
    node.type = this.#typeOf(node);
    return node.type;
  }

  #typeOf(node: Node): CelType {
    switch (node.kind) {
      case 'literal':
        return typeOfValue(node.value);
      case 'ident':
        return this.#ident(node);
      case 'select':
        return this.#select(node);
      case 'call':
        return this.#call(node);
      case 'list':
        return this.#list(node);
      case 'map':
        return this.#map(node);
      case 'struct':
        return this.#struct(node);
      case 'comprehension':
        return this.#comprehension(node);
    }
  }

  #find(name: string): { type: CelType; typeValue?: CelType } | undefined {
    for (let at = this.#scopes.length - 1; at >= 0; at--) {
      const type = this.#scopes[at]!.get(name);
      if (type !== undefined) return { type };
    }
    const named = this.#structs.has(name) ? { kind: 'struct' as const, name, parameters: [] } : typeNames.get(name);
    return named === undefined ? undefined : { type: typeOf(named), typeValue: named };
  }

  #ident(node: IdentNode): CelType {
    const name = node.name.replace(/^\./, '');
    const found = this.#find(name);
    if (found === undefined) {
      this.#report(node, `undeclared reference to '${node.name}' (in container '')`);
      return errorType;
    }
    node.name = name;
    if (found.typeValue !== undefined) node.typeValue = found.typeValue;
    return found.type;
  }

  #select(node: SelectNode): CelType {
    const name = qualifiedName(node);
    const found = name === undefined ? undefined : this.#find(name);
    if (found !== undefined) {
      // The whole chain is one name: the node becomes it.
      const ident: IdentNode = { kind: 'ident', offset: node.offset, name: name! };
      if (found.typeValue !== undefined) ident.typeValue = found.typeValue;
      Object.assign(node, { operand: undefined, field: undefined, isTest: undefined }, ident);
      return found.type;
    }
    const result = this.#selectField(node, node.operand, node.field, false);
    return node.isTest ? boolType : substitute(this.#substitution, result, false);
  }

  #selectField(node: Node, operand: Node, field: string, isOptional: boolean): CelType {
    const operandType = substitute(this.#substitution, this.#check(operand), false);
    const [target, wasOptional] = unwrapOptional(operandType);
    let result: CelType = errorType;
    switch (target.kind) {
      case 'map':
        result = target.parameters[1]!;
        break;
      case 'struct':
        if (!this.#structs.has(target.name)) this.#report(node, `unexpected failed resolution of '${target.name}'`);
        else {
          const found = this.#structs.fieldOf(target.name, field);
          if (found === undefined) this.#report(node, `undefined field '${field}'`);
          else result = found;
        }
        break;
      case 'typeParameter':
        this.#assign(dynType, target);
        result = dynType;
        break;
      default:
        if (!isDyn(target) && target.kind !== 'error') {
          this.#report(node, `type '${formatType(target)}' does not support field selection`);
        }
        result = dynType;
    }
    return wasOptional || isOptional ? optionalOf(result) : result;
  }

  #call(node: CallNode): CelType {
    if (node.function === '_?._') {
      const [operand, field] = node.arguments as [Node, Node];
      this.#check(field);
      const result = this.#selectField(node, operand, field.kind === 'literal' ? String(field.value) : '', true);
      node.overloads = ['select_optional_field'];
      return substitute(this.#substitution, result, false);
    }
    for (const argument of node.arguments) this.#check(argument);
    if (node.target === undefined) {
      const name = node.function.replace(/^\./, '');
      const declaration = this.#functions.find(name);
      if (declaration === undefined) return this.#undeclared(node);
      node.function = name;
      return this.#resolve(node, declaration);
    }
    const prefix = qualifiedName(node.target);
    const namespaced = prefix === undefined ? undefined : `${prefix.replace(/^\./, '')}.${node.function}`;
    const declaration = namespaced === undefined ? undefined : this.#functions.find(namespaced);
    if (declaration !== undefined) {
      delete node.target;
      node.function = namespaced!;
      return this.#resolve(node, declaration);
    }
    this.#check(node.target);
    const member = this.#functions.find(node.function);
    return member === undefined ? this.#undeclared(node) : this.#resolve(node, member);
  }

  #undeclared(node: CallNode): CelType {
    this.#report(node, `undeclared reference to '${node.function}' (in container '')`);
    return errorType;
  }

  #resolve(node: CallNode, declaration: FunctionDeclaration): CelType {
    const { target } = node;
    const given = (target === undefined ? node.arguments : [target, ...node.arguments]).map(({ type }) => type!);
    if (node.function === '_&&_' || node.function === '_||_') return this.#logic(node, given, declaration);
    const ids: string[] = [];
    let result: CelType | undefined;
    for (const overload of declaration.overloads) {
      if (overload.isMember !== (target !== undefined)) continue;
      const { parameters, result: overloadResult } = this.#instantiate(overload);
      if (!assignAll(this.#substitution, given, parameters)) continue;
      ids.push(overload.id);
      const found = substitute(this.#substitution, overloadResult, false);
      if (result === undefined) result = found;
      else if (!isDyn(result) && !sameType(found, result)) result = dynType;
    }
    if (result !== undefined) {
      node.overloads = ids;
      return result;
    }
    const types = given.map((type) => formatType(substitute(this.#substitution, type, true)));
    const signature = target === undefined ? `(${types.join(', ')})` : `${types[0]}.(${types.slice(1).join(', ')})`;
    this.#report(node, `found no matching overload for '${declaration.name}' applied to '${signature}'`);
    return errorType;
  }

  #logic(node: CallNode, given: CelType[], declaration: FunctionDeclaration): CelType {
    let isWrong = false;
    given.forEach((type, at) => {
      if (this.#assign(type, boolType)) return;
      isWrong = true;
      this.#mismatch(node.arguments[at]!, boolType, type);
    });
    node.overloads = [declaration.overloads[0]!.id];
    return isWrong ? errorType : boolType;
  }

  #instantiate({ parameters, result, free }: Overload): { parameters: CelType[]; result: CelType } {
    if (free.length === 0) return { parameters, result };
    const fresh = new Substitution();
    for (const name of free) fresh.add(typeParameter(name), this.#newVariable());
    return {
      parameters: parameters.map((type) => substitute(fresh, type, false)),
      result: substitute(fresh, result, false),
    };
  }

  #list(node: ListNode): CelType {
    let itemType: CelType | undefined;
    node.elements.forEach((element, at) => {
      let type = this.#check(element);
      if (node.optionals.has(at)) type = this.#unwrapped(element, type);
      itemType = this.#join(element, itemType, type);
    });
    return listOf(itemType ?? this.#newVariable());
  }

  #map(node: MapNode): CelType {
    let keyType: CelType | undefined;
    let valueType: CelType | undefined;
    for (const { key, value, isOptional } of node.entries) {
      keyType = this.#join(key, keyType, this.#check(key));
      const type = this.#check(value);
      valueType = this.#join(value, valueType, isOptional ? this.#unwrapped(value, type) : type);
    }
    return mapOf(keyType ?? this.#newVariable(), valueType ?? this.#newVariable());
  }

  #unwrapped(node: Node, type: CelType): CelType {
    const [inner, isOptional] = unwrapOptional(type);
    if (!isOptional && !isDyn(inner)) this.#mismatch(node, optionalOf(inner), inner);
    return inner;
  }

  #struct(node: StructNode): CelType {
    const name = node.typeName.replace(/^\./, '');
    const found = this.#find(name);
    let result: CelType = errorType;
    if (found === undefined) this.#report(node, `undeclared reference to '${node.typeName}' (in container '')`);
    else if (found.typeValue === undefined) this.#report(node, `'${formatType(found.type)}' is not a type`);
    else if (found.typeValue.kind !== 'struct') this.#report(node, `'${name}' is not a message type`);
    else result = found.typeValue;
    if (found === undefined) return errorType;
    node.typeName = name;
    for (const field of node.fields) {
      const type = this.#check(field.value);
      const valueType = field.isOptional ? this.#unwrapped(field.value, type) : type;
      if (result.kind === 'error') continue;
      const wanted = this.#structs.fieldOf(name, field.name);
      if (wanted === undefined) this.#report(field, `undefined field '${field.name}'`);
      else if (!this.#assign(wanted, valueType)) {
        this.#report(
          field,
          `expected type of field '${field.name}' is '${formatType(wanted)}' but provided type is '${formatType(valueType)}'`,
        );
      }
    }
    return result;
  }

  #comprehension(node: ComprehensionNode): CelType {
    const range = substitute(this.#substitution, this.#check(node.range), false);
    const accumulator = this.#check(node.initial);
    this.#scopes.push(new Map([[node.accumulator, accumulator]]));
    const [first, second] = this.#variableTypes(node, range);
    const inner = new Map([[node.variable, first]]);
    if (node.variable2 !== undefined) inner.set(node.variable2, second);
    this.#scopes.push(inner);
    this.#check(node.condition);
    this.#expect(node.condition, boolType);
    this.#check(node.step);
    this.#expect(node.step, accumulator);
    this.#scopes.pop();
    const result = this.#check(node.result);
    this.#scopes.pop();
    return substitute(this.#substitution, result, false);
  }

  /** Of the loop's first and second variable. */
  #variableTypes(node: ComprehensionNode, range: CelType): [CelType, CelType] {
    const hasTwo = node.variable2 !== undefined;
    switch (range.kind) {
      case 'list':
        return hasTwo ? [intType, range.parameters[0]!] : [range.parameters[0]!, dynType];
      case 'map':
        return [range.parameters[0]!, range.parameters[1]!];
      case 'dyn':
      case 'error':
      case 'typeParameter':
        this.#assign(dynType, range);
        return [dynType, dynType];
      default:
        this.#report(
          node.range,
          `expression of type '${formatType(range)}' cannot be range of a comprehension (must be list, map, or dynamic)`,
        );
        return [errorType, errorType];
    }
  }

  /** The common type of a literal's parts. */
  #join(node: Node, previous: CelType | undefined, current: CelType): CelType {
    if (previous === undefined) return current;
    if (this.#assign(previous, current)) return mostGeneral(previous, current);
    this.#mismatch(node, previous, current);
    return dynType;
  }

  #expect(node: Node, wanted: CelType): void {
    if (!this.#assign(wanted, node.type!)) this.#mismatch(node, wanted, node.type!);
  }

  #mismatch(node: Node, wanted: CelType, found: CelType): void {
    this.#report(node, `expected type '${formatType(wanted)}' but found '${formatType(found)}'`);
  }

  #assign(wanted: CelType, given: CelType): boolean {
    return assign(this.#substitution, wanted, given);
  }

  #newVariable(): CelType {
    return typeParameter(`_var${this.#free++}`);
  }
}
