import { type CelType, isDyn, sameType } from '../types.ts';

/**
 * What type parameters stand for. Names are unique: the checker numbers those it makes. What was added since a mark can be
 * taken back: a long expression has thousands of them, so nothing is copied.
 */
export class Substitution {
  readonly #types = new Map<string, CelType>();
  readonly #journal: [name: string, before: CelType | undefined][] = [];

  find(type: CelType): CelType | undefined {
    return type.kind === 'typeParameter' ? this.#types.get(type.name) : undefined;
  }

  add(from: CelType, to: CelType): void {
    this.#journal.push([from.name, this.#types.get(from.name)]);
    this.#types.set(from.name, to);
  }

  mark(): number {
    return this.#journal.length;
  }

  rollBack(mark: number): void {
    while (this.#journal.length > mark) {
      const [name, before] = this.#journal.pop()!;
      if (before === undefined) this.#types.delete(name);
      else this.#types.set(name, before);
    }
  }
}

/** A type with its parameters replaced; what is still free becomes dyn when asked for. */
export function substitute(substitution: Substitution, type: CelType, freeToDyn: boolean): CelType {
  const found = substitution.find(type);
  if (found !== undefined) return substitute(substitution, found, freeToDyn);
  if (type.kind === 'typeParameter') return freeToDyn ? { kind: 'dyn', name: 'dyn', parameters: [] } : type;
  if (type.parameters.length === 0) return type;
  return { ...type, parameters: type.parameters.map((part) => substitute(substitution, part, freeToDyn)) };
}

/** Whether a value of the second type may stand where the first is wanted; if so, what that takes is substituted. */
export const assign = (substitution: Substitution, wanted: CelType, given: CelType): boolean =>
  assignAll(substitution, [wanted], [given]);

export function assignAll(substitution: Substitution, wanted: readonly CelType[], given: readonly CelType[]): boolean {
  const mark = substitution.mark();
  if (areAssignable(substitution, wanted, given)) return true;
  substitution.rollBack(mark);
  return false;
}

const areAssignable = (substitution: Substitution, a: readonly CelType[], b: readonly CelType[]): boolean =>
  a.length === b.length && a.every((type, index) => isAssignable(substitution, type, b[index]!));

const isWild = (type: CelType) => isDyn(type) || type.kind === 'error';

function isAssignable(substitution: Substitution, a: CelType, b: CelType): boolean {
  if (b.kind === 'typeParameter') {
    const [isValid, hasSubstitute] = stands(substitution, a, b);
    if (isValid) return true;
    if (hasSubstitute) return false;
  }
  if (a.kind === 'typeParameter') return stands(substitution, b, a)[0];
  if (isWild(a) || isWild(b)) return true;
  if (a.kind === 'null') return isNullable(b);
  if (b.kind === 'null') return isNullable(a);
  switch (a.kind) {
    case 'type':
      return b.kind === 'type';
    case 'opaque':
    case 'list':
    case 'map':
      return a.kind === b.kind && a.name === b.name && areAssignable(substitution, a.parameters, b.parameters);
    default:
      return sameType(a, b);
  }
}

const isNullable = (type: CelType) => ['null', 'opaque', 'struct', 'duration', 'timestamp'].includes(type.kind);

/** Whether a type may stand for a parameter, and whether something stands for that already. */
function stands(substitution: Substitution, type: CelType, parameter: CelType): [boolean, boolean] {
  if (sameType(type, parameter)) return [true, true];
  const known = substitution.find(parameter);
  if (known !== undefined) {
    if (sameType(type, known)) return [true, true];
    if (!isAssignable(substitution, type, known)) return [false, true];
    const general = mostGeneral(type, known);
    if (isAbsentIn(substitution, parameter, general)) substitution.add(parameter, general);
    return [true, true];
  }
  if (!isAbsentIn(substitution, parameter, type)) return [false, false];
  substitution.add(parameter, type);
  return [true, false];
}

function isAbsentIn(substitution: Substitution, parameter: CelType, within: CelType): boolean {
  if (sameType(parameter, within)) return false;
  if (within.kind === 'typeParameter') {
    const known = substitution.find(within);
    return known === undefined || isAbsentIn(substitution, parameter, known);
  }
  return within.parameters.every((part) => isAbsentIn(substitution, parameter, part));
}

export const mostGeneral = (a: CelType, b: CelType): CelType => (isEqualOrLessSpecific(a, b) ? a : b);

function isEqualOrLessSpecific(a: CelType, b: CelType): boolean {
  if (isDyn(a) || a.kind === 'typeParameter') return true;
  if (isDyn(b) || b.kind === 'typeParameter' || a.kind !== b.kind) return false;
  if (a.kind === 'type') return true;
  return (
    a.name === b.name &&
    a.parameters.length === b.parameters.length &&
    a.parameters.every((part, index) => isEqualOrLessSpecific(part, b.parameters[index]!))
  );
}
