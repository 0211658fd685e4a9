/** Of a round that took longer, the rest does not count: the process was held, by a machine that had no time for it. */
const longestRoundMs = 5_000;

/** Resolves when `condition` holds; rejects after `timeoutMs`, with what the condition was. */
export async function until(condition: () => unknown, timeoutMs = 20_000): Promise<void> {
  let leftMs = timeoutMs;
  let askedMs = performance.now();
  while (!(await condition())) {
    if (leftMs < 0) throw new Error(`not true within ${timeoutMs} ms: ${condition.toString()}`);
    await new Promise((resolve) => setTimeout(resolve, 1));
    const nowMs = performance.now();
    leftMs -= Math.min(nowMs - askedMs, longestRoundMs);
    askedMs = nowMs;
  }
}

/**
 * Lets what goes on in this process come to rest, for tests that nothing more happens. Counted in turns of the event
 * loop: a busy machine makes them longer, not more.
 */
export async function settled(turns = 300): Promise<void> {
  for (let turn = 0; turn < turns; turn++) await new Promise((resolve) => setImmediate(resolve));
}
