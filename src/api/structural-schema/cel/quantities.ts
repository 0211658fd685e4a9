import type { Environment } from '@marcbachmann/cel-js';
import { canonicalQuantity, parseQuantity } from '../../quantity.ts';
import { offer } from './offer.ts';

export class CelQuantity {
  readonly nanos: bigint;

  constructor(nanos: bigint) {
    this.nanos = nanos;
  }
}

const nanosPerUnit = 1_000_000_000n;

/** Kubernetes' quantity library. */
export function registerQuantities(environment: Environment): void {
  const add = (signature: string, handler: (...values: any[]) => unknown) => offer(environment, signature, handler);
  environment.registerType('kubernetes.Quantity', CelQuantity);
  const type = 'kubernetes.Quantity';
  add(`quantity(string): ${type}`, (text: string) => new CelQuantity(parseQuantity(text).nanos));
  add('isQuantity(string): bool', (text: string) => {
    try {
      canonicalQuantity(text);
      return true;
    } catch {
      return false;
    }
  });
  add(`${type}.isInteger(): bool`, ({ nanos }: CelQuantity) => nanos % nanosPerUnit === 0n);
  add(`${type}.asInteger(): int`, ({ nanos }: CelQuantity) => {
    if (nanos % nanosPerUnit !== 0n) throw new Error('cannot convert value to integer');
    return nanos / nanosPerUnit;
  });
  add(`${type}.asApproximateFloat(): double`, ({ nanos }: CelQuantity) => Number(nanos) / 1e9);
  add(`${type}.sign(): int`, ({ nanos }: CelQuantity) => (nanos > 0n ? 1n : nanos < 0n ? -1n : 0n));
  add(`${type}.add(${type}): ${type}`, (a: CelQuantity, b: CelQuantity) => new CelQuantity(a.nanos + b.nanos));
  add(`${type}.add(int): ${type}`, (a: CelQuantity, b: bigint) => new CelQuantity(a.nanos + b * nanosPerUnit));
  add(`${type}.sub(${type}): ${type}`, (a: CelQuantity, b: CelQuantity) => new CelQuantity(a.nanos - b.nanos));
  add(`${type}.sub(int): ${type}`, (a: CelQuantity, b: bigint) => new CelQuantity(a.nanos - b * nanosPerUnit));
  add(`${type}.isLessThan(${type}): bool`, (a: CelQuantity, b: CelQuantity) => a.nanos < b.nanos);
  add(`${type}.isGreaterThan(${type}): bool`, (a: CelQuantity, b: CelQuantity) => a.nanos > b.nanos);
  add(`${type}.compareTo(${type}): int`, (a: CelQuantity, b: CelQuantity) =>
    a.nanos < b.nanos ? -1n : a.nanos > b.nanos ? 1n : 0n,
  );
}
