import { isDeepStrictEqual } from 'node:util';
import { formatMicroTime, type KubeObject } from '../api/object.ts';
import type { Host } from '../api/pool.ts';
import { HOST_LEASE_NAMESPACE } from '../api/pool.ts';
import { HOSTS, LEASES, NAMESPACES } from '../api/resources.ts';
import { isAlreadyExists, isConflict, isNotFound } from '../api/status.ts';
import { sleep } from '../base/abort.ts';
import type { Clock } from '../base/clock.ts';
import type { Logger } from '../base/log.ts';
import { type Client, SYSTEM_TENANT } from '../client/client.ts';

const LEASE_SECONDS = 40;
const RENEW_INTERVAL_MS = 10_000;
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
 * Makes sure that the Host object stands and has an index of its own. Two hosts that take the same index at once find
 * out by looking again: the one whose name sorts later gives way.
 * @returns the Host with its index. Rejects with StatusError.
 */
export async function registerHost({
  client,
  name,
  zone,
  zones,
}: RegistrationOptions): Promise<Host & { spec: { index: number } }> {
  const hosts = client.resource<Host>(SYSTEM_TENANT, HOSTS);
  for (;;) {
    const { items } = await hosts.list();
    const own = items.find((host) => host.metadata.name === name);
    const others = items.filter((host) => host.metadata.name !== name);
    const index = own?.spec?.index;
    const rival = others.find((host) => index !== undefined && host.spec?.index === index);
    if (
      own !== undefined &&
      index !== undefined &&
      own.spec.zone === zone &&
      own.spec.zones?.join() === zones.join() &&
      (rival === undefined || name < rival.metadata.name)
    ) {
      return own as Host & { spec: { index: number } };
    }
    const taken = new Set(others.map((host) => host.spec?.index));
    let free = index !== undefined && !taken.has(index) ? index : 0;
    while (taken.has(free)) free++;
    try {
      if (own === undefined) {
        await hosts.create({
          apiVersion: API_VERSION,
          kind: 'Host',
          metadata: { name },
          spec: { zone, zones, index: free },
        });
      } else {
        await hosts.update({
          ...own,
          apiVersion: API_VERSION,
          kind: 'Host',
          spec: { ...own.spec, zone, zones, index: free },
        });
      }
    } catch (error) {
      if (!isConflict(error) && !isAlreadyExists(error) && !isNotFound(error)) throw error;
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
    if (isDeepStrictEqual(this.#written, status)) return;
    const { client, name } = this.#options;
    await client.resource<Host>(SYSTEM_TENANT, HOSTS).patch(name, 'merge', { status }, 'status');
    this.#written = status;
  }
}

/** Renews the Lease every 10 s until the signal; makes it, and its namespace, when they are not there. */
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
    const namespaces = client.resource<KubeObject>(SYSTEM_TENANT, NAMESPACES);
    const namespace = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: HOST_LEASE_NAMESPACE } };
    await namespaces.create(namespace).catch((problem) => {
      if (!isAlreadyExists(problem)) throw problem;
    });
    await leases.create({
      apiVersion: 'coordination.k8s.io/v1',
      kind: 'Lease',
      metadata: { name, namespace: HOST_LEASE_NAMESPACE },
      spec: { holderIdentity: name, leaseDurationSeconds: LEASE_SECONDS, renewTime },
    });
  }
}
