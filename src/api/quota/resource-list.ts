import { own } from '../../base/table.ts';
import { addQuantities, canonicalQuantity, compareQuantities, subtractQuantities } from '../quantity.ts';

/** Amounts by the name of their resource: `{ "limits.cpu": "500m", pods: "3" }`. */
export type ResourceList = Readonly<Record<string, string>>;
type Writable = Record<string, string>;

/** Sums by name, into `sum`. */
export function addTo(sum: Writable, other: ResourceList | undefined): Writable {
  for (const name in other) {
    const before = own(sum, name);
    sum[name] = before === undefined ? other[name]! : addQuantities(before, other[name]!);
  }
  return sum;
}

/** The larger of both by name, into `floor`. */
export function raiseTo(floor: Writable, other: ResourceList | undefined): Writable {
  for (const name in other) {
    const before = own(floor, name);
    if (before === undefined || compareQuantities(other[name]!, before) > 0) floor[name] = other[name]!;
  }
  return floor;
}

/** `a - b` by name, nothing below zero. */
export function growth(a: ResourceList, b: ResourceList): Writable {
  const result: Writable = {};
  for (const name in a) {
    const less = own(b, name);
    const difference = less === undefined ? a[name]! : subtractQuantities(a[name]!, less);
    if (compareQuantities(difference, 0) > 0) result[name] = difference;
  }
  return result;
}

export function only(list: ResourceList | undefined, keep: (name: string) => boolean): Writable {
  const result: Writable = {};
  for (const name in list) if (keep(name)) result[name] = list[name]!;
  return result;
}

export const withoutZeros = (list: ResourceList): Writable =>
  only(list, (name) => compareQuantities(list[name]!, 0) !== 0);

export const hasNames = (list: ResourceList | undefined): boolean => {
  for (const _ in list) return true;
  return false;
};

/** The same names with the same amounts, however written. */
export function sameList(a: ResourceList | undefined, b: ResourceList | undefined): boolean {
  const names = Object.keys(a ?? {});
  if (names.length !== Object.keys(b ?? {}).length) return false;
  return names.every((name) => {
    const other = own(b, name);
    return other !== undefined && compareQuantities(a![name]!, other) === 0;
  });
}

/** `cpu=1,pods=5`, sorted: as quota's refusals print it. */
export const printList = (list: ResourceList): string =>
  Object.keys(list)
    .sort()
    .map((name) => `${name}=${canonicalQuantity(list[name]!)}`)
    .join(',');
