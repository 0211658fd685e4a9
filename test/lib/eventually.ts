/** Of a round that took longer, the rest does not count: this process was held, by a machine that had no time for it. */
const longestRoundMs = 10_000;

/**
 * Waits until `condition` is truthy; its value. Errors of a condition count as "not yet" only when `retryErrors`. Time in
 * which this process was held does not count.
 */
export async function eventually<T>(
  what: string,
  condition: () => T | Promise<T>,
  { timeoutMs = 120_000, intervalMs = 100, retryErrors = false } = {},
): Promise<Exclude<T, false | undefined | null | ''>> {
  let leftMs = timeoutMs;
  let last: unknown;
  for (;;) {
    const startedMs = performance.now();
    try {
      last = await condition();
      if (last) return last as Exclude<T, false | undefined | null | ''>;
    } catch (error) {
      if (!retryErrors) throw error;
      last = error;
    }
    if (leftMs < 0) throw new Error(`timed out waiting for: ${what} (last: ${String(last)})`);
    await new Promise((resolve) => setTimeout(resolve, intervalMs));
    leftMs -= Math.min(performance.now() - startedMs, longestRoundMs);
  }
}
