import { join } from 'node:path';
import type { ContainerInstance, Host } from '../api/pool.ts';
import { CONTAINER_INSTANCES } from '../api/resources.ts';
import { isConflict, isNotFound } from '../api/status.ts';
import { aborted, sleep } from '../base/abort.ts';
import { Semaphore } from '../base/semaphore.ts';
import { SYSTEM_TENANT } from '../client/client.ts';
import { createEventRecorder } from '../client/event-recorder.ts';
import { readMachine } from './host-status.ts';
import { ImageManager } from './images/image-manager.ts';
import { PullRecords } from './images/pull-records.ts';
import { recordInstanceEvent } from './instance-events.ts';
import { InstanceWorkers } from './instance-workers.ts';
import { startMaintenance } from './maintenance.ts';
import type { HostAgent, HostAgentOptions } from './options.ts';
import { bytes } from './quantities.ts';
import { HostStatusWriter, registerHost, renewLease } from './registration.ts';
import { reportHost } from './report-host.ts';
import { RuntimeCache } from './runtime-cache.ts';
import { StatusWriter } from './status-writer.ts';
import { startStreamingServer } from './streaming/server.ts';
import { createHostFiles } from './volumes/host-files.ts';
import type { WorkerDependencies } from './worker/context.ts';
import { simulatedPodFiles } from './worker/pod-files.ts';

/** Starts are bound by CPU on a real host, by nothing on a simulated one. */
const DEFAULT_STARTS = 8;
const SIMULATED_STARTS = 1000;

/**
 * Joins this machine to the pool and runs the instances placed on it until the signal aborts. Resolves when the host is
 * registered and its streaming server listens; what runs already is adopted as soon as the API server has said what is
 * to run. Nothing is stopped at the end: containers outlive the agent.
 */
export async function startHostAgent(options: HostAgentOptions, signal: AbortSignal): Promise<HostAgent> {
  const { name, zone, zones = [zone], informers, runtime, clock, dataDirectory, simulated = false } = options;
  const { client } = informers;
  const logger = options.logger.child({ host: name });
  const registration = { client, name, zone, zones, clock, logger };

  const host = await untilItWorks(
    () => registerHost(registration),
    'the host could not be registered',
    options,
    signal,
  );
  const hostIndex = host.spec.index;
  const network = typeof options.network === 'function' ? await options.network({ index: hostIndex }) : options.network;

  const machine = readMachine(dataDirectory);
  const memoryText = options.capacity?.memory;
  const hostMemoryBytes = memoryText === undefined ? machine.memoryBytes : bytes(memoryText);
  const files = simulated
    ? simulatedPodFiles(join(dataDirectory, 'logs'))
    : await createHostFiles({ dataDirectory, name, logger });
  const recorder = createEventRecorder({ client, clock, logger, component: 'kubelet', host: name });
  const statuses = new StatusWriter({ client, clock, logger, signal });
  const cache = new RuntimeCache(runtime, clock, logger);
  const images = new ImageManager(runtime, clock, new PullRecords(simulated ? undefined : dataDirectory));

  const dependencies: WorkerDependencies = {
    runtime,
    cache,
    network,
    files,
    images,
    starts: new Semaphore(simulated ? SIMULATED_STARTS : DEFAULT_STARTS),
    clock,
    logger,
    policyOf: (tenant) => ({ allowPrivileged: options.privilegedTenants?.includes(tenant) === true }),
    hostMemoryBytes,
    event: (instance, event) => recordInstanceEvent(recorder, instance, event),
    writeStatus: (instance, status) => statuses.write(instance, status),
    statusWritten: (instance, status) => statuses.written(instance, status),
    async deleteInstance({ metadata }) {
      const instances = client.resource<ContainerInstance>(SYSTEM_TENANT, CONTAINER_INSTANCES, metadata.namespace);
      try {
        await instances.delete(metadata.name, { gracePeriodSeconds: 0, preconditions: { uid: metadata.uid } });
      } catch (error) {
        // Gone, or another of its name stands: either way this one is over.
        if (!isNotFound(error) && !isConflict(error)) throw error;
      }
    },
    random: Math.random,
  };
  const workers = new InstanceWorkers(dependencies, (podUid) => statuses.forget(podUid));
  const instances = informers.informer<ContainerInstance>(CONTAINER_INSTANCES, {
    tenant: SYSTEM_TENANT,
    fieldSelector: `spec.hostName=${name}`,
  });

  const server = await startStreamingServer({
    tls: options.tls,
    listen: options.streaming,
    workers,
    cache,
    runtime,
    network,
    clock,
    logger,
    signal,
  });
  const { address } = server;
  const streaming = { address: address.host, port: address.port };
  const statusWriter = new HostStatusWriter(registration, (host as Host).status);

  const adopt = async () => {
    await untilItWorks(() => cache.relist(), 'the sandbox runtime does not answer yet', options, signal);
    await instances.synced();
    if (signal.aborted) return;
    workers.start(instances, (instance) => statuses.observe(instance));
    await Promise.all([
      cache.run(signal),
      ...(simulated ? [] : [startMaintenance({ ...options, logger, cache, images, workers, files }, signal)]),
    ]);
  };
  const stopped = Promise.all([
    adopt(),
    renewLease(registration, signal),
    reportHost({ ...options, logger, machine, runtime, cache, streaming, statusWriter }, signal),
    aborted(signal),
  ]).then(async () => {
    workers.detach();
    await Promise.race([recorder.flush(), sleep(1000)]);
    await server.closed;
  });
  return { hostIndex, address, stopped };
}

async function untilItWorks<T>(
  operation: () => Promise<T>,
  complaint: string,
  { logger }: HostAgentOptions,
  signal: AbortSignal,
): Promise<T> {
  for (let delayMs = 100; ; delayMs = Math.min(delayMs * 2, 2000)) {
    try {
      return await operation();
    } catch (error) {
      if (signal.aborted) throw error;
      logger.warn({ error }, complaint);
    }
    await sleep(delayMs, signal);
    signal.throwIfAborted();
  }
}
