import { sleep } from '../base/abort.ts';
import type { Clock } from '../base/clock.ts';
import type { Logger } from '../base/log.ts';
import type { EtcdStoreOptions } from '../store/etcd/etcd-store.ts';
import { type Store, UnavailableError } from '../store/store.ts';
import { CommandError } from './command-error.ts';
import { type EtcdTlsFiles, followEtcdTls, readEtcdTls } from './etcd-tls.ts';

export interface SharedStoreOptions {
  etcd: EtcdStoreOptions;
  /** Read anew when they change; `etcd.tls` is what they say at first. */
  tlsFiles?: EtcdTlsFiles;
  clock: Clock;
  logger: Logger;
  /** Nothing was heard of etcd for so long that whoever watches should do so elsewhere; or it is heard again. */
  onSilence?(isSilent: boolean): void;
  /** Once, when etcd does not answer at first: a line for who waits for the start. */
  onWait(line: string): void;
  /** How long it is waited for before the process gives up. */
  patienceMs?: number;
  stop: AbortSignal;
}

/** A machine that starts together with this one has its etcd by then. */
export const storePatienceMs = 60_000;
const pauseMs = 500;
/**
 * After it was told that etcd is away. By then a load balancer that looks at /readyz has left, so that clients who
 * connect anew come to another control plane; and a cluster that elects a leader has one.
 */
const silentAfterMs = 7_000;

/**
 * The store of several control planes, waited for at the start. @throws CommandError when it does not answer for so
 * long, or refuses
 */
export async function openSharedStore(options: SharedStoreOptions): Promise<Store> {
  const { etcd, tlsFiles, logger, onWait, stop } = options;
  // Loaded where it is used: with its libraries it would be a tenth of an idle control plane's memory.
  const { openEtcdStore } = await import('../store/etcd/etcd-store.ts');
  const where = etcd.endpoints.join(', ');
  let isOpen = false;
  let why = '';
  let isSilent = false;
  let cancelSilence = () => {};
  const told: EtcdStoreOptions = {
    ...etcd,
    onAway(reason) {
      why = reason;
      if (!isOpen) return;
      logger.error({ reason }, 'etcd does not answer: requests are refused until it does');
      cancelSilence = options.clock.schedule(silentAfterMs, () => {
        isSilent = true;
        logger.error({}, 'etcd is silent: watches end, and clients are asked to connect to others');
        options.onSilence?.(true);
      });
    },
    onBack(awayMs) {
      if (!isOpen) return;
      cancelSilence();
      logger.info({ awayMs: Math.round(awayMs) }, 'etcd answers again');
      if (isSilent) options.onSilence?.(false);
      isSilent = false;
    },
  };
  const deadlineMs = performance.now() + (options.patienceMs ?? storePatienceMs);
  for (let attempt = 1; ; attempt++) {
    try {
      const tls = attempt > 1 && tlsFiles !== undefined ? readEtcdTls(tlsFiles) : etcd.tls;
      const store = await openEtcdStore({ ...told, ...(tls !== undefined && { tls }) });
      isOpen = true;
      const stopFollowing =
        tlsFiles === undefined || tls === undefined
          ? () => {}
          : followEtcdTls(store, tlsFiles, { clock: options.clock, logger, first: tls });
      stop.addEventListener('abort', stopFollowing, { once: true });
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
