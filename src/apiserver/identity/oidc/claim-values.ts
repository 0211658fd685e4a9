import { CelList, CelMap } from '../../../api/cel/values.ts';

/**
 * Claims and users as expressions see them. All numbers are doubles, as Go reads JSON. A name that is no identifier is
 * written escaped, at every depth: `claims.kubernetes__dot__io.namespace`, `claims.my__dash__claim`.
 * Source: newClaimsValue and unescapeMapper of the OIDC authenticator upstream.
 */
export function claimValue(value: unknown): unknown {
  if (value === undefined || value === null) return null;
  if (typeof value !== 'object') return value;
  return Array.isArray(value) ? new ClaimList(value) : new ClaimMap(value as Record<string, unknown>);
}

class ClaimList extends CelList {
  readonly #raw: readonly unknown[];
  constructor(raw: readonly unknown[]) {
    super();
    this.#raw = raw;
  }
  get size(): number {
    return this.#raw.length;
  }
  at(index: number): unknown {
    return claimValue(this.#raw[index]);
  }
}

class ClaimMap extends CelMap {
  readonly #raw: Record<string, unknown>;
  constructor(raw: Record<string, unknown>) {
    super();
    this.#raw = raw;
  }
  get size(): number {
    return Object.keys(this.#raw).length;
  }
  get(key: unknown): unknown {
    if (typeof key !== 'string') return undefined;
    const name = unescaped(key) ?? key;
    return Object.hasOwn(this.#raw, name) ? claimValue(this.#raw[name]) : undefined;
  }
  keys(): Iterable<unknown> {
    return Object.keys(this.#raw);
  }
}

const characters: Record<string, string> = { underscores: '__', dot: '.', dash: '-', slash: '/' };
const reserved = new Set(
  'true false null in as break const continue else for function if import let loop package namespace return var void while'.split(
    ' ',
  ),
);

/** undefined where the name is not an escaped one. Source: apiserver's pkg/cel/escaping.go. */
export function unescaped(name: string): string | undefined {
  let isEscaped = true;
  const plain = name.replace(/__([^_]+)__/g, (whole, word: string) => {
    const character = Object.hasOwn(characters, word) ? characters[word] : undefined;
    if (character !== undefined) return character;
    if (!reserved.has(word) || whole.length !== name.length) isEscaped = false;
    return word;
  });
  return isEscaped && plain !== name ? plain : undefined;
}
