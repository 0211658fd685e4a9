import type { Issue } from '../issues.ts';

export type TokenKind =
  | 'end'
  | 'identifier'
  | 'quotedIdentifier'
  | 'int'
  | 'uint'
  | 'double'
  | 'string'
  | 'bytes'
  | 'symbol';

export interface Token {
  kind: TokenKind;
  text: string;
  offset: number;
}

const skipped = /(?:[\t \r\n\f]+|\/\/[^\n]*)+/y;
/** The longest of the grammar's tokens wins, as in a generated lexer. Source: cel-go's CEL.g4. */
const escapes = String.raw`\\[abfnrtv"'\\?\`]|\\[0-3][0-7][0-7]|\\[xX][0-9a-fA-F]{2}|\\u[0-9a-fA-F]{4}|\\U[0-9a-fA-F]{8}`;
const strings = [
  String.raw`[rR]"""[\s\S]*?"""`,
  String.raw`[rR]'''[\s\S]*?'''`,
  String.raw`[rR]"[^"\n\r]*"`,
  String.raw`[rR]'[^'\n\r]*'`,
  String.raw`"""(?:${escapes}|[^\\])*?"""`,
  String.raw`'''(?:${escapes}|[^\\])*?'''`,
  String.raw`"(?:${escapes}|[^\\"\n\r])*"`,
  String.raw`'(?:${escapes}|[^\\'\n\r])*'`,
].join('|');
const patterns: [TokenKind, RegExp][] = [
  ['bytes', new RegExp(`[bB](?:${strings})`, 'y')],
  ['string', new RegExp(strings, 'y')],
  ['double', /\d+\.\d+(?:[eE][+-]?\d+)?|\d+[eE][+-]?\d+|\.\d+(?:[eE][+-]?\d+)?/y],
  ['uint', /(?:0x[0-9a-fA-F]+|\d+)[uU]/y],
  ['int', /0x[0-9a-fA-F]+|\d+/y],
  ['identifier', /[A-Za-z_][A-Za-z0-9_]*/y],
  ['quotedIdentifier', /`[A-Za-z0-9_./ -]+`/y],
  ['symbol', /==|!=|<=|>=|&&|\|\||[[\]{}().,\-!?:+*/%<>]/y],
];

/** What is no token is reported and left out. */
export function tokensOf(source: string, issues: Issue[]): Token[] {
  const tokens: Token[] = [];
  for (let at = 0; ; ) {
    skipped.lastIndex = at;
    if (skipped.test(source)) at = skipped.lastIndex;
    if (at >= source.length) break;
    const token = tokenAt(source, at);
    if (token === undefined) {
      const end = endOfUnknown(source, at);
      issues.push({ offset: at, message: `Syntax error: token recognition error at: '${source.slice(at, end)}'` });
      at = end;
      continue;
    }
    tokens.push(token);
    at += token.text.length;
  }
  tokens.push({ kind: 'end', text: '<EOF>', offset: source.length });
  return tokens;
}

function tokenAt(source: string, offset: number): Token | undefined {
  for (const [kind, pattern] of patterns) {
    pattern.lastIndex = offset;
    const text = pattern.exec(source)?.[0];
    if (text !== undefined) return { kind, text, offset };
  }
  return undefined;
}

/** A string without an end goes to the end of its line; a lone `|`, `&` or `=` takes one character more. */
function endOfUnknown(source: string, at: number): number {
  const character = source[at]!;
  if (character === '"' || character === "'") {
    const rest = /^["'][^\n\r]*/.exec(source.slice(at))![0];
    return at + rest.length;
  }
  if ('|&='.includes(character) && at + 1 < source.length) return at + 2;
  return at + (source.codePointAt(at)! > 0xffff ? 2 : 1);
}
