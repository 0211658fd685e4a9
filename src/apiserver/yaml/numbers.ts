import type { ScalarTag } from 'yaml';

const digits: [RegExp, base: number, digitsAt: number][] = [
  [/^0x[0-9a-f]+$/i, 16, 2],
  [/^0o[0-7]+$/i, 8, 2],
  [/^0b[01]+$/i, 2, 2],
  [/^0[0-7]*$/, 8, 0],
];
const decimal = /^(?:\.\d+|\d+(?:\.\d*)?)(?:e[-+]?\d+)?$/i;
const notFinite: Record<string, number> = { '.inf': Number.POSITIVE_INFINITY, '.nan': Number.NaN };
const inThreeCases = /^\.(?:inf|Inf|INF|nan|NaN|NAN)$/;

/** What a plain scalar that begins with a digit, a sign or a point is to Go's reader: a number, or the text as it is. */
function numberOrText(text: string): number | string {
  const hasSign = text[0] === '-' || text[0] === '+';
  const sign = text[0] === '-' ? -1 : 1;
  const unsigned = hasSign ? text.slice(1) : text;
  if (inThreeCases.test(unsigned) && !(hasSign && /nan/i.test(unsigned))) {
    return sign * notFinite[unsigned.toLowerCase()]!;
  }
  // A number that begins with its point is read as it is.
  const plain = text[0] === '.' ? text : unsigned.replaceAll('_', '');
  for (const [pattern, base, at] of digits) {
    if (pattern.test(plain)) return sign * Number.parseInt(plain.slice(at), base);
  }
  const value = decimal.test(plain) ? sign * Number(plain) : Number.NaN;
  return Number.isFinite(value) ? value : text;
}

const common = {
  default: true,
  test: /^(?:[\d.]|[-+][\d._])/,
  identify: (value: unknown) => typeof value === 'number',
} as const;

/**
 * In place of the library's own numbers, which makes NaN of `.`, `e5` and `0_`. Whatever has no tag comes to the first.
 * Source: resolve.go of go.yaml.in/yaml/v2.
 */
export const numberTags: ScalarTag[] = [
  { ...common, tag: 'tag:yaml.org,2002:float', resolve: numberOrText },
  {
    ...common,
    tag: 'tag:yaml.org,2002:int',
    resolve(text, onError) {
      const value = numberOrText(text);
      if (!Number.isInteger(value)) onError(`cannot decode ${text} as an integer`);
      return value;
    },
  },
];
