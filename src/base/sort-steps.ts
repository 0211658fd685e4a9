import type { Steps } from './steps.ts';

const itemsAtOnce = 256;

/** Sorts in place, stably, in steps. */
export function* sortSteps<T>(items: T[], compare: (a: T, b: T) => number): Steps<void> {
  let from = items;
  let to: T[] = new Array(items.length);
  for (let start = 0; start < items.length; start += itemsAtOnce) {
    const run = items.slice(start, start + itemsAtOnce).sort(compare);
    for (let index = 0; index < run.length; index++) items[start + index] = run[index]!;
    yield;
  }
  for (let width = itemsAtOnce; width < items.length; width *= 2) {
    let count = 0;
    for (let start = 0; start < items.length; start += 2 * width) {
      const middle = Math.min(start + width, items.length);
      const end = Math.min(start + 2 * width, items.length);
      let left = start;
      let right = middle;
      for (let at = start; at < end; at++) {
        const takesLeft = left < middle && (right >= end || compare(from[left]!, from[right]!) <= 0);
        to[at] = from[takesLeft ? left++ : right++]!;
        if (++count % itemsAtOnce === 0) yield;
      }
    }
    [from, to] = [to, from];
  }
  if (from !== items) for (let index = 0; index < items.length; index++) items[index] = from[index]!;
}
