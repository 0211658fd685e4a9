import { formatMicroTime, type KubeObject } from '../api/object.ts';
import { LEASES } from '../api/resources.ts';
import { isNotFound } from '../api/status.ts';
import { pause } from '../base/abort.ts';
import { type Clock, spanClock } from '../base/clock.ts';
import type { Logger } from '../base/log.ts';
import type { Client, ResourceClient } from './client.ts';

export interface LeaderElectionOptions {
  client: Client;
  clock: Clock;
  logger: Logger;
  tenant: string;
  namespace: string;
  /** Of the Lease. */
  name: string;
  /** Unique among the candidates. */
  identity: string;
  /** How long others wait after the holder's last renewal they saw. */
  leaseDurationMs?: number;
  /** The holder steps down when it could not renew for so long. */
  renewDeadlineMs?: number;
  retryPeriodMs?: number;
}

interface Lease extends KubeObject {
  spec?: {
    holderIdentity?: string;
    leaseDurationSeconds?: number;
    acquireTime?: string;
    renewTime?: string;
    leaseTransitions?: number;
  };
}

/**
 * Calls `lead` while this candidate holds the Lease, as client-go's leaderelection does: only local spans of time are
 * trusted, so candidates' clocks may differ, and be set. `lead`'s signal aborts when the Lease is lost or `signal`
 * aborts; then `runWhileLeader` waits for it to end, releases the Lease if it still holds it, and campaigns again unless
 * stopped.
 */
export async function runWhileLeader(
  options: LeaderElectionOptions,
  lead: (signal: AbortSignal) => Promise<void>,
  signal: AbortSignal,
): Promise<void> {
  const { clock, logger, identity } = options;
  const retryPeriodMs = options.retryPeriodMs ?? 2_000;
  const renewDeadlineMs = options.renewDeadlineMs ?? 10_000;
  const elector = new Elector(options);
  const spanMs = spanClock(clock);

  while (!signal.aborted) {
    // Counted from when it was asked for: what others see is not older.
    let renewedMs = spanMs();
    while (!signal.aborted && !(await within(clock, renewDeadlineMs, elector.tryAcquireOrRenew()))) {
      await pause(clock, retryPeriodMs * (1 + Math.random() * 1.2), signal);
      renewedMs = spanMs();
    }
    if (signal.aborted) break;
    logger.info({ identity, lease: options.name }, 'became the leader');
    const leading = new AbortController();
    const stop = () => leading.abort();
    signal.addEventListener('abort', stop, { once: true });
    const work = lead(leading.signal).finally(stop);
    // Awaited below, once the election has ended.
    work.catch(() => {});
    while (!leading.signal.aborted) {
      await pause(clock, retryPeriodMs, leading.signal);
      if (leading.signal.aborted) break;
      const askedMs = spanMs();
      if (await within(clock, renewedMs + renewDeadlineMs - askedMs, elector.tryAcquireOrRenew())) renewedMs = askedMs;
      else if (spanMs() - renewedMs >= renewDeadlineMs) {
        logger.error({ identity, lease: options.name }, 'lost the lease');
        leading.abort();
      }
    }
    signal.removeEventListener('abort', stop);
    try {
      await work;
    } finally {
      logger.info({ identity, lease: options.name }, 'leads no more');
      await within(
        clock,
        renewDeadlineMs,
        elector.release().then(() => true),
      );
    }
  }
}

class Elector {
  readonly #leases: ResourceClient<Lease>;
  readonly #options: LeaderElectionOptions;
  readonly #leaseDurationMs: number;
  readonly #spanMs: () => number;
  #observed: Lease | undefined;
  /** By the local clock, when the record was last seen to change. */
  #observedMs = 0;

  constructor(options: LeaderElectionOptions) {
    this.#options = options;
    this.#spanMs = spanClock(options.clock);
    this.#leaseDurationMs = options.leaseDurationMs ?? 15_000;
    this.#leases = options.client.resource<Lease>(options.tenant, LEASES, options.namespace);
  }

  #observe(lease: Lease): void {
    if (JSON.stringify(lease.spec) !== JSON.stringify(this.#observed?.spec)) {
      this.#observedMs = this.#spanMs();
    }
    this.#observed = lease;
  }

  async tryAcquireOrRenew(): Promise<boolean> {
    const { clock, identity, name, namespace, logger } = this.#options;
    const now = formatMicroTime(clock.now());
    try {
      let current: Lease;
      try {
        current = await this.#leases.get(name);
      } catch (error) {
        if (!isNotFound(error)) throw error;
        const created = await this.#leases.create({
          apiVersion: 'coordination.k8s.io/v1',
          kind: 'Lease',
          metadata: { name, namespace },
          spec: {
            holderIdentity: identity,
            leaseDurationSeconds: Math.round(this.#leaseDurationMs / 1000),
            acquireTime: now,
            renewTime: now,
            leaseTransitions: 0,
          },
        });
        this.#observe(created);
        return true;
      }
      this.#observe(current);
      const holder = current.spec?.holderIdentity ?? '';
      const isMine = holder === identity;
      if (!isMine && holder !== '' && this.#observedMs + this.#leaseDurationMs > this.#spanMs()) return false;
      const updated = await this.#leases.update({
        ...current,
        spec: {
          ...current.spec,
          holderIdentity: identity,
          leaseDurationSeconds: Math.round(this.#leaseDurationMs / 1000),
          acquireTime: isMine ? (current.spec?.acquireTime ?? now) : now,
          renewTime: now,
          leaseTransitions: (current.spec?.leaseTransitions ?? 0) + (isMine ? 0 : 1),
        },
      });
      this.#observe(updated);
      return true;
    } catch (error) {
      logger.debug({ error, lease: name }, 'the lease could not be acquired or renewed');
      return false;
    }
  }

  /** Lets the next candidate in at once. */
  async release(): Promise<void> {
    const { clock, identity, logger } = this.#options;
    if (this.#observed?.spec?.holderIdentity !== identity) return;
    const now = formatMicroTime(clock.now());
    try {
      await this.#leases.update({
        ...this.#observed,
        spec: { ...this.#observed.spec, holderIdentity: '', leaseDurationSeconds: 1, acquireTime: now, renewTime: now },
      });
    } catch (error) {
      logger.debug({ error }, 'the lease was not released; it runs out by itself');
    }
    this.#observed = undefined;
  }
}

/** false when the answer is not there in time: a leader whose server hangs must step down all the same. */
function within(clock: Clock, limitMs: number, answer: Promise<boolean>): Promise<boolean> {
  return new Promise((resolve) => {
    const cancel = clock.schedule(Math.max(limitMs, 1), () => resolve(false));
    answer.then(
      (value) => {
        cancel();
        resolve(value);
      },
      () => {
        cancel();
        resolve(false);
      },
    );
  });
}
