import { type DocumentOptions, LineCounter, type ParseOptions, parseDocument, type SchemaOptions, visit } from 'yaml';
import { numberTags } from './numbers.ts';
import { isTooLarge } from './unfolded.ts';

/** What a YAML text says. */
export interface YamlReading {
  value: unknown;
  /** `  line 3: key "a" already set in map`, as Go's reader says it; the last one counts. */
  duplicates: string[];
  /** Why it is no YAML, with `line 3: ` before it where that is known; value is undefined then. */
  failure?: string;
  /** It unfolds to more than a body may hold; value is undefined then. */
  isTooLarge?: boolean;
}

const duplicatesShown = 100;
/** What YAML has no place for, and Go's reader refuses. */
const unprintable = /[\0-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\ufffe\uffff]/;

/**
 * YAML 1.1 as Go's reader takes it: `yes` and `on` are true, `0644` is octal; but dates and `1:30` are text, and there are
 * no sets and the like.
 */
const unread = new Set(
  ['binary', 'float', 'int', 'omap', 'pairs', 'set', 'timestamp'].map((name) => `tag:yaml.org,2002:${name}`),
);
const dialect: ParseOptions & SchemaOptions & DocumentOptions = {
  version: '1.1',
  customTags: (tags) => [...tags.filter((tag) => typeof tag === 'string' || !unread.has(tag.tag)), ...numberTags],
};

/** Throws nothing. Takes about a millisecond for each kilobyte. */
export function parseYamlText(text: string): YamlReading {
  // The library makes an error of each wrong character, and its stack takes longer than all the rest.
  const stackTraceLimit = Error.stackTraceLimit;
  Error.stackTraceLimit = 0;
  try {
    return parse(text);
  } finally {
    Error.stackTraceLimit = stackTraceLimit;
  }
}

function parse(text: string): YamlReading {
  if (unprintable.test(text))
    return { value: undefined, duplicates: [], failure: 'control characters are not allowed' };
  try {
    const lineCounter = new LineCounter();
    // The library's own search for duplicate keys compares each with each.
    const document = parseDocument(text, { ...dialect, uniqueKeys: false, lineCounter, prettyErrors: false });
    const [error] = document.errors;
    if (error !== undefined) {
      const { line } = lineCounter.linePos(error.pos[0]);
      return { value: undefined, duplicates: [], failure: `line ${line}: ${error.code}` };
    }
    const duplicates: string[] = [];
    let notFinite: number | undefined;
    visit(document, {
      Scalar(key, { value }) {
        if (typeof value === 'number' && !Number.isFinite(value) && key !== 'key') notFinite ??= value;
      },
      Map(_key, map) {
        const seen = new Set<unknown>();
        for (const { key } of map.items as { key: { value?: unknown; range?: [number, number, number] | null } }[]) {
          const value = key?.value;
          if (value === undefined || value === '<<') continue;
          if (!seen.has(value)) seen.add(value);
          else if (duplicates.length < duplicatesShown) {
            const { line } = lineCounter.linePos(key.range?.[0] ?? 0);
            duplicates.push(`  line ${line}: key ${JSON.stringify(value)} already set in map`);
          }
        }
      },
    });
    if (notFinite !== undefined) {
      // As Go's JSON encoder says it, into which all YAML goes.
      const shown = `${notFinite}`.replace(/^(-?)Infinity$/, (_all, sign) => `${sign || '+'}Inf`);
      return { value: undefined, duplicates: [], failure: `json: unsupported value: ${shown}` };
    }
    const value = document.toJS({ maxAliasCount: 100 });
    return isTooLarge(value) ? { value: undefined, duplicates: [], isTooLarge: true } : { value, duplicates };
  } catch (error) {
    const isDeep = error instanceof RangeError;
    return { value: undefined, duplicates: [], failure: isDeep ? 'exceeded max depth' : (error as Error).message };
  }
}
