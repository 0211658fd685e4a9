const totalLimit = 4 * 1024;
const eachLimit = 256;

/** A webhook's word to the client: said once, in one line, and no more of it than upstream passes on. */
export function addWarning(warnings: string[], text: string): void {
  const line = text.replaceAll(/\p{Cc}+/gu, ' ').trim();
  if (line === '' || warnings.includes(line)) return;
  const said = warnings.reduce((sum, warning) => sum + warning.length, 0);
  if (said + line.length <= totalLimit) warnings.push(line);
  else if (said + eachLimit <= totalLimit * 2) warnings.push(line.slice(0, eachLimit));
}
