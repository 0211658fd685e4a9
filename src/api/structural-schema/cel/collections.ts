import type { Environment } from '@marcbachmann/cel-js';
import { deepEqual } from '../../equality.ts';
import { offer } from './offer.ts';

type Ordered = bigint | number | string | boolean | Date;

/** Kubernetes' lists, and cel-go's sets. */
export function registerCollections(environment: Environment): void {
  const add = (signature: string, handler: (...values: any[]) => unknown) => offer(environment, signature, handler);
  add('list.isSorted(): bool', (list: Ordered[]) => list.every((item, at) => at === 0 || list[at - 1]! <= item));
  add('list.sum(): dyn', (list: (bigint | number)[]) => {
    if (list.length === 0) return 0n;
    return list.reduce((sum, item) => (typeof sum === 'bigint' ? sum + (item as bigint) : Number(sum) + Number(item)));
  });
  add('list.min(): dyn', (list: Ordered[]) => extreme(list, 'min', (a, b) => a < b));
  add('list.max(): dyn', (list: Ordered[]) => extreme(list, 'max', (a, b) => a > b));
  add('list.indexOf(dyn): int', (list: unknown[], wanted: unknown) =>
    BigInt(list.findIndex((item) => same(item, wanted))),
  );
  add('list.lastIndexOf(dyn): int', (list: unknown[], wanted: unknown) =>
    BigInt(list.findLastIndex((item) => same(item, wanted))),
  );
  class Sets {}
  environment.registerType('Sets', Sets);
  environment.registerConstant('sets', 'Sets', new Sets());
  const within = (all: unknown[], some: unknown[]) => some.every((item) => all.some((other) => same(other, item)));
  add('Sets.contains(list, list): bool', (_sets, all: unknown[], some: unknown[]) => within(all, some));
  add('Sets.equivalent(list, list): bool', (_sets, a: unknown[], b: unknown[]) => within(a, b) && within(b, a));
  add('Sets.intersects(list, list): bool', (_sets, a: unknown[], b: unknown[]) =>
    a.some((item) => b.some((other) => same(item, other))),
  );
}

function extreme(list: Ordered[], name: string, isBetter: (a: Ordered, b: Ordered) => boolean): Ordered {
  if (list.length === 0) throw new Error(`${name} called on empty list`);
  return list.reduce((best, item) => (isBetter(item, best) ? item : best));
}

function same(a: unknown, b: unknown): boolean {
  if (a instanceof Date && b instanceof Date) return a.getTime() === b.getTime();
  if (a instanceof Map && b instanceof Map) return deepEqual(Object.fromEntries(a), Object.fromEntries(b));
  return a === b || (typeof a === 'object' && typeof b === 'object' && deepEqual(a, b));
}
