import { formatTime } from './object.ts';

const RFC3339_LAYOUT = '2006-01-02T15:04:05Z07:00';
const MICRO_LAYOUT = '2006-01-02T15:04:05.000000Z07:00';
const canonicalTime = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/;
const anyTime = /^\d{4}-\d\d-\d\d[T]\d\d:\d\d:\d\d(?:[.,](\d+))?(?:Z|[+-]\d\d:\d\d)$/;
const layoutParts: [RegExp, string][] = [
  [/^\d{4}/, '2006'],
  [/^-/, '-'],
  [/^(?:0[1-9]|1[0-2])/, '01'],
  [/^-/, '-'],
  [/^\d\d/, '02'],
  [/^T/, 'T'],
  [/^\d\d?/, '15'],
  [/^:/, ':'],
  [/^\d\d/, '04'],
  [/^:/, ':'],
  [/^\d\d(?:[.,]\d+)?/, '05'],
  [/^(?:Z|[+-]\d\d:\d\d)/, 'Z07:00'],
];

/** A metav1.Time as it is stored: UTC, whole seconds. Throws an Error with Go's words when `text` is no time. */
export function canonicalTimeOf(text: string): string {
  const epochMs = parseTime(text);
  return canonicalTime.test(text) ? text : formatTime(epochMs);
}

/** A metav1.MicroTime as it is stored: UTC, six digits of a second. */
export function canonicalMicroTimeOf(text: string): string {
  // Unlike with whole seconds, Go's layout asks for exactly six digits.
  const rest = text.slice(19);
  if (anyTime.test(text) && !/^[.,]\d{6}(?!\d)/.test(rest)) {
    const as = ` as ${quoted(MICRO_LAYOUT)}: cannot parse ${quoted(rest)} as ${quoted('.000000')}`;
    throw new Error(`parsing time ${quoted(text)}${as}`);
  }
  const seconds = formatTime(parseTime(text, MICRO_LAYOUT));
  const fraction = (anyTime.exec(text)?.[1] ?? '').padEnd(6, '0').slice(0, 6);
  return `${seconds.slice(0, 19)}.${fraction}Z`;
}

/** Epoch milliseconds of an RFC 3339 time; NaN for what is none. */
export function epochMsOf(text: string): number {
  try {
    return parseTime(text);
  } catch {
    return Number.NaN;
  }
}

function parseTime(text: string, wanted = RFC3339_LAYOUT): number {
  let epochMs = anyTime.test(text) ? Date.parse(text.replace(',', '.')) : Number.NaN;
  // Date.parse takes February 30th for March 1st.
  if (Number(text.slice(8, 10)) > 28 && !hasDay(text)) epochMs = Number.NaN;
  if (Number.isNaN(epochMs)) throw new Error(`parsing time ${quoted(text)}${whatIsWrong(text, wanted)}`);
  return epochMs;
}

const hasDay = (text: string): boolean =>
  new Date(Date.UTC(Number(text.slice(0, 4)), Number(text.slice(5, 7)), 0)).getUTCDate() >= Number(text.slice(8, 10));

function whatIsWrong(text: string, wanted: string): string {
  let rest = text;
  for (const [part, layout] of layoutParts) {
    const match = part.exec(rest);
    if (match === null) {
      if (layout === '01' && /^\d\d/.test(rest)) return ': month out of range';
      return ` as ${quoted(wanted)}: cannot parse ${quoted(rest)} as ${quoted(layout)}`;
    }
    rest = rest.slice(match[0].length);
  }
  if (rest !== '') return `: extra text: ${quoted(rest)}`;
  const [, hour = '0', minute = '0', second = '0'] = /T(\d+):(\d+):(\d+)/.exec(text) ?? [];
  if (Number(hour) > 23) return ': hour out of range';
  if (Number(minute) > 59) return ': minute out of range';
  if (Number(second) > 59) return ': second out of range';
  return ': day out of range';
}

const quoted = (text: string): string => JSON.stringify(text);
