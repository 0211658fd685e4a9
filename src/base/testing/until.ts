/** Resolves when `condition` holds; rejects after `timeoutMs`, with what the condition was. */
export async function until(condition: () => unknown, timeoutMs = 20_000): Promise<void> {
  const deadline = Date.now() + timeoutMs;
  while (!(await condition())) {
    if (Date.now() > deadline) throw new Error(`not true within ${timeoutMs} ms: ${condition.toString()}`);
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
}

/**
 * Lets what goes on in this process come to rest, for tests that nothing more happens. Counted in turns of the event
 * loop: a busy machine makes them longer, not more.
 */
export async function settled(turns = 300): Promise<void> {
  for (let turn = 0; turn < turns; turn++) await new Promise((resolve) => setImmediate(resolve));
}
