/** Words that no field may be called by as they are. Source: KEP-2876, "Field names". */
const reserved = new Set(
  'true false null in as break const continue else for function if import let loop package namespace return var void while'.split(
    ' ',
  ),
);

/** `a-b` -> `a__dash__b`; undefined for names that rules cannot speak of. */
export function fieldName(name: string): string | undefined {
  if (reserved.has(name)) return `__${name}__`;
  const escaped = name.replace(/__|[./-]/g, (part) => escapes[part]!);
  return /^[A-Za-z_]\w*$/.test(escaped) ? escaped : undefined;
}

const escapes: Record<string, string> = { __: '__underscores__', '.': '__dot__', '-': '__dash__', '/': '__slash__' };
