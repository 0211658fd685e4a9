/** The smallest whole number >= 0 that is not taken. */
export function smallestUnused(taken: ReadonlySet<number>): number {
  let index = 0;
  while (taken.has(index)) index++;
  return index;
}
