import { type Clock, spanClock } from '../base/clock.ts';
import type { Logger } from '../base/log.ts';
import { ClosedError, type Store } from '../store/store.ts';

export interface CompactionOptions {
  /** History this young is kept: clients resume watches and page through lists within it. Upstream's five minutes. */
  keepMs: number;
  /** At most so many revisions are kept, however young. */
  keepRevisions: number;
}

export const defaultCompaction: CompactionOptions = { keepMs: 5 * 60_000, keepRevisions: 500_000 };

/** How often the newest revision is noted. */
const stepMs = 60_000;

/**
 * Forgets old history, a step a minute: what was the newest revision `keepMs` ago is the oldest kept. Returns what
 * stops it.
 */
export function startCompaction(store: Store, clock: Clock, logger: Logger, options: CompactionOptions): () => void {
  const marks: { atMs: number; revision: number }[] = [];
  const spanMs = spanClock(clock);
  let compacted = 0;
  let stopped = false;
  let cancel = clock.schedule(0, step);

  function step(): void {
    run()
      .catch((error) => {
        if (!stopped && !(error instanceof ClosedError)) logger.warn({ error }, 'could not compact the store');
      })
      .finally(() => {
        if (!stopped) cancel = clock.schedule(stepMs, step);
      });
  }

  async function run(): Promise<void> {
    const nowMs = spanMs();
    const current = await store.currentRevision();
    marks.push({ atMs: nowMs, revision: current });
    let target = current - options.keepRevisions;
    while (marks.length > 0 && marks[0]!.atMs <= nowMs - options.keepMs)
      target = Math.max(target, marks.shift()!.revision);
    if (target <= compacted || target < 1) return;
    await store.compact(target);
    compacted = target;
    logger.debug({ revision: target }, 'compacted the store');
  }

  return () => {
    stopped = true;
    cancel();
  };
}
