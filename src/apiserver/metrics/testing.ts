/** Reads one series' value out of the text of /metrics; 0 where it is not there. Labels may come in any order. */
export function seriesOf(text: string): (name: string, labels?: Record<string, string>) => number {
  const values = new Map<string, number>();
  for (const line of text.split('\n')) {
    const match = /^([a-z_]+)(?:\{(.*)\})? (\S+)$/.exec(line);
    if (match !== null) values.set(keyOf(match[1]!, (match[2] ?? '').split(/,(?=[a-z_]+=)/)), Number(match[3]));
  }
  return (name, labels = {}) =>
    values.get(
      keyOf(
        name,
        Object.entries(labels).map(([label, value]) => `${label}="${value}"`),
      ),
    ) ?? 0;
}

const keyOf = (name: string, labels: string[]) =>
  `${name}{${labels
    .filter((one) => one !== '')
    .sort()
    .join(',')}}`;
