import { Uint } from '../values.ts';

const largestInt = 2n ** 63n - 1n;

/** undefined where a number is out of range. */
export function intLiteral(text: string, isNegative: boolean): bigint | undefined {
  const value = isNegative ? -BigInt(text) : BigInt(text);
  return value > largestInt || value < -largestInt - 1n ? undefined : value;
}

export function uintLiteral(text: string): Uint | undefined {
  const value = BigInt(text.slice(0, -1));
  return value > 2n ** 64n - 1n ? undefined : new Uint(value);
}

const simpleEscapes: Record<string, string> = {
  a: '\x07',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
  v: '\v',
  '\\': '\\',
  "'": "'",
  '"': '"',
  '`': '`',
  '?': '?',
};

/** Throws an Error in cel-go's words. */
export function stringLiteral(text: string): string {
  const { body, isRaw } = unwrap(text);
  if (isRaw) return body;
  return body.replace(/\r\n?/g, '\n').replace(escapePattern, (_match, hex, octal, simple) => {
    if (simple !== undefined) return simpleEscapes[simple]!;
    const code = octal === undefined ? Number.parseInt(hex.slice(1), 16) : Number.parseInt(octal, 8);
    if (code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff)) throw new Error('unable to unescape string');
    return String.fromCodePoint(code);
  });
}

/** Hexadecimal and octal escapes are bytes, everything else is UTF-8. */
export function bytesLiteral(text: string): Uint8Array {
  const { body, isRaw } = unwrap(text.slice(1));
  if (isRaw) return Buffer.from(body);
  const parts: Buffer[] = [];
  let at = 0;
  for (const match of body.matchAll(escapePattern)) {
    parts.push(Buffer.from(body.slice(at, match.index)));
    at = match.index + match[0].length;
    const [, hex, octal, simple] = match;
    if (simple !== undefined) parts.push(Buffer.from(simpleEscapes[simple]!));
    else if (hex !== undefined && /^[uU]/.test(hex)) throw new Error('unable to unescape string');
    else
      parts.push(Buffer.from([octal === undefined ? Number.parseInt(hex!.slice(1), 16) : Number.parseInt(octal, 8)]));
  }
  parts.push(Buffer.from(body.slice(at)));
  return Buffer.concat(parts);
}

const escapePattern = /\\(?:([xX][0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8})|([0-3][0-7]{2})|([abfnrtv\\'"`?]))/g;

function unwrap(text: string): { body: string; isRaw: boolean } {
  const isRaw = /^[rR]/.test(text);
  const quoted = isRaw ? text.slice(1) : text;
  const size = quoted.length >= 6 && (quoted.startsWith('"""') || quoted.startsWith("'''")) ? 3 : 1;
  return { body: quoted.slice(size, -size), isRaw };
}
