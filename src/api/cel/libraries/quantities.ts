import { formatQuantity, parseQuantity, type Quantity } from '../../quantity.ts';
import type { Functions } from '../declarations.ts';
import { structOf } from '../types.ts';
import { EvaluationFailure, noSuchOverload, type Opaque } from '../values.ts';

const nanosPerUnit = 1_000_000_000n;

class CelQuantity implements Opaque {
  readonly celType = structOf('kubernetes.Quantity');
  readonly quantity: Quantity;
  /** Of the integer upstream keeps it in; undefined: in a decimal. What was written with a fraction is no integer. */
  readonly scale: number | undefined;
  constructor(quantity: Quantity, scale: number | undefined) {
    this.quantity = quantity;
    this.scale = scale;
  }
  get nanos(): bigint {
    return this.quantity.nanos;
  }
  equals(other: unknown): boolean {
    if (!(other instanceof CelQuantity)) throw noSuchOverload();
    return this.nanos === other.nanos;
  }
  plus(nanos: bigint, scale: number | undefined): CelQuantity {
    const sum = { ...this.quantity, nanos: this.nanos + nanos };
    if (nanos === 0n) return new CelQuantity(sum, this.scale);
    if (this.nanos === 0n) return new CelQuantity(sum, scale);
    const both = this.scale === undefined || scale === undefined ? undefined : Math.min(this.scale, scale);
    return new CelQuantity(sum, both);
  }
  toString(): string {
    return formatQuantity(this.quantity);
  }
}

function parse(text: string): CelQuantity {
  try {
    return new CelQuantity(parseQuantity(text), scaleOf(text));
  } catch (error) {
    throw new EvaluationFailure((error as Error).message);
  }
}

const suffixScales: Record<string, number> = { n: -9, u: -6, m: -3, '': 0, k: 3, M: 6, G: 9, T: 12, P: 15, E: 18 };

/** Source: the fast path of ParseQuantity. */
function scaleOf(text: string): number | undefined {
  const [, whole = '', fraction = '', suffix = ''] = /^[+-]?(\d*)\.?(\d*)(.*)$/.exec(text)!;
  const digits = whole.replace(/^0+/, '') || '0';
  const binary = ['', 'Ki', 'Mi', 'Gi', 'Ti', 'Pi', 'Ei'].indexOf(suffix);
  if (binary > 0) return fraction === '' && 14 - digits.length - 3 * binary >= 0 ? 0 : undefined;
  if (digits.length + fraction.length > 18) return undefined;
  const scale = (suffixScales[suffix] ?? Number(suffix.slice(1))) - fraction.length;
  return scale < -9 ? undefined : scale;
}

const isWhole = ({ nanos, scale }: CelQuantity) =>
  scale !== undefined && scale >= 0 && BigInt.asIntN(64, nanos / nanosPerUnit) === nanos / nanosPerUnit;
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
  pair('add', 'quantity_add', type, (a, b) => a.plus(b.nanos, b.scale));
  pair('sub', 'quantity_sub', type, (a, b) => a.plus(-b.nanos, b.scale));
  functions
    .member('add', 'quantity_add_int', `(${type}, int) ${type}`, (a: CelQuantity, b: bigint) =>
      a.plus(b * nanosPerUnit, 0),
    )
    .member('sub', 'quantity_sub_int', `(${type}, int) ${type}`, (a: CelQuantity, b: bigint) =>
      a.plus(-b * nanosPerUnit, 0),
    );
}
