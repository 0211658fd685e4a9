import { canonical } from './canonical.ts';

// apimachinery's rand: no vowels and nothing that looks like one, so that no words appear.
const alphabet = 'bcdfghjklmnpqrstvwxz2456789';

export function fnv32a(text: string): number {
  let hash = 0x811c9dc5;
  for (const byte of Buffer.from(text, 'utf8')) {
    hash ^= byte;
    hash = Math.imul(hash, 0x01000193);
  }
  return hash >>> 0;
}

export function safeEncode(text: string): string {
  let encoded = '';
  for (const character of text) encoded += alphabet[character.codePointAt(0)! % alphabet.length];
  return encoded;
}

/**
 * The value of the pod-template-hash label: FNV-32a over the template's canonical form, as upstream's ComputeHash is
 * over Go's dump of it. `collisionCount` gives another hash to a template whose first one is taken.
 */
export function templateHash(template: unknown, collisionCount?: number): string {
  const salt = collisionCount === undefined ? '' : `#${collisionCount}`;
  return safeEncode(String(fnv32a(canonical(template) + salt)));
}

/** As the API server completes a generateName. */
export function randomSuffix(length = 5): string {
  let suffix = '';
  for (let index = 0; index < length; index++) suffix += alphabet[Math.floor(Math.random() * alphabet.length)];
  return suffix;
}
