/**
 * Takes out of an answer what two servers cannot have in common: identities, times, revisions, addresses. What is put
 * in its place says what kind of thing it was, so that a text where a time belongs still shows.
 */
export interface Normaliser {
  text(text: string): string;
  json(value: unknown): unknown;
}

const patterns: [RegExp, string][] = [
  [/\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b/g, '<uid>'],
  [/\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z/g, '<micro time>'],
  [/\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{1,9}Z/g, '<fraction of time>'],
  [/\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ/g, '<time>'],
  [/\bkube-api-access-[a-z0-9]{5}\b/g, 'kube-api-access-<random>'],
  [/\b[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d (GMT|UTC)/g, '<$1 date>'],
  [/hash=[0-9A-F]{128}/g, 'hash=<sha512>'],
  [/127\.0\.0\.1:\d+/g, '<address>'],
  [/ResourceVersion in the precondition \((?:[2-9]|\d{2,})\)/g, 'ResourceVersion in the precondition (<revision>)'],
  [/match the ResourceVersion in record \(\d+\)/g, 'match the ResourceVersion in record (<revision>)'],
  [/X509SHA256=[0-9a-f]{64}/g, 'X509SHA256=<hash>'],
  [/too old resource version: \d+ \(\d+\)/g, 'too old resource version: <revision> (<revision>)'],
  [/Too large resource version: \d+, current: \d+/g, 'Too large resource version: <revision>, current: <revision>'],
];

/** @param replacements of this server's own names, tried first. */
export function normaliser(replacements: [RegExp | string, string][]): Normaliser {
  const text = (given: string) => {
    let out = given;
    for (const [from, to] of replacements) out = out.replaceAll(from, to);
    for (const [from, to] of patterns) out = out.replaceAll(from, to);
    return out;
  };
  const json = (value: unknown, key = ''): unknown => {
    if (typeof value === 'string') {
      if (key === 'resourceVersion' && /^\d+$/.test(value)) return value === '0' ? '0' : '<revision>';
      if (key === 'continue' && value !== '') return '<continue>';
      // Seconds pass between two servers' answers.
      if (key === 'cell' && /^\d+s$/.test(value)) return '<age>';
      if (value.startsWith('eyJ')) return token(value, json);
      return text(value);
    }
    if (Array.isArray(value) && key === 'managedFields') return byManager(value).map((one) => json(one));
    if (Array.isArray(value)) return value.map((one) => json(one, key === 'cells' ? 'cell' : ''));
    if (typeof value !== 'object' || value === null) return value;
    return Object.fromEntries(Object.entries(value).map(([name, one]) => [text(name), json(one, name)]));
  };
  return { text, json };
}

/** What a JSON Web Token claims. */
function token(value: string, json: (value: unknown) => unknown): unknown {
  const parts = value.split('.');
  if (parts.length !== 3) return '<text like a token>';
  const decode = (part: string) => JSON.parse(Buffer.from(part, 'base64url').toString());
  try {
    const [header, claims] = [decode(parts[0]!), decode(parts[1]!)];
    for (const name of ['iat', 'nbf', 'exp', 'warnafter']) if (name in claims) claims[name] = '<seconds>';
    return { token: { header: Object.keys(header).sort(), claims: json(claims) } };
  } catch {
    return '<text like a token>';
  }
}

/** Their order is that of seconds, which two servers do not begin together. */
const byManager = (entries: any[]): any[] => {
  const nameOf = (entry: any) =>
    JSON.stringify([entry?.operation, entry?.manager, entry?.subresource, entry?.apiVersion]);
  return entries.toSorted((a, b) => (nameOf(a) < nameOf(b) ? -1 : 1));
};
