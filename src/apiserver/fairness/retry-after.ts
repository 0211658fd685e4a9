const longestSeconds = 32;

/**
 * How long a refused client is asked to wait: doubled while many are refused, then a second less at a time.
 * Source: apiserver/pkg/util/flowcontrol/dropped_requests_tracker.go.
 */
export class RetryAfter {
  seconds = 1;
  /** Refused by second, oldest first. */
  #history: { second: number; refused: number }[] = [];
  #raisedAt = 0;

  /** Notes one refused request; returns the seconds to ask for. */
  refused(nowMs: number): number {
    const now = Math.floor(nowMs / 1000);
    const last = this.#history.at(-1);
    if (last?.second === now) {
      last.refused++;
      return this.seconds;
    }
    this.#history = this.#history.filter(({ second }) => now - second <= longestSeconds);
    let refused = 0;
    for (const past of this.#history) if (now - past.second <= this.seconds) refused += past.refused;
    this.#history.push({ second: now, refused: 1 });
    if (now - this.#raisedAt >= this.seconds && refused >= 3 * this.seconds) {
      this.seconds = Math.min(this.seconds * 2, longestSeconds);
      this.#raisedAt = now;
    } else if (refused < this.seconds && this.seconds > 1) {
      this.seconds--;
    }
    return this.seconds;
  }
}
