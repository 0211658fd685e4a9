import type { HostScore } from '../filter/host-types.ts';
import { normalizedImage } from '../snapshot/pool-snapshot.ts';

const MEBIBYTE = 1024 * 1024;
/** Below this an image is pulled in no time; above the most, more does not count (upstream's thresholds). */
const LEAST_BYTES = 23 * MEBIBYTE;
const MOST_BYTES_PER_CONTAINER = 1000 * MEBIBYTE;

/** Bytes of the instance's images that need no pull; an image that few hosts have counts less, so that they do not fill up. */
export const imageLocality: HostScore = {
  name: 'ImageLocality',
  weight: 1,
  normalize: false,
  prepare(instance, snapshot) {
    const { containers, initContainers = [] } = instance.spec.pod;
    const images = [...containers, ...initContainers].map(({ image }) => normalizedImage(image ?? ''));
    const hosts = Math.max(snapshot.hosts.size, 1);
    const weights = images.map((image) => ({ image, share: snapshot.hostsWithImage(image) / hosts }));
    if (weights.every(({ share }) => share === 0)) return undefined;
    const mostBytes = MOST_BYTES_PER_CONTAINER * images.length;
    return (target) => {
      const present = weights.reduce((sum, { image, share }) => sum + (target.images.get(image) ?? 0) * share, 0);
      const counted = Math.min(Math.max(present, LEAST_BYTES), mostBytes);
      return (100 * (counted - LEAST_BYTES)) / (mostBytes - LEAST_BYTES);
    };
  },
};
