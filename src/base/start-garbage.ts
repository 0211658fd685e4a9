import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

/** A start has come to rest by then. */
const afterStartMs = 2_000;
/** A larger heap is no start's garbage, and would take long to look through. */
const heapLimitBytes = 64 * 2 ** 20;

/**
 * Gives back what loading the program left behind: a fifth of the memory of an idle process. V8 itself does so only when
 * something is allocated, and where nothing happens nothing is. Takes some 50 ms, once, two seconds from now. The
 * function returned calls it off.
 */
export function dropStartGarbage(): () => void {
  const timer = setTimeout(() => {
    if (process.memoryUsage().heapUsed > heapLimitBytes) return;
    setFlagsFromString('--expose-gc');
    const collect = runInNewContext('gc') as (options: object) => void;
    setFlagsFromString('--no-expose-gc');
    collect({ type: 'major', execution: 'sync', flavor: 'last-resort' });
  }, afterStartMs).unref();
  return () => clearTimeout(timer);
}
