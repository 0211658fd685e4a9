import { sleep } from '../base/abort.ts';
import { type Store, UnavailableError, UnknownOutcomeError } from '../store/store.ts';

const pauseMs = 500;

interface PatientStore extends Store {
  /** From now on whoever finds the store away is told at once. */
  endPatience(): void;
}

/**
 * A store that may go away while a control plane starts on it: what it does not do is asked for again, for so long in
 * all. Writes whose outcome is unknown too: all that a start writes is written where nothing is, so twice is as good as
 * once. `onWait` hears once why.
 */
export function patientStore(
  inner: Store,
  options: { patienceMs: number; stop: AbortSignal; onWait(error: Error): void },
): PatientStore {
  let leftMs = options.patienceMs;
  let hasWaited = false;
  const patiently = async <T>(ask: () => Promise<T>): Promise<T> => {
    for (;;) {
      const askedMs = performance.now();
      try {
        return await ask();
      } catch (error) {
        if (!isAway(error) || leftMs <= 0 || options.stop.aborted) throw error;
        if (!hasWaited) options.onWait(error as Error);
        hasWaited = true;
        await sleep(pauseMs, options.stop);
        leftMs -= performance.now() - askedMs;
      }
    }
  };
  return {
    get: (key) => patiently(() => inner.get(key)),
    range: (request) => patiently(() => inner.range(request)),
    commit: (transaction) => patiently(() => inner.commit(transaction)),
    currentRevision: () => patiently(() => inner.currentRevision()),
    watch: (request) => inner.watch(request),
    compact: (revision) => inner.compact(revision),
    sizeBytes: async () => inner.sizeBytes?.(),
    close: () => inner.close(),
    endPatience: () => void (leftMs = 0),
  };
}

export const isAway = (error: unknown): boolean =>
  error instanceof UnavailableError || error instanceof UnknownOutcomeError;
