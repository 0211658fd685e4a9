import type { Functions } from '../declarations.ts';
import { type Duration, EvaluationFailure, type Timestamp } from '../values.ts';

interface Parts {
  year: number;
  /** From 0. */
  month: number;
  /** From 1. */
  day: number;
  weekday: number;
  hours: number;
  minutes: number;
  seconds: number;
}

function partsIn({ nanos }: Timestamp, zone: string): Parts {
  const milliseconds = Number((nanos - (((nanos % 1_000_000n) + 1_000_000n) % 1_000_000n)) / 1_000_000n);
  return partsOf(new Date(milliseconds + offsetMs(milliseconds, zone)));
}

const partsOf = (date: Date): Parts => ({
  year: date.getUTCFullYear(),
  month: date.getUTCMonth(),
  day: date.getUTCDate(),
  weekday: date.getUTCDay(),
  hours: date.getUTCHours(),
  minutes: date.getUTCMinutes(),
  seconds: date.getUTCSeconds(),
});

/** East of UTC, at a moment. */
function offsetMs(milliseconds: number, zone: string): number {
  if (zone === '' || zone === 'UTC') return 0;
  const fixed = /^([+-]?\d+):(-?\d+)$/.exec(zone);
  if (fixed !== null) {
    const hours = Number(fixed[1]);
    const minutes = zone.startsWith('-') ? hours * 60 - Number(fixed[2]) : hours * 60 + Number(fixed[2]);
    return minutes * 60_000;
  }
  let format: Intl.DateTimeFormat;
  try {
    format = new Intl.DateTimeFormat('en-US', {
      timeZone: zone,
      hourCycle: 'h23',
      year: 'numeric',
      month: 'numeric',
      day: 'numeric',
      hour: 'numeric',
      minute: 'numeric',
      second: 'numeric',
    });
  } catch {
    throw new EvaluationFailure(`unknown time zone ${zone}`);
  }
  const shown: Record<string, number> = {};
  for (const { type, value } of format.formatToParts(milliseconds)) shown[type] = Number(value);
  const local = Date.UTC(
    shown['year']!,
    shown['month']! - 1,
    shown['day'],
    shown['hour'],
    shown['minute'],
    shown['second'],
  );
  return local - Math.floor(milliseconds / 1000) * 1000;
}

const dayOfYear = ({ year, month, day }: Parts) => (Date.UTC(year, month, day) - Date.UTC(year, 0, 1)) / 86_400_000;

/** Parts of times and durations. Source: cel-go's common/stdlib. */
export function addTimeFunctions(functions: Functions): void {
  const part = (name: string, id: string, read: (parts: Parts) => number, zonedId = `${id}_with_tz`) => {
    functions.member(name, id, '(timestamp) int', (time: Timestamp) => BigInt(read(partsIn(time, ''))));
    functions.member(name, zonedId, '(timestamp, string) int', (time: Timestamp, zone: string) =>
      BigInt(read(partsIn(time, zone))),
    );
  };
  part('getFullYear', 'timestamp_to_year', ({ year }) => year);
  part('getMonth', 'timestamp_to_month', ({ month }) => month);
  part('getDayOfYear', 'timestamp_to_day_of_year', dayOfYear);
  part('getDayOfMonth', 'timestamp_to_day_of_month', ({ day }) => day - 1);
  part('getDate', 'timestamp_to_day_of_month_1_based', ({ day }) => day);
  part('getDayOfWeek', 'timestamp_to_day_of_week', ({ weekday }) => weekday);
  part('getHours', 'timestamp_to_hours', ({ hours }) => hours);
  part('getMinutes', 'timestamp_to_minutes', ({ minutes }) => minutes);
  part('getSeconds', 'timestamp_to_seconds', ({ seconds }) => seconds, 'timestamp_to_seconds_tz');
  const milliseconds = ({ nanos }: Timestamp) =>
    (((nanos % 1_000_000_000n) + 1_000_000_000n) % 1_000_000_000n) / 1_000_000n;
  functions.member('getMilliseconds', 'timestamp_to_milliseconds', '(timestamp) int', milliseconds);
  functions.member('getMilliseconds', 'timestamp_to_milliseconds_with_tz', '(timestamp, string) int', milliseconds);
  for (const [name, word, nanos] of [
    ['getHours', 'hours', 3_600_000_000_000n],
    ['getMinutes', 'minutes', 60_000_000_000n],
    ['getSeconds', 'seconds', 1_000_000_000n],
    ['getMilliseconds', 'milliseconds', 1_000_000n],
  ] as const) {
    functions.member(name, `duration_to_${word}`, '(duration) int', (value: Duration) => value.nanos / nanos);
  }
}
