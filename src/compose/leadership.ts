import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import { LEASES } from '../api/resources.ts';
import { serviceUnavailable } from '../api/status.ts';
import type { Transport } from '../api/transport.ts';
import { aborted, sleep } from '../base/abort.ts';
import type { Clock } from '../base/clock.ts';
import type { Logger } from '../base/log.ts';
import { Client, SYSTEM_TENANT } from '../client/client.ts';
import { runWhileLeader } from '../client/leader-election.ts';
import type { FencedStore } from '../store/fenced-store.ts';
import type { ControlPlaneSettings } from './control-plane-settings.ts';

export interface LeadershipOptions {
  store: FencedStore;
  /** The API in this process. */
  transport: Transport;
  election: ControlPlaneSettings['election'];
  clock: Clock;
  logger: Logger;
}

const namespace = 'kube-system';
const leaseName = 'skypod-control-plane';
/** No resource has this key. Its holder's name, written once a term. */
const termKey = '/skypod.internal/terms/control-plane';
const termRetryMs = 500;

/**
 * Of several control planes one at a time does `work`, all the others wait. What the client given to `work` writes is
 * fenced: when the next one's term has begun, nothing of it arrives any more, however long this process slept.
 */
export function leadInTurn(
  options: LeadershipOptions,
  work: (client: Client, signal: AbortSignal) => Promise<void>,
  stop: AbortSignal,
): Promise<void> {
  const { store, transport, election, clock, logger } = options;
  const identity = `${hostname()}_${randomUUID()}`;
  const client = new Client(transport);
  // The process ends what has not ended before another may lead.
  const stepDownMs = election.leaseDurationMs - election.renewDeadlineMs;

  const lead = async (signal: AbortSignal): Promise<void> => {
    // Its commit may still arrive when the lease is lost: it names the lease as it was, and so does nothing then.
    const begun = beginTerm(options, client, identity, signal);
    const modRevision = await Promise.race([begun, aborted(signal).then(() => undefined)]);
    if (modRevision === undefined) return;
    const replaced = new AbortController();
    const fence = { key: termKey, modRevision, onLost: () => replaced.abort() };
    const over = AbortSignal.any([signal, replaced.signal]);
    const unlessOver = givenUpWhen(over);
    const fenced = new Client({
      request: (request) => unlessOver(() => store.within(fence, () => transport.request(request))),
      watch: (request) => transport.watch(request),
    });
    const overdue = aborted(over)
      .then(() => sleep(stepDownMs))
      .then(() => 'overdue' as const);
    const ended = await Promise.race([work(fenced, over), overdue]);
    if (ended !== 'overdue' || stop.aborted) return;
    logger.error({ identity }, 'work went on after the lease was lost: the process ends');
    process.exit(1);
  };
  const lease = { tenant: SYSTEM_TENANT, namespace, name: leaseName, identity };
  return runWhileLeader({ client, clock, logger, ...lease, ...election }, lead, stop);
}

/**
 * Nobody waits for answers once `over` aborts, and nothing is asked any more: the work of a leader that is none any more
 * would end with the last of them, and of a store it cannot reach they come late.
 */
function givenUpWhen(over: AbortSignal): <T>(ask: () => Promise<T>) => Promise<T> {
  const waiting = new Set<(error: Error) => void>();
  const lost = () => serviceUnavailable('the lease was lost');
  const giveUp = () => {
    for (const reject of waiting) reject(lost());
  };
  over.addEventListener('abort', giveUp, { once: true });
  return (ask) =>
    new Promise((resolve, reject) => {
      if (over.aborted) return reject(lost());
      waiting.add(reject);
      ask()
        .then(resolve, reject)
        .finally(() => waiting.delete(reject));
    });
}

/**
 * Writes the term, if the lease is held at that very moment. undefined when it is not, or no longer: until then a store
 * that is away is waited for.
 */
async function beginTerm(
  { store, logger }: LeadershipOptions,
  client: Client,
  identity: string,
  signal: AbortSignal,
): Promise<number | undefined> {
  const leaseKey = `/${LEASES.group}/${LEASES.resource}/${SYSTEM_TENANT}/${namespace}/${leaseName}`;
  const leases = client.resource(SYSTEM_TENANT, LEASES, namespace);
  while (!signal.aborted) {
    try {
      const lease = await leases.get(leaseName);
      if (lease['spec']?.holderIdentity !== identity) return undefined;
      const result = await store.commit({
        compare: [{ key: leaseKey, modRevision: Number(lease.metadata.resourceVersion) }],
        operations: [{ type: 'put', key: termKey, value: Buffer.from(identity) }],
      });
      if (result.committed) return result.revision;
      // Renewed in between, or taken by another.
      await sleep(10, signal);
    } catch (error) {
      logger.warn({ error }, 'the term could not be begun; trying again');
      await sleep(termRetryMs, signal);
    }
  }
  return undefined;
}
