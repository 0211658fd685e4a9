import { sleep } from '../base/abort.ts';
import type { Clock } from '../base/clock.ts';
import type { Logger } from '../base/log.ts';
import type { SandboxRuntime } from '../runtime/sandbox-runtime.ts';
import { collectImages } from './images/collect-images.ts';
import type { ImageManager } from './images/image-manager.ts';
import type { InstanceWorkers } from './instance-workers.ts';
import { rotateLog } from './logs/rotate-log.ts';
import type { RuntimeCache } from './runtime-cache.ts';
import { enforceStorageLimits } from './volumes/storage-limits.ts';
import type { PodFiles } from './worker/pod-files.ts';

const ROTATION_INTERVAL_MS = 10_000;
const STORAGE_INTERVAL_MS = 10_000;
const COLLECTION_INTERVAL_MS = 5 * 60_000;

export interface MaintenanceOptions {
  runtime: SandboxRuntime;
  cache: RuntimeCache;
  images: ImageManager;
  workers: InstanceWorkers;
  files: PodFiles;
  dataDirectory: string;
  clock: Clock;
  logger: Logger;
}

/** What has to be done from time to time: logs are rotated, limits of local storage are
 * enforced, unused images give way when the disk fills up, as do files at hostPaths that nobody uses any more. */
export async function startMaintenance(options: MaintenanceOptions, signal: AbortSignal): Promise<void> {
  await Promise.all([
    repeat(ROTATION_INTERVAL_MS, () => rotateLogs(options), options, signal),
    repeat(STORAGE_INTERVAL_MS, () => enforceStorageLimits(options), options, signal),
    repeat(COLLECTION_INTERVAL_MS, () => collectImages(options), options, signal),
    repeat(COLLECTION_INTERVAL_MS, () => collectNodeTrees(options), options, signal),
  ]);
}

async function repeat(
  intervalMs: number,
  work: () => Promise<void>,
  { logger }: MaintenanceOptions,
  signal: AbortSignal,
): Promise<void> {
  for (;;) {
    await sleep(intervalMs, signal);
    if (signal.aborted) return;
    await work().catch((error) => logger.warn({ error }, 'maintenance failed'));
  }
}

function collectNodeTrees({ workers, files }: MaintenanceOptions): Promise<void> {
  return files.collectNodeTrees(
    [...workers.values()].map(({ instance }) => instance),
    new Set(),
  );
}

async function rotateLogs({ runtime, cache, logger }: MaintenanceOptions): Promise<void> {
  for (const podUid of cache.podUids()) {
    for (const records of cache.get(podUid).containers.values()) {
      const running = records.find(({ state }) => state === 'running');
      if (running === undefined) continue;
      await rotateLog(running.logPath, () => runtime.reopenContainerLog(running.id)).catch((error) =>
        logger.warn({ error, path: running.logPath }, 'a log could not be rotated'),
      );
    }
  }
}
