/** Deeper than any object is, and shallow enough for whatever walks one by calling itself. */
const deepest = 1000;
/** What the store would take has a tenth of these mostly; each takes time in a dozen places. */
export const mostValues = 150_000;

/**
 * What is wrong with a body before anybody reads it: it opens more brackets inside one another than anyone needs, JSON's
 * own or those of YAML's flow style (where quotes are not told apart: nobody writes a thousand brackets too many in a
 * text either), or holds more members, items, objects and lists than an object may that is to be kept.
 */
export function outgrown(bytes: Uint8Array, isYaml: boolean): 'depth' | 'values' | undefined {
  if (bytes.length <= deepest) return undefined;
  let depth = 0;
  let values = 0;
  for (let at = 0; at < bytes.length; at++) {
    const byte = bytes[at]!;
    if (byte === 0x2c || (isYaml && byte === 0x0a)) {
      if (++values >= mostValues) return 'values';
    } else if (byte === 0x7b || byte === 0x5b) {
      if (++depth > deepest) return 'depth';
      if (++values >= mostValues) return 'values';
    } else if (byte === 0x7d || byte === 0x5d) {
      depth--;
    } else if (byte === 0x22 && !isYaml) {
      for (at++; at < bytes.length && bytes[at] !== 0x22; at++) if (bytes[at] === 0x5c) at++;
    }
  }
  return undefined;
}
