import type { Node } from '../syntax/syntax-tree.ts';
import type { CelType } from '../types.ts';

/** Costs and sizes are ranges, and end where Go's unsigned integers end. Source: cel-go's checker/cost.go. */
export interface Range {
  min: number;
  max: number;
}
export type Cost = Range;

export const MAXIMUM = 2 ** 64;
const capped = (value: number) => Math.min(value, MAXIMUM);

export const fixed = (value: number): Range => ({ min: value, max: value });
export const unknownSize: Range = { min: 0, max: MAXIMUM };

export const add = (a: Range, b: Range): Range => ({ min: capped(a.min + b.min), max: capped(a.max + b.max) });
export const multiply = (a: Range, b: Range): Range => ({ min: product(a.min, b.min), max: product(a.max, b.max) });
export const union = (a: Range, b: Range): Range => ({ min: Math.min(a.min, b.min), max: Math.max(a.max, b.max) });
/** Rounded up. */
export const scale = (range: Range, factor: number): Range => ({
  min: capped(Math.ceil(range.min * factor)),
  max: capped(Math.ceil(range.max * factor)),
});

const product = (a: number, b: number) => (a === 0 || b === 0 ? 0 : capped(a * b));

/** What is in a list or map. */
export interface EntrySizes {
  kind: 'list' | 'map';
  key: Range;
  value: Range;
}

export interface EstimatedNode {
  /** From a variable through fields, `@items`, `@keys`, `@values`; undefined where there is no such way. */
  path: string[] | undefined;
  type: CelType;
  node: Node | undefined;
  size: Range | undefined;
}

/** How large what a path leads to may be; undefined where nothing is known. */
export type SizeEstimator = (path: readonly string[]) => number | undefined;

/** What the estimate of an expression has found so far. */
export interface KnownSizes {
  estimateSize(path: string[] | undefined): Range | undefined;
  entrySizes(node: Node): EntrySizes | undefined;
  setEntrySizes(node: Node, sizes: EntrySizes | undefined): void;
}
