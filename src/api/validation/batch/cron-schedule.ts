/** What is wrong with a cron schedule, in the words of the parser Kubernetes uses (robfig/cron); undefined: nothing. */
export function cronScheduleFinding(schedule: string): string | undefined {
  let text = schedule;
  const zone = /^(?:CRON_)?TZ=\S+\s+/.exec(text);
  if (zone !== null) text = text.slice(zone[0].length).trim();
  if (text.startsWith('@')) return descriptorFinding(text);
  const fields = text.split(/\s+/).filter((field) => field !== '');
  if (fields.length !== 5) {
    return `expected exactly 5 fields, found ${fields.length}: [${fields.join(' ')}]`;
  }
  for (let i = 0; i < 5; i++) {
    const finding = fieldFinding(fields[i]!, bounds[i]!);
    if (finding !== undefined) return finding;
  }
  return undefined;
}

interface Bounds {
  low: number;
  high: number;
  names?: Record<string, number>;
}

const numbered = (names: string, from: number): Record<string, number> =>
  Object.fromEntries(names.split(' ').map((name, index) => [name, index + from]));

const bounds: Bounds[] = [
  { low: 0, high: 59 },
  { low: 0, high: 23 },
  { low: 1, high: 31 },
  { low: 1, high: 12, names: numbered('jan feb mar apr may jun jul aug sep oct nov dec', 1) },
  { low: 0, high: 6, names: numbered('sun mon tue wed thu fri sat', 0) },
];

const descriptors = ['@yearly', '@annually', '@monthly', '@weekly', '@daily', '@midnight', '@hourly'];

function descriptorFinding(text: string): string | undefined {
  if (descriptors.includes(text)) return undefined;
  if (text.startsWith('@every ')) {
    const duration = text.slice('@every '.length);
    const isDuration = /^[+-]?(?:\d+(?:\.\d*)?(?:ns|us|µs|ms|s|m|h))+$/.test(duration);
    return isDuration
      ? undefined
      : `failed to parse duration ${text}: time: invalid duration ${JSON.stringify(duration)}`;
  }
  return `unrecognized descriptor: ${text}`;
}

function fieldFinding(field: string, limits: Bounds): string | undefined {
  for (const expression of field.split(',').filter((part) => part !== '')) {
    const finding = rangeFinding(expression, limits);
    if (finding !== undefined) return finding;
  }
  return undefined;
}

function rangeFinding(expression: string, limits: Bounds): string | undefined {
  const [range = '', ...steps] = expression.split('/');
  const ends = range.split('-');
  let start = limits.low;
  let end = limits.high;
  if (ends[0] !== '*' && ends[0] !== '?') {
    const low = numberOf(ends[0]!, limits);
    if (typeof low === 'string') return low;
    start = low;
    if (ends.length === 1) end = steps.length === 0 ? low : limits.high;
    else if (ends.length === 2) {
      const high = numberOf(ends[1]!, limits);
      if (typeof high === 'string') return high;
      end = high;
    } else return `too many hyphens: ${expression}`;
  }
  if (steps.length > 1) return `too many slashes: ${expression}`;
  if (steps.length === 1) {
    const step = numberOf(steps[0]!, { low: 0, high: Number.MAX_SAFE_INTEGER });
    if (typeof step === 'string') return step;
    if (step === 0) return `step of range should be a positive number: ${expression}`;
  }
  if (start < limits.low) return `beginning of range (${start}) below minimum (${limits.low}): ${expression}`;
  if (end > limits.high) return `end of range (${end}) above maximum (${limits.high}): ${expression}`;
  if (start > end) return `beginning of range (${start}) beyond end of range (${end}): ${expression}`;
  return undefined;
}

function numberOf(text: string, { names }: Bounds): number | string {
  const named = names?.[text.toLowerCase()];
  if (named !== undefined) return named;
  if (/^\d+$/.test(text)) return Number(text);
  if (/^-\d+$/.test(text)) return `negative number (${text}) not allowed: ${text}`;
  return `failed to parse int from ${text}: strconv.Atoi: parsing ${JSON.stringify(text)}: invalid syntax`;
}
