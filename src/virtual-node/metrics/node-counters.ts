/** Of these many tenants' nodes sums are kept, the oldest forgotten first: counters may begin anew at any time. */
const mostNodes = 10_000;

interface Sum {
  total: number;
  /** What each container had used when it was last looked at. */
  seen: Map<string, number>;
}

/**
 * A node's CPU time out of that of its containers, which come and go, whereas a counter must not fall: what was used
 * between two looks is added up.
 */
export class NodeCounters {
  readonly #sums = new Map<string, Sum>();

  /** @param used by container, since it began */
  add(node: string, used: ReadonlyMap<string, number>): number {
    const sum = this.#sums.get(node) ?? { total: 0, seen: new Map<string, number>() };
    for (const [container, value] of used) {
      const before = sum.seen.get(container) ?? 0;
      // Less than before: it was started again.
      sum.total += value >= before ? value - before : value;
    }
    sum.seen = new Map(used);
    this.#sums.delete(node);
    if (this.#sums.size >= mostNodes) this.#sums.delete(this.#sums.keys().next().value!);
    this.#sums.set(node, sum);
    return sum.total;
  }
}
