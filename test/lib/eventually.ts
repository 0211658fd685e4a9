/** Waits until `condition` is truthy; its value. Errors of a condition count as "not yet" only when `retryErrors`. */
export async function eventually<T>(
  what: string,
  condition: () => T | Promise<T>,
  { timeoutMs = 120_000, intervalMs = 100, retryErrors = false } = {},
): Promise<Exclude<T, false | undefined | null | ''>> {
  const deadline = Date.now() + timeoutMs;
  let last: unknown;
  for (;;) {
    try {
      last = await condition();
      if (last) return last as Exclude<T, false | undefined | null | ''>;
    } catch (error) {
      if (!retryErrors) throw error;
      last = error;
    }
    if (Date.now() > deadline) throw new Error(`timed out waiting for: ${what} (last: ${String(last)})`);
    await new Promise((resolve) => setTimeout(resolve, intervalMs));
  }
}
