import type { KubeObject } from '../../api/object.ts';

/**
 * What a version shows of an object is kept as long as the object is, so that any number of readers cost one conversion.
 * Unless it is much larger than what is stored: a definition's defaults, or its webhook, can make megabytes of each of
 * ten thousand small objects. Of those only the last few are kept.
 */
const keptGrowthBytes = 4 * 1024;
const mostBytes = 16 * 2 ** 20;

const grown = new WeakMap<KubeObject, number>();
const kept: { bytes: number; forget: () => void }[] = [];
let keptBytes = 0;

/** `bytes` more than is stored. */
export function noteGrowth(object: KubeObject, bytes: number): void {
  if (bytes > keptGrowthBytes) grown.set(object, bytes);
}

/** `forget` is called when it has been long enough, for an object that is much larger than what is stored. */
export function keepForm(object: KubeObject, forget: () => void): void {
  const bytes = grown.get(object);
  if (bytes === undefined) return;
  kept.push({ bytes, forget });
  keptBytes += bytes;
  while (keptBytes > mostBytes) {
    const oldest = kept.shift()!;
    keptBytes -= oldest.bytes;
    oldest.forget();
  }
}

/** About as many bytes as its JSON has. */
export function roughSize(object: object): number {
  let bytes = 0;
  const parts: object[] = [object];
  for (let part = parts.pop(); part !== undefined; part = parts.pop()) {
    for (const key in part) {
      const value = (part as Record<string, unknown>)[key];
      bytes += Array.isArray(part) ? 1 : key.length + 4;
      if (typeof value === 'object' && value !== null) parts.push(value);
      else bytes += typeof value === 'string' ? value.length + 2 : 4;
    }
  }
  return bytes;
}
