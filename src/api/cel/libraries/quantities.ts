import { formatQuantity, parseQuantity, type Quantity } from '../../quantity.ts';
import type { Functions } from '../declarations.ts';
import { structOf } from '../types.ts';
import { EvaluationFailure, noSuchOverload, type Opaque } from '../values.ts';

const nanosPerUnit = 1_000_000_000n;

class CelQuantity implements Opaque {
  readonly celType = structOf('kubernetes.Quantity');
  readonly quantity: Quantity;
  constructor(quantity: Quantity) {
    this.quantity = quantity;
  }
  get nanos(): bigint {
    return this.quantity.nanos;
  }
  equals(other: unknown): boolean {
    if (!(other instanceof CelQuantity)) throw noSuchOverload();
    return this.nanos === other.nanos;
  }
  plus(nanos: bigint): CelQuantity {
    return new CelQuantity({ ...this.quantity, nanos: this.nanos + nanos });
  }
  toString(): string {
    return formatQuantity(this.quantity);
  }
}

function parse(text: string): CelQuantity {
  try {
    return new CelQuantity(parseQuantity(text));
  } catch (error) {
    throw new EvaluationFailure((error as Error).message);
  }
}

const isWhole = ({ nanos }: CelQuantity) =>
  nanos % nanosPerUnit === 0n && BigInt.asIntN(64, nanos / nanosPerUnit) === nanos / nanosPerUnit;
const order = (a: bigint, b: bigint) => (a < b ? -1n : a > b ? 1n : 0n);

/** Kubernetes' quantity library. */
export function addQuantities(functions: Functions): void {
  const type = 'kubernetes.Quantity';
  functions
    .add('quantity', 'string_to_quantity', `(string) ${type}`, parse)
    .add('isQuantity', 'is_quantity_string', '(string) bool', (text: string) => {
      try {
        parseQuantity(text);
        return true;
      } catch {
        return false;
      }
    })
    // Upstream declares this one as a function, though its documentation calls it on quantities.
    .add('sign', 'quantity_sign', `(${type}) int`, ({ nanos }: CelQuantity) => order(nanos, 0n))
    .member('isInteger', 'quantity_is_integer', `(${type}) bool`, isWhole)
    .member('asInteger', 'quantity_get_int', `(${type}) int`, (quantity: CelQuantity) => {
      if (!isWhole(quantity)) throw new EvaluationFailure('cannot convert value to integer');
      return quantity.nanos / nanosPerUnit;
    })
    .member(
      'asApproximateFloat',
      'quantity_get_float',
      `(${type}) double`,
      ({ nanos }: CelQuantity) => Number(nanos) / 1e9,
    );
  const pair = (name: string, id: string, result: string, run: (a: CelQuantity, b: CelQuantity) => unknown) =>
    functions.member(name, id, `(${type}, ${type}) ${result}`, run);
  pair('isLessThan', 'quantity_is_less_than', 'bool', (a, b) => a.nanos < b.nanos);
  pair('isGreaterThan', 'quantity_is_greater_than', 'bool', (a, b) => a.nanos > b.nanos);
  pair('compareTo', 'quantity_compare_to', 'int', (a, b) => order(a.nanos, b.nanos));
  pair('add', 'quantity_add', type, (a, b) => a.plus(b.nanos));
  pair('sub', 'quantity_sub', type, (a, b) => a.plus(-b.nanos));
  functions
    .member('add', 'quantity_add_int', `(${type}, int) ${type}`, (a: CelQuantity, b: bigint) =>
      a.plus(b * nanosPerUnit),
    )
    .member('sub', 'quantity_sub_int', `(${type}, int) ${type}`, (a: CelQuantity, b: bigint) =>
      a.plus(-b * nanosPerUnit),
    );
}
