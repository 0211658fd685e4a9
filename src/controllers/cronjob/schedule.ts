/** Of a cron line: when next. Times are epoch milliseconds. */
export interface Schedule {
  /** The first time after `afterMs`; undefined when there is none within five years. */
  next(afterMs: number): number | undefined;
}

interface Field {
  allowed: Set<number>;
  /** `*` or `?`: day of month and day of week then don't add up but leave the word to the other. */
  isAny: boolean;
}

const months = ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec'];
const days = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'];
const macros: Record<string, string> = {
  '@yearly': '0 0 1 1 *',
  '@annually': '0 0 1 1 *',
  '@monthly': '0 0 1 * *',
  '@weekly': '0 0 * * 0',
  '@daily': '0 0 * * *',
  '@midnight': '0 0 * * *',
  '@hourly': '0 * * * *',
};

/**
 * A schedule as CronJob takes it: five fields, `@hourly` and its like, `@every 1h30m`. Throws an Error that says what is
 * wrong. Wall-clock times that a change to summer time skips do not run; those that occur twice run twice, as the cron
 * library of upstream's controller does it.
 */
export function parseSchedule(line: string, timeZone = 'UTC'): Schedule {
  const zoned = /^(?:CRON_)?TZ=(\S*)\s+(.*)$/.exec(line.trim());
  if (zoned !== null) {
    const [, zone = '', rest = ''] = zoned;
    if (!isTimeZone(zone)) throw new Error(`provided bad location ${zone}: unknown time zone ${zone}`);
    return parseSchedule(rest, zone);
  }
  const text = line.trim();
  if (text.startsWith('@every ')) return every(text.slice('@every '.length));
  const expanded = text.startsWith('@') ? macros[text.toLowerCase()] : text;
  if (expanded === undefined) throw new Error(`unrecognized descriptor: ${text}`);
  const parts = expanded.split(/\s+/);
  if (parts.length !== 5) throw new Error(`expected exactly 5 fields, found ${parts.length}: [${parts.join(' ')}]`);
  const minute = parseField(parts[0]!, 0, 59);
  const hour = parseField(parts[1]!, 0, 23);
  const dayOfMonth = parseField(parts[2]!, 1, 31);
  const month = parseField(parts[3]!, 1, 12, months, 1);
  const dayOfWeek = parseField(parts[4]!, 0, 6, days, 0);
  const wallClock = wallClockOf(timeZone);
  const isDay = (day: number, weekday: number): boolean => {
    const byMonth = dayOfMonth.allowed.has(day);
    const byWeek = dayOfWeek.allowed.has(weekday);
    return dayOfMonth.isAny || dayOfWeek.isAny ? byMonth && byWeek : byMonth || byWeek;
  };
  return {
    next(afterMs) {
      const minuteMs = 60_000;
      let atMs = (Math.floor(afterMs / minuteMs) + 1) * minuteMs;
      const endMs = afterMs + 5 * 366 * 24 * 60 * minuteMs;
      while (atMs <= endMs) {
        const at = wallClock(atMs);
        if (!month.allowed.has(at.month) || !isDay(at.day, at.weekday)) {
          // To the end of the day, an hour short of it: the clock may be changed in between.
          atMs += Math.max(1, 24 * 60 - (at.hour * 60 + at.minute) - 60) * minuteMs;
        } else if (!hour.allowed.has(at.hour)) {
          // Zones change by half hours at the least.
          atMs += (30 - (at.minute % 30)) * minuteMs;
        } else if (!minute.allowed.has(at.minute)) {
          atMs += minuteMs;
        } else {
          return atMs;
        }
      }
      return undefined;
    },
  };
}

function parseField(text: string, lowest: number, highest: number, names: string[] = [], firstName = 0): Field {
  const allowed = new Set<number>();
  let isAny = false;
  const numberOf = (word: string): number => {
    const named = names.indexOf(word.toLowerCase());
    if (named >= 0) return named + firstName;
    if (!/^\d+$/.test(word)) throw new Error(`failed to parse int from ${word}`);
    return Number(word);
  };
  for (const part of text.split(',')) {
    const [range = '', stepText, ...more] = part.split('/');
    if (more.length > 0) throw new Error(`too many slashes: ${part}`);
    const step = stepText === undefined ? 1 : numberOf(stepText);
    if (step === 0) throw new Error(`step of range should be a positive number: ${part}`);
    let first = lowest;
    let last = highest;
    if (range === '*' || range === '?') {
      isAny ||= stepText === undefined || step === 1;
    } else {
      const [from = '', to, ...rest] = range.split('-');
      if (rest.length > 0) throw new Error(`too many hyphens: ${part}`);
      first = numberOf(from);
      last = to !== undefined ? numberOf(to) : stepText === undefined ? first : highest;
    }
    if (first < lowest) throw new Error(`beginning of range (${first}) below minimum (${lowest}): ${part}`);
    if (last > highest) throw new Error(`end of range (${last}) above maximum (${highest}): ${part}`);
    if (first > last) throw new Error(`beginning of range (${first}) beyond end of range (${last}): ${part}`);
    for (let value = first; value <= last; value += step) allowed.add(value);
  }
  return { allowed, isAny };
}

export function isTimeZone(name: string): boolean {
  if (name === '') return true;
  try {
    new Intl.DateTimeFormat('en-US', { timeZone: name });
    return true;
  } catch {
    return false;
  }
}

const unitMs: Record<string, number> = { h: 3_600_000, m: 60_000, s: 1000, ms: 1 };

function every(text: string): Schedule {
  let intervalMs = 0;
  let rest = text.trim();
  while (rest !== '') {
    const match = /^(\d+(?:\.\d+)?)(ms|h|m|s)/.exec(rest);
    if (match === null) throw new Error(`failed to parse duration @every ${text}`);
    intervalMs += Number(match[1]) * unitMs[match[2]!]!;
    rest = rest.slice(match[0].length);
  }
  intervalMs = Math.max(1000, Math.floor(intervalMs / 1000) * 1000);
  return { next: (afterMs) => Math.floor(afterMs / 1000) * 1000 + intervalMs };
}

interface WallClock {
  month: number;
  day: number;
  weekday: number;
  hour: number;
  minute: number;
}

/** Throws a RangeError for a zone that is not known. */
function wallClockOf(timeZone: string): (atMs: number) => WallClock {
  if (timeZone === 'UTC' || timeZone === 'Etc/UTC' || timeZone === '') {
    return (atMs) => {
      const at = new Date(atMs);
      return {
        month: at.getUTCMonth() + 1,
        day: at.getUTCDate(),
        weekday: at.getUTCDay(),
        hour: at.getUTCHours(),
        minute: at.getUTCMinutes(),
      };
    };
  }
  const format = new Intl.DateTimeFormat('en-US', {
    timeZone,
    hourCycle: 'h23',
    weekday: 'short',
    month: 'numeric',
    day: 'numeric',
    hour: 'numeric',
    minute: 'numeric',
  });
  return (atMs) => {
    const parts: Record<string, string> = {};
    for (const { type, value } of format.formatToParts(atMs)) parts[type] = value;
    return {
      month: Number(parts['month']),
      day: Number(parts['day']),
      weekday: days.indexOf(parts['weekday']!.toLowerCase()),
      hour: Number(parts['hour']),
      minute: Number(parts['minute']),
    };
  };
}
