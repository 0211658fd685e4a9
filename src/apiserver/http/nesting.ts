/** Deeper than any object is, and shallow enough for whatever walks one by calling itself. */
const deepest = 1000;

/**
 * Whether a body opens more brackets inside one another than anyone needs: JSON's own, or those of YAML's flow style
 * (where quotes are not told apart: nobody writes a thousand brackets too many in a text either).
 */
export function isNestedTooDeeply(bytes: Uint8Array, isYaml: boolean): boolean {
  if (bytes.length <= deepest) return false;
  let depth = 0;
  for (let at = 0; at < bytes.length; at++) {
    const byte = bytes[at]!;
    if (byte === 0x7b || byte === 0x5b) {
      if (++depth > deepest) return true;
    } else if (byte === 0x7d || byte === 0x5d) {
      depth--;
    } else if (byte === 0x22 && !isYaml) {
      for (at++; at < bytes.length && bytes[at] !== 0x22; at++) if (bytes[at] === 0x5c) at++;
    }
  }
  return false;
}
