import { sleep } from '../base/abort.ts';
import type { Logger } from '../base/log.ts';
import type { EtcdStoreOptions } from '../store/etcd/etcd-store.ts';
import { type Store, UnavailableError } from '../store/store.ts';
import { CommandError } from './command-error.ts';

export interface SharedStoreOptions {
  etcd: EtcdStoreOptions;
  logger: Logger;
  /** Once, when etcd does not answer at first: a line for who waits for the start. */
  onWait(line: string): void;
  /** How long it is waited for before the process gives up. */
  patienceMs?: number;
  stop: AbortSignal;
}

/** A machine that starts together with this one has its etcd by then. */
const defaultPatienceMs = 60_000;
const pauseMs = 500;

/**
 * The store of several control planes, waited for at the start. @throws CommandError when it does not answer for so
 * long, or refuses
 */
export async function openSharedStore(options: SharedStoreOptions): Promise<Store> {
  const { etcd, logger, onWait, stop } = options;
  // Loaded where it is used: with its libraries it would be a tenth of an idle control plane's memory.
  const { openEtcdStore } = await import('../store/etcd/etcd-store.ts');
  const where = etcd.endpoints.join(', ');
  let isOpen = false;
  let why = '';
  const told: EtcdStoreOptions = {
    ...etcd,
    onAway(reason) {
      why = reason;
      if (isOpen) logger.error({ reason }, 'etcd does not answer: requests are refused until it does');
    },
    onBack(awayMs) {
      if (isOpen) logger.info({ awayMs: Math.round(awayMs) }, 'etcd answers again');
    },
  };
  const deadlineMs = performance.now() + (options.patienceMs ?? defaultPatienceMs);
  for (let attempt = 1; ; attempt++) {
    try {
      const store = await openEtcdStore(told);
      isOpen = true;
      return store;
    } catch (error) {
      if (!(error instanceof UnavailableError)) throw new CommandError(`etcd at ${where}: ${(error as Error).message}`);
      // Its last words, where it was not given up before.
      if (why === '') why = (error.cause as Error | undefined)?.message ?? error.message;
      const silence = `etcd at ${where} does not answer (${why})`;
      if (stop.aborted || performance.now() > deadlineMs)
        throw new CommandError(`${silence}: start it, or correct --store and --etcd-*`);
      if (attempt === 1) {
        logger.warn({ endpoints: etcd.endpoints, reason: why }, 'etcd does not answer: waiting for it');
        onWait(`${silence}: waiting for it`);
      }
      await sleep(pauseMs, stop);
    }
  }
}
