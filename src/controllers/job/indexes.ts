/** Completion indexes as ordered, disjoint, non-adjacent ranges: ten thousand of them are `0-9999`. */
export class IndexSet {
  readonly #ranges: readonly { first: number; last: number }[];

  constructor(ranges: readonly { first: number; last: number }[] = []) {
    this.#ranges = ranges;
  }

  /** `1,3-5`; what is broken or beyond `completions` is left out. */
  static parse(text: string | undefined, completions: number): IndexSet {
    const ranges: { first: number; last: number }[] = [];
    for (const part of (text ?? '').split(',')) {
      const match = /^(\d+)(?:-(\d+))?$/.exec(part);
      if (match === null) continue;
      const first = Number(match[1]);
      if (first >= completions) break;
      const last = Math.min(Number(match[2] ?? first), completions - 1);
      const previous = ranges.at(-1);
      if (previous !== undefined && previous.last === first - 1) previous.last = last;
      else ranges.push({ first, last });
    }
    return new IndexSet(ranges);
  }

  static of(indexes: Iterable<number>): IndexSet {
    return new IndexSet().with(indexes);
  }

  with(indexes: Iterable<number>): IndexSet {
    const single = [...new Set(indexes)].sort((a, b) => a - b).map((index) => ({ first: index, last: index }));
    return this.union(new IndexSet(single));
  }

  union(other: IndexSet): IndexSet {
    const merged: { first: number; last: number }[] = [];
    for (const range of [...this.#ranges, ...other.#ranges].sort((a, b) => a.first - b.first)) {
      const previous = merged.at(-1);
      if (previous !== undefined && range.first <= previous.last + 1)
        previous.last = Math.max(previous.last, range.last);
      else merged.push({ ...range });
    }
    return new IndexSet(merged);
  }

  get size(): number {
    return this.#ranges.reduce((sum, { first, last }) => sum + last - first + 1, 0);
  }

  has(index: number): boolean {
    let low = 0;
    let high = this.#ranges.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#ranges[middle]!.last >= index) high = middle;
      else low = middle + 1;
    }
    return low < this.#ranges.length && this.#ranges[low]!.first <= index;
  }

  /** How many indexes both have. */
  overlap(other: IndexSet): number {
    let count = 0;
    for (const a of this.#ranges) {
      for (const b of other.#ranges) {
        count += Math.max(0, Math.min(a.last, b.last) - Math.max(a.first, b.first) + 1);
      }
    }
    return count;
  }

  /** The first `count` indexes below `completions` that are not in the set. */
  firstMissing(count: number, completions: number): number[] {
    const missing: number[] = [];
    let candidate = 0;
    for (const { first, last } of [...this.#ranges, { first: completions, last: completions }]) {
      for (; candidate < first && candidate < completions && missing.length < count; candidate++)
        missing.push(candidate);
      candidate = Math.max(candidate, last + 1);
    }
    return missing;
  }

  /** As Job status writes it: two neighbours are `1,2`, more are `1-3`. */
  toString(): string {
    return this.#ranges
      .map(({ first, last }) => (first === last ? `${first}` : `${first}${last === first + 1 ? ',' : '-'}${last}`))
      .join(',');
  }
}
