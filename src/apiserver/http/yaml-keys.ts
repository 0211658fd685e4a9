/** So many keys are sorted at once. */
const runLength = 512;

/**
 * A map's keys in the order upstream writes them: numbers within them by their value, letters after everything else.
 * Source: go-yaml's keyList. Yields empty parts to rest at: a map of a tenant may have a hundred thousand keys.
 */
export function* keysInOrder(map: object): Generator<string, string[], void> {
  const isThere = (key: string) => (map as Record<string, unknown>)[key] !== undefined;
  const keys = Object.keys(map);
  if (keys.length <= runLength) return keys.filter(isThere).sort(compareKeys);
  let runs: string[][] = [];
  for (let start = 0; start < keys.length; start += runLength) {
    const run = keys.slice(start, start + runLength).filter(isThere);
    runs.push(run.sort(compareKeys));
    yield '';
  }
  while (runs.length > 1) {
    const merged: string[][] = [];
    for (let index = 0; index < runs.length; index += 2) {
      const other = runs[index + 1];
      merged.push(other === undefined ? runs[index]! : yield* merge(runs[index]!, other));
    }
    runs = merged;
  }
  return runs[0]!;
}

function* merge(one: string[], other: string[]): Generator<string, string[], void> {
  const merged: string[] = [];
  let a = 0;
  let b = 0;
  while (a < one.length && b < other.length) {
    merged.push(compareKeys(other[b]!, one[a]!) < 0 ? other[b++]! : one[a++]!);
    if (merged.length % runLength === 0) yield '';
  }
  while (a < one.length) merged.push(one[a++]!);
  while (b < other.length) merged.push(other[b++]!);
  return merged;
}

export function compareKeys(a: string, b: string): number {
  const shorter = Math.min(a.length, b.length);
  let at = 0;
  while (at < shorter && a.charCodeAt(at) === b.charCodeAt(at)) at++;
  if (at > 0 && isLowSurrogate(a, at) && isLowSurrogate(b, at)) at--;
  if (at === a.length || at === b.length) return a.length - b.length;
  const one = a.codePointAt(at)!;
  const other = b.codePointAt(at)!;
  const isOneLetter = isLetter(one);
  const isOtherLetter = isLetter(other);
  if (isOneLetter && isOtherLetter) return one - other;
  if (isOneLetter || isOtherLetter) return isOtherLetter ? -1 : 1;
  // A zero within a number is one of its digits; before it, it is none.
  let first = 0n;
  if (one === zero || other === zero) {
    for (let before = at - 1; before >= 0 && isDigit(a.charCodeAt(before)); before--) {
      if (a.charCodeAt(before) === zero) continue;
      first = 1n;
      break;
    }
  }
  const [oneNumber, oneEnd] = numberAt(a, at, first);
  const [otherNumber, otherEnd] = numberAt(b, at, first);
  if (oneNumber !== otherNumber) return oneNumber < otherNumber ? -1 : 1;
  return oneEnd !== otherEnd ? oneEnd - otherEnd : one - other;
}

const zero = 0x30;

function isLowSurrogate(text: string, at: number): boolean {
  return (text.charCodeAt(at) & 0xfc00) === 0xdc00;
}

const letter = /\p{L}/u;
const digit = /\p{Nd}/u;

function isLetter(code: number): boolean {
  if (code < 0x80) return (code | 0x20) >= 0x61 && (code | 0x20) <= 0x7a;
  return letter.test(String.fromCodePoint(code));
}

function isDigit(code: number): boolean {
  if (code < 0x80) return code >= zero && code <= 0x39;
  return digit.test(String.fromCodePoint(code));
}

/** The digits from there on as a number of 64 bits, after which it begins anew; and where they end. */
function numberAt(text: string, start: number, first: bigint): [bigint | number, number] {
  let end = start;
  let number = Number(first);
  while (end < text.length && isDigit(text.charCodeAt(end))) {
    number = number * 10 + text.charCodeAt(end) - zero;
    end++;
  }
  if (number <= Number.MAX_SAFE_INTEGER) return [number, end];
  let exact = first;
  for (let at = start; at < end; at++) exact = BigInt.asIntN(64, exact * 10n + BigInt(text.charCodeAt(at) - zero));
  return [BigInt(Number(exact)) === exact ? Number(exact) : exact, end];
}
