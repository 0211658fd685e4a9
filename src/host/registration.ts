import { deepEqual } from '../api/equality.ts';
import { formatMicroTime, type KubeObject } from '../api/object.ts';
import type { Host } from '../api/pool.ts';
import { HOST_LEASE_NAMESPACE } from '../api/pool.ts';
import { HOSTS, LEASES } from '../api/resources.ts';
import { isAlreadyExists, isConflict, isNotFound } from '../api/status.ts';
import { sleep } from '../base/abort.ts';
import type { Clock } from '../base/clock.ts';
import type { Logger } from '../base/log.ts';
import { type Client, SYSTEM_TENANT } from '../client/client.ts';

const LEASE_SECONDS = 40;
const RENEW_INTERVAL_MS = 10_000;
const INDEX_POLL_MS = 100;
const API_VERSION = 'pool.skypod.io/v1alpha1';

export interface RegistrationOptions {
  client: Client;
  name: string;
  zone: string;
  zones: string[];
  clock: Clock;
  logger: Logger;
}

/**
 * Makes sure that the Host object stands with its zones, and waits until the control plane has given it an index.
 * Rejects with StatusError.
 */
export async function registerHost({
  client,
  name,
  zone,
  zones,
}: RegistrationOptions): Promise<Host & { spec: { index: number } }> {
  const hosts = client.resource<Host>(SYSTEM_TENANT, HOSTS);
  for (;;) {
    try {
      const own = await hosts.get(name);
      if (own.spec.zone !== zone || own.spec.zones?.join() !== zones.join()) {
        await hosts.update({ ...own, apiVersion: API_VERSION, kind: 'Host', spec: { ...own.spec, zone, zones } });
      } else if (own.spec.index !== undefined) {
        return own as Host & { spec: { index: number } };
      } else {
        await sleep(INDEX_POLL_MS);
      }
    } catch (error) {
      if (isNotFound(error)) {
        const host = { apiVersion: API_VERSION, kind: 'Host', metadata: { name }, spec: { zone, zones } };
        await hosts.create(host).catch((refusal) => {
          if (!isAlreadyExists(refusal)) throw refusal;
        });
      } else if (!isConflict(error)) throw error;
    }
  }
}

/** Writes the status when it differs from what was written last. */
export class HostStatusWriter {
  readonly #options: RegistrationOptions;
  #written: Host['status'];

  constructor(options: RegistrationOptions, written: Host['status']) {
    this.#options = options;
    this.#written = written;
  }

  get written(): Host['status'] {
    return this.#written;
  }

  async write(status: NonNullable<Host['status']>): Promise<void> {
    if (deepEqual(this.#written, status)) return;
    const { client, name } = this.#options;
    await client.resource<Host>(SYSTEM_TENANT, HOSTS).patch(name, 'merge', { status }, 'status');
    this.#written = status;
  }
}

/** Renews the Lease every 10 s until the signal; makes it when it is not there. Its namespace is the control plane's. */
export async function renewLease(options: RegistrationOptions, signal: AbortSignal): Promise<void> {
  const { logger } = options;
  let failing = false;
  while (!signal.aborted) {
    try {
      await renewOnce(options);
      if (failing) logger.info({}, 'the lease is renewed again');
      failing = false;
    } catch (error) {
      if (!failing) logger.warn({ error }, 'the lease could not be renewed');
      failing = true;
    }
    await sleep(failing ? 1000 : RENEW_INTERVAL_MS, signal);
  }
}

async function renewOnce({ client, name, clock }: RegistrationOptions): Promise<void> {
  const leases = client.resource<KubeObject>(SYSTEM_TENANT, LEASES, HOST_LEASE_NAMESPACE);
  const renewTime = formatMicroTime(clock.now());
  try {
    await leases.patch(name, 'merge', { spec: { renewTime } });
  } catch (error) {
    if (!isNotFound(error)) throw error;
    await leases.create({
      apiVersion: 'coordination.k8s.io/v1',
      kind: 'Lease',
      metadata: { name, namespace: HOST_LEASE_NAMESPACE },
      spec: { holderIdentity: name, leaseDurationSeconds: LEASE_SECONDS, renewTime },
    });
  }
}
