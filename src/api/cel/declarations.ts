import {
  boolType,
  bytesType,
  type CelType,
  doubleType,
  durationType,
  dynType,
  intType,
  listOf,
  mapOf,
  nullType,
  opaqueOf,
  optionalOf,
  stringType,
  structOf,
  timestampType,
  typeOf,
  typeParameter,
  uintType,
} from './types.ts';
import {
  CelList,
  CelMap,
  Duration,
  EvaluationFailure,
  isOpaque,
  Optional,
  Timestamp,
  TypeValue,
  typeNameOf,
  Uint,
} from './values.ts';

/** Works on values as values.ts has them; throws an EvaluationFailure. */
export type Implementation = (...values: any[]) => unknown;

export interface Overload {
  /** cel-go's: costs go by it. */
  id: string;
  isMember: boolean;
  /** The target of a member first. */
  parameters: CelType[];
  result: CelType;
  /** Names of the type parameters within. */
  free: string[];
  run?: Implementation;
}

export interface FunctionDeclaration {
  name: string;
  overloads: Overload[];
  /** One for all overloads, which tells the types apart itself. */
  run?: Implementation;
}

/** What an expression may call. Libraries add to it; made once and shared. */
export class Functions {
  readonly #declared = new Map<string, FunctionDeclaration>();

  find(name: string): FunctionDeclaration | undefined {
    return this.#declared.get(name);
  }

  /** `add('size', 'size_list', '(list(A)) int', run)` */
  add(name: string, id: string, signature: string, run?: Implementation): this {
    return this.#put(name, id, signature, false, run);
  }

  /** The first parameter is the value it is called on. */
  member(name: string, id: string, signature: string, run?: Implementation): this {
    return this.#put(name, id, signature, true, run);
  }

  /** An implementation for all overloads of a name. */
  implement(name: string, run: Implementation): this {
    this.#declared.get(name)!.run = run;
    return this;
  }

  extended(add: (functions: Functions) => void): Functions {
    const copy = new Functions();
    for (const [name, { overloads, ...rest }] of this.#declared) {
      copy.#declared.set(name, { ...rest, overloads: [...overloads] });
    }
    add(copy);
    return copy;
  }

  #put(name: string, id: string, signature: string, isMember: boolean, run: Implementation | undefined): this {
    let declaration = this.#declared.get(name);
    if (declaration === undefined) {
      declaration = { name, overloads: [] };
      this.#declared.set(name, declaration);
    }
    const free = new Set<string>();
    const reader = new SignatureReader(signature, free);
    const parameters = reader.parameters();
    const result = reader.type();
    declaration.overloads.push({
      id,
      isMember,
      parameters,
      result,
      free: [...free],
      ...(run !== undefined && { run }),
    });
    return this;
  }
}

const named: Record<string, CelType> = {
  bool: boolType,
  bytes: bytesType,
  double: doubleType,
  duration: durationType,
  dyn: dynType,
  int: intType,
  null: nullType,
  string: stringType,
  timestamp: timestampType,
  uint: uintType,
  'net.IP': opaqueOf('net.IP'),
  'net.CIDR': opaqueOf('net.CIDR'),
};

/** `(list(A), kubernetes.URL) optional(map(string, B))` */
class SignatureReader {
  readonly #words: string[];
  readonly #free: Set<string>;

  constructor(signature: string, free: Set<string>) {
    this.#words = signature.match(/[\w.]+|[(),]/g)!;
    this.#free = free;
  }

  parameters(): CelType[] {
    const list: CelType[] = [];
    this.#words.shift();
    while (this.#words[0] !== ')') {
      list.push(this.type());
      if (this.#words[0] === ',') this.#words.shift();
    }
    this.#words.shift();
    return list;
  }

  type(): CelType {
    const word = this.#words.shift()!;
    const inner = this.#words[0] === '(' ? this.parameters() : [];
    switch (word) {
      case 'list':
        return listOf(inner[0]!);
      case 'map':
        return mapOf(inner[0]!, inner[1]!);
      case 'optional':
        return optionalOf(inner[0]!);
      case 'type':
        return typeOf(inner[0]!);
    }
    if (/^[A-Z]$/.test(word)) {
      this.#free.add(word);
      return typeParameter(word);
    }
    return named[word] ?? structOf(word);
  }
}

/** Whether a value may be given where a type is wanted; lists and maps are known by their first entry. */
export function accepts(type: CelType, value: unknown): boolean {
  switch (type.kind) {
    case 'bool':
      return typeof value === 'boolean';
    case 'int':
      return typeof value === 'bigint';
    case 'double':
      return typeof value === 'number';
    case 'string':
      return typeof value === 'string';
    case 'bytes':
      return value instanceof Uint8Array;
    case 'uint':
      return value instanceof Uint;
    case 'list':
      return value instanceof CelList && (value.size === 0 || accepts(type.parameters[0]!, value.at(0)));
    case 'map':
      return value instanceof CelMap;
    case 'null':
      return value === null;
    case 'duration':
      return value instanceof Duration;
    case 'timestamp':
      return value instanceof Timestamp;
    case 'type':
      return value instanceof TypeValue;
    case 'struct':
    case 'opaque':
      if (type.name === 'optional_type') return value instanceof Optional;
      if (value instanceof CelMap) return value.typeName === type.name;
      return isOpaque(value) && value.celType.name === type.name;
    default:
      return true;
  }
}

/** What runs a call, given the overloads the checker admits. */
export function implementationOf(declaration: FunctionDeclaration, ids: readonly string[]): Implementation {
  if (declaration.run !== undefined) return declaration.run;
  const overloads = declaration.overloads.filter(({ id, run }) => run !== undefined && ids.includes(id));
  return (...values) => {
    for (const { parameters, run } of overloads) {
      if (parameters.length === values.length && parameters.every((type, index) => accepts(type, values[index]))) {
        return run!(...values);
      }
    }
    const types = values.map(typeNameOf).join(', ');
    throw new EvaluationFailure(`no such overload: ${declaration.name}(${types})`);
  };
}
