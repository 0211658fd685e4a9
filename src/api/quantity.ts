/**
 * Kubernetes quantities (`500m`, `1.5Gi`, `1e3`), exact: amounts are kept in billionths, the smallest unit there is.
 * Source: apimachinery's pkg/api/resource.
 */
export interface Quantity {
  /** Billionths of a unit. */
  nanos: bigint;
  format: 'DecimalSI' | 'BinarySI' | 'DecimalExponent';
}

const wrongFormat = "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'";
const pattern = /^([+-]?)([0-9]*)(?:\.([0-9]*))?([eEinumkKMGTP]*[-+]?[0-9]*)$/;

const NANO = 1_000_000_000n;
const MAX_NANOS = (2n ** 63n - 1n) * NANO;
const decimalExponents: Record<string, number> = { n: -9, u: -6, m: -3, '': 0, k: 3, M: 6, G: 9, T: 12, P: 15, E: 18 };
const decimalSuffixes = ['n', 'u', 'm', '', 'k', 'M', 'G', 'T', 'P', 'E'];
const binarySuffixes = ['', 'Ki', 'Mi', 'Gi', 'Ti', 'Pi', 'Ei'];

/** What was read lately: a pod's few quantities are asked for by all who count it. */
const read = new Map<string | number, Quantity>();
const readAtMost = 512;
const longestKept = 16;

/** Shared: never mutate. Throws an Error with upstream's message when `text` is no quantity. */
export function parseQuantity(text: string | number): Quantity {
  let quantity = read.get(text);
  if (quantity !== undefined) return quantity;
  quantity = parseAnew(text);
  if (typeof text === 'string' && text.length > longestKept) return quantity;
  if (read.size >= readAtMost) read.clear();
  read.set(text, quantity);
  return quantity;
}

function parseAnew(text: string | number): Quantity {
  const match = pattern.exec(typeof text === 'number' ? String(text) : text);
  if (match === null || match[0] === '') throw new Error(wrongFormat);
  const [, sign, whole = '', fraction = '', suffix = ''] = match;

  let format: Quantity['format'] = 'DecimalSI';
  let numerator = BigInt(whole + fraction);
  let exponent = -fraction.length;
  const decimal = decimalExponents[suffix];
  const binary = binarySuffixes.indexOf(suffix);
  if (decimal !== undefined) {
    exponent += decimal;
  } else if (binary > 0) {
    format = 'BinarySI';
    numerator <<= BigInt(10 * binary);
  } else {
    if (!/^[eE][-+]?[0-9]+$/.test(suffix)) throw new Error("unable to parse quantity's suffix");
    format = 'DecimalExponent';
    exponent += Number(suffix.slice(1));
  }
  let nanos = scaleUp(numerator, exponent + 9);
  if (format === 'BinarySI' && nanos > MAX_NANOS) nanos = MAX_NANOS;
  if (format === 'BinarySI' && nanos > 0n && nanos < NANO) format = 'DecimalSI';
  return { nanos: sign === '-' ? -nanos : nanos, format };
}

/** value * 10^exponent, rounded away from zero: whoever asks for something gets something. */
function scaleUp(value: bigint, exponent: number): bigint {
  if (exponent >= 0) return value === 0n ? 0n : value * 10n ** BigInt(Math.min(exponent, 64));
  if (-exponent > 64) return value === 0n ? 0n : 1n;
  const divisor = 10n ** BigInt(-exponent);
  return (value + divisor - 1n) / divisor;
}

/** The canonical form: no fraction, the largest suffix that keeps it exact. */
export function formatQuantity({ nanos, format }: Quantity): string {
  if (nanos === 0n) return '0';
  const sign = nanos < 0n ? '-' : '';
  let amount = nanos < 0n ? -nanos : nanos;
  if (format === 'BinarySI' && amount >= 1024n * NANO && amount % NANO === 0n) {
    amount /= NANO;
    let power = 0;
    while (power < 6 && (amount & 1023n) === 0n) {
      amount >>= 10n;
      power++;
    }
    return sign + amount + binarySuffixes[power];
  }
  let thousands = 0;
  while (thousands < 9 && amount % 1000n === 0n) {
    amount /= 1000n;
    thousands++;
  }
  if (format !== 'DecimalExponent') return sign + amount + decimalSuffixes[thousands];
  const exponent = thousands * 3 - 9;
  return exponent === 0 ? `${sign}${amount}` : `${sign}${amount}e${exponent}`;
}

const canonicalForms = new Map<string, string>();

/**
 * The form a quantity is stored in: `1024Mi` -> `1Gi`, `0.5` -> `500m`. What upstream's parser takes for canonical at
 * first sight stays as it was written (`1.500`, `+1`). Throws as parseQuantity does.
 */
export function canonicalQuantity(text: string | number): string {
  const key = typeof text === 'number' ? String(text) : text;
  let form = canonicalForms.get(key);
  if (form === undefined) {
    const quantity = parseQuantity(key);
    form = isKeptAsWritten(key) ? key : formatQuantity(quantity);
    // A cluster uses few distinct quantities; a client that sends many makes the cache start over.
    if (canonicalForms.size >= 4096) canonicalForms.clear();
    canonicalForms.set(key, form);
  }
  return form;
}

const MAX_DIGITS = 18;

/** Source: the fast path of ParseQuantity, which remembers the text it was given. */
function isKeptAsWritten(text: string): boolean {
  const [, , whole = '', fraction = '', suffix = ''] = pattern.exec(text)!;
  const digits = whole.replace(/^0+/, '') || '0';
  const power = binarySuffixes.indexOf(suffix);
  if (power > 0) {
    return fraction === '' && 14 - digits.length - 3 * power >= 0 && (Number(digits) & 7) !== 0;
  }
  const exponent = decimalExponents[suffix] ?? Number(suffix.slice(1));
  const shifted = digits + fraction;
  const scale = exponent - fraction.length;
  return (
    shifted.length <= MAX_DIGITS && scale >= -9 && scale % 3 === 0 && !shifted.endsWith('000') && shifted[0] !== '0'
  );
}

type QuantityLike = string | number | Quantity;
const parsed = (value: QuantityLike): Quantity => (typeof value === 'object' ? value : parseQuantity(value));

/** Negative, 0 or positive, as in a sort. */
export function compareQuantities(a: QuantityLike, b: QuantityLike): number {
  const left = parsed(a).nanos;
  const right = parsed(b).nanos;
  return left < right ? -1 : left > right ? 1 : 0;
}

/** Canonical form of the sum, in the format of the first operand that is not zero. */
export function addQuantities(a: QuantityLike, b: QuantityLike): string {
  const left = parsed(a);
  const right = parsed(b);
  return formatQuantity({ nanos: left.nanos + right.nanos, format: left.nanos === 0n ? right.format : left.format });
}

export function subtractQuantities(a: QuantityLike, b: QuantityLike): string {
  const left = parsed(a);
  const right = parsed(b);
  return formatQuantity({ nanos: left.nanos - right.nanos, format: left.nanos === 0n ? right.format : left.format });
}

/** In units (bytes, cores), rounded up to a whole number as upstream's Value(). */
export const quantityValue = (value: QuantityLike): number => Number(roundUp(parsed(value).nanos, NANO));

/** In thousandths, rounded up, as upstream's MilliValue(): what CPU is counted in. */
export const quantityMilliValue = (value: QuantityLike): number => Number(roundUp(parsed(value).nanos, 1_000_000n));

/** In units, with fractions. */
/** As upstream looks: in thousandths, rounded up. */
export const isWholeQuantity = (value: QuantityLike): boolean =>
  roundUp(parsed(value).nanos, 1_000_000n) % 1000n === 0n;

export const quantityNumber = (value: QuantityLike): number => Number(parsed(value).nanos) / 1e9;

/** A whole number of units as a quantity. */
export const quantityOf = (units: bigint | number, format: Quantity['format'] = 'DecimalSI'): string =>
  formatQuantity({ nanos: BigInt(units) * NANO, format });

/** Thousandths as a quantity: 1500 -> `1500m`. */
export const quantityOfMillis = (millis: bigint | number): string =>
  formatQuantity({ nanos: BigInt(millis) * 1_000_000n, format: 'DecimalSI' });

function roundUp(nanos: bigint, unit: bigint): bigint {
  const quotient = nanos / unit;
  const rest = nanos % unit;
  if (rest === 0n) return quotient;
  return nanos > 0n ? quotient + 1n : quotient - 1n;
}
