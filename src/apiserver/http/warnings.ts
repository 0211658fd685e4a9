/** Characters of all warnings; beyond them each is cut. */
const totalLimit = 4 * 1024;
const eachLimit = 256;

/**
 * The values of an answer's `Warning` headers: each said once, and no more of them than clients take in headers.
 * Source: apiserver/pkg/endpoints/filters/warning.go.
 */
export function warningHeaders(warnings: readonly string[]): string[] {
  const unique = [...new Set(warnings)].filter((text) => text !== '');
  const total = unique.reduce((sum, text) => sum + text.length, 0);
  if (total <= totalLimit) return unique.map(headerOf);
  const headers: string[] = [];
  let written = 0;
  for (const text of unique) {
    if (written >= totalLimit) break;
    const cut = [...text.slice(0, eachLimit * 2)].slice(0, eachLimit).join('');
    written += cut.length;
    headers.push(headerOf(cut));
  }
  return headers;
}

/** In UTF-8, whose bytes Node wants one by one; whatever a webhook says, it is a header's value. */
function headerOf(text: string): string {
  return Buffer.from(`299 - ${JSON.stringify(text.replaceAll('\u007f', ' '))}`).toString('latin1');
}
