/**
 * Counters and histograms cheap enough for every request: a series is found once by its labels and then counts in
 * place. Written out in the text format of Prometheus.
 */
export interface Metric {
  write(lines: string[]): void;
}

type Labels = readonly string[];

/** A client that makes up label values must not fill memory: further series are counted together. */
const seriesLimit = 10_000;

abstract class Family<Series> implements Metric {
  readonly name: string;
  readonly help: string;
  readonly labelNames: Labels;
  readonly #series = new Map<string, { labels: Labels; series: Series }>();

  constructor(name: string, help: string, labelNames: Labels) {
    this.name = name;
    this.help = help;
    this.labelNames = labelNames;
  }

  protected abstract create(): Series;
  protected abstract readonly type: string;
  protected abstract writeSeries(lines: string[], labels: string, series: Series): void;

  /** The series of these label values, in the order of the names. */
  with(...labels: string[]): Series {
    const key = labels.join('\0');
    let known = this.#series.get(key);
    if (known === undefined) {
      if (this.#series.size >= seriesLimit && labels.some((label) => label !== 'other')) {
        return this.with(...labels.map(() => 'other'));
      }
      known = { labels, series: this.create() };
      this.#series.set(key, known);
    }
    return known.series;
  }

  write(lines: string[]): void {
    lines.push(`# HELP ${this.name} ${this.help}`, `# TYPE ${this.name} ${this.type}`);
    for (const { labels, series } of this.#series.values()) {
      this.writeSeries(lines, labelText(this.labelNames, labels), series);
    }
  }
}

export class Count {
  value = 0;
  add(by = 1): void {
    this.value += by;
  }
}

export class Counter extends Family<Count> {
  protected readonly type: string = 'counter';
  protected create(): Count {
    return new Count();
  }
  protected writeSeries(lines: string[], labels: string, { value }: Count): void {
    lines.push(`${this.name}${braced(labels)} ${value}`);
  }
}

/** A value that goes up and down where it is kept. */
export class Gauge extends Counter {
  protected override readonly type = 'gauge';
}

export class Distribution {
  readonly buckets: readonly number[];
  readonly counts: Float64Array;
  sum = 0;
  count = 0;

  constructor(buckets: readonly number[]) {
    this.buckets = buckets;
    this.counts = new Float64Array(buckets.length);
  }

  observe(value: number): void {
    this.sum += value;
    this.count++;
    for (let index = 0; index < this.buckets.length; index++) {
      if (value <= this.buckets[index]!) {
        this.counts[index]!++;
        return;
      }
    }
  }
}

export class Histogram extends Family<Distribution> {
  protected readonly type = 'histogram';
  readonly #buckets: readonly number[];

  constructor(name: string, help: string, labelNames: Labels, buckets: readonly number[]) {
    super(name, help, labelNames);
    this.#buckets = buckets;
  }

  protected create(): Distribution {
    return new Distribution(this.#buckets);
  }

  protected writeSeries(lines: string[], labels: string, { buckets, counts, sum, count }: Distribution): void {
    const before = labels === '' ? '' : `${labels},`;
    let below = 0;
    for (let index = 0; index < buckets.length; index++) {
      below += counts[index]!;
      lines.push(`${this.name}_bucket{${before}le="${buckets[index]}"} ${below}`);
    }
    lines.push(`${this.name}_bucket{${before}le="+Inf"} ${count}`);
    lines.push(`${this.name}_sum${braced(labels)} ${sum}`, `${this.name}_count${braced(labels)} ${count}`);
  }
}

/** What is looked up when somebody asks, and costs nothing before. */
export class ComputedGauge implements Metric {
  readonly #name: string;
  readonly #help: string;
  readonly #labelNames: Labels;
  readonly #values: () => Iterable<{ labels: Labels; value: number }>;

  constructor(
    name: string,
    help: string,
    labelNames: Labels,
    values: () => Iterable<{ labels: Labels; value: number }>,
  ) {
    this.#name = name;
    this.#help = help;
    this.#labelNames = labelNames;
    this.#values = values;
  }

  write(lines: string[]): void {
    lines.push(`# HELP ${this.#name} ${this.#help}`, `# TYPE ${this.#name} gauge`);
    for (const { labels, value } of this.#values()) {
      lines.push(`${this.#name}${braced(labelText(this.#labelNames, labels))} ${value}`);
    }
  }
}

const braced = (labels: string) => (labels === '' ? '' : `{${labels}}`);

function labelText(names: Labels, values: Labels): string {
  return names.map((name, index) => `${name}="${escaped(values[index]!)}"`).join(',');
}

const escaped = (value: string) =>
  /["\\\n]/.test(value) ? value.replace(/\\/g, '\\\\').replace(/"/g, '\\"').replace(/\n/g, '\\n') : value;
