import { randomInt } from 'node:crypto';

/** No vowels and nothing that looks alike, so that no name spells a word. Source: apimachinery's util/rand. */
const alphabet = 'bcdfghjklmnpqrstvwxz2456789';
const SUFFIX_LENGTH = 5;
const LONGEST_BASE = 63 - SUFFIX_LENGTH;

/** `web-` -> `web-x7k2p`; a base over 58 characters is cut so that the name fits a label. */
export function generateName(base: string): string {
  let name = base.slice(0, LONGEST_BASE);
  for (let index = 0; index < SUFFIX_LENGTH; index++) name += alphabet[randomInt(alphabet.length)];
  return name;
}

/** A hash's digits in the same alphabet, as pod-template-hash is written. */
export function safeEncode(text: string): string {
  let encoded = '';
  for (const character of text) encoded += alphabet[character.codePointAt(0)! % alphabet.length];
  return encoded;
}
