import { statfs } from 'node:fs/promises';
import type { Clock } from '../../base/clock.ts';
import type { Logger } from '../../base/log.ts';
import type { ImageStatus, SandboxRuntime } from '../../runtime/sandbox-runtime.ts';
import type { RuntimeCache } from '../runtime-cache.ts';
import type { ImageManager } from './image-manager.ts';

/** The kubelet's thresholds: collection begins above the high one and goes down to the low one. */
const HIGH_PERCENT = 85;
const LOW_PERCENT = 80;
/** An image this young may belong to a pod that is just being made. */
const YOUNGEST_MS = 2 * 60_000;

export interface CollectImagesOptions {
  runtime: SandboxRuntime;
  cache: RuntimeCache;
  images: ImageManager;
  dataDirectory: string;
  clock: Clock;
  logger: Logger;
}

/** Removes images that no container uses, the longest unused first, while the disk is too full. */
export async function collectImages(options: CollectImagesOptions): Promise<void> {
  const { runtime, cache, images, dataDirectory, clock, logger } = options;
  const { blocks, bavail, bsize } = await statfs(dataDirectory);
  const usedPercent = 100 - (bavail * 100) / blocks;
  if (usedPercent < HIGH_PERCENT) return;
  const toFree = Math.ceil(((usedPercent - LOW_PERCENT) / 100) * blocks * bsize);
  const used = new Set<string>();
  for (const podUid of cache.podUids()) {
    for (const records of cache.get(podUid).containers.values()) {
      for (const { image, imageRef } of records) used.add(image).add(imageRef);
    }
  }
  const victims = chooseImages(await runtime.listImages(), used, images.lastUsed, clock.now(), toFree);
  for (const victim of victims) {
    await runtime.removeImage(victim.id);
    images.lastUsed.delete(victim.id);
    logger.info({ image: victim.repoTags[0] ?? victim.id, sizeBytes: victim.sizeBytes }, 'removed an unused image');
  }
}

/** Which images to remove to free `toFree` bytes; a pure function. */
export function chooseImages(
  present: ImageStatus[],
  used: Set<string>,
  lastUsed: Map<string, number>,
  now: number,
  toFree: number,
): ImageStatus[] {
  const names = (image: ImageStatus) => [image.id, ...image.repoTags, ...image.repoDigests];
  // Infrastructure of the runtime, not of any pod.
  const isPause = (image: ImageStatus) => names(image).some((name) => /(^|\/)pause[:@]/.test(name));
  const candidates = present
    .filter((image) => !isPause(image) && !names(image).some((name) => used.has(name)))
    .filter(({ id }) => now - (lastUsed.get(id) ?? 0) > YOUNGEST_MS)
    .sort((a, b) => (lastUsed.get(a.id) ?? 0) - (lastUsed.get(b.id) ?? 0));
  const chosen: ImageStatus[] = [];
  let freed = 0;
  for (const image of candidates) {
    if (freed >= toFree) break;
    chosen.push(image);
    freed += image.sizeBytes;
  }
  return chosen;
}
