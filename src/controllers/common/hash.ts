import { safeEncode } from '../../api/generate-name.ts';
import { canonical } from './canonical.ts';

export function fnv32a(text: string): number {
  let hash = 0x811c9dc5;
  for (const byte of Buffer.from(text, 'utf8')) {
    hash ^= byte;
    hash = Math.imul(hash, 0x01000193);
  }
  return hash >>> 0;
}

/**
 * The value of the pod-template-hash label: FNV-32a over the template's canonical form, as upstream's ComputeHash is
 * over Go's dump of it. `collisionCount` gives another hash to a template whose first one is taken.
 */
export function templateHash(template: unknown, collisionCount?: number): string {
  const salt = collisionCount === undefined ? '' : `#${collisionCount}`;
  return safeEncode(String(fnv32a(canonical(template) + salt)));
}
