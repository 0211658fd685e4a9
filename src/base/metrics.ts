/**
 * Counters and histograms cheap enough for every request: a series is found once by its labels and then counts in
 * place. Written out in the text format of Prometheus.
 */
export interface Metric {
  write(lines: string[]): void;
}

type Labels = readonly string[];

/** Clients that make up label values must not fill memory: further series are counted together. */
const mostSeries = 10_000;

abstract class Family<Series> implements Metric {
  readonly name: string;
  readonly help: string;
  readonly labelNames: Labels;
  readonly #series = new Map<string, { labels: Labels; series: Series }>();
  readonly #limit: number;

  constructor(name: string, help: string, labelNames: Labels, limit = mostSeries) {
    this.name = name;
    this.help = help;
    this.labelNames = labelNames;
    this.#limit = limit;
  }

  protected abstract create(): Series;
  protected abstract readonly type: string;
  protected abstract writeSeries(lines: string[], labels: string, series: Series): void;

  /** The series of these label values, in the order of the names. */
  with(...labels: string[]): Series {
    const key = labels.join('\0');
    let known = this.#series.get(key);
    if (known === undefined) {
      if (this.#series.size >= this.#limit && labels.some((label) => label !== 'other')) {
        return this.with(...labels.map(() => 'other'));
      }
      known = { labels, series: this.create() };
      this.#series.set(key, known);
    }
    return known.series;
  }

  /** Every series with its labels as they are written. */
  *all(): IterableIterator<[labels: string, series: Series]> {
    for (const { labels, series } of this.#series.values()) yield [labelText(this.labelNames, labels), series];
  }

  write(lines: string[]): void {
    lines.push(`# HELP ${this.name} ${this.help}`, `# TYPE ${this.name} ${this.type}`);
    for (const [labels, series] of this.all()) this.writeSeries(lines, labels, series);
  }
}

export class Count {
  value = 0;
  add(by = 1): void {
    this.value += by;
  }
}

/** Only ever goes up. */
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
  protected readonly type: string = 'histogram';
  readonly #buckets: readonly number[];

  constructor(name: string, help: string, labelNames: Labels, buckets: readonly number[], limit?: number) {
    super(name, help, labelNames, limit);
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

/** What a histogram counted, under another name and without its buckets: a summary that knows no quantiles. */
export class SumsOf implements Metric {
  readonly #name: string;
  readonly #help: string;
  readonly #histogram: Histogram;

  constructor(name: string, help: string, histogram: Histogram) {
    this.#name = name;
    this.#help = help;
    this.#histogram = histogram;
  }

  write(lines: string[]): void {
    lines.push(`# HELP ${this.#name} ${this.#help}`, `# TYPE ${this.#name} summary`);
    for (const [labels, { sum, count }] of this.#histogram.all()) {
      lines.push(`${this.#name}_sum${braced(labels)} ${sum}`, `${this.#name}_count${braced(labels)} ${count}`);
    }
  }
}

/** `start`, and so many values in all, each `factor` times the one before. */
export function exponentialBuckets(start: number, factor: number, count: number): number[] {
  return Array.from({ length: count }, (_, index) => Number((start * factor ** index).toPrecision(12)));
}

/** What is looked up when somebody asks, and costs nothing before. */
export class ComputedGauge implements Metric {
  readonly #name: string;
  readonly #help: string;
  readonly #labelNames: Labels;
  readonly #values: () => Iterable<{ labels: Labels; value: number }>;
  readonly #type: 'gauge' | 'counter';

  constructor(
    name: string,
    help: string,
    labelNames: Labels,
    values: () => Iterable<{ labels: Labels; value: number }>,
    type: 'gauge' | 'counter' = 'gauge',
  ) {
    this.#type = type;
    this.#name = name;
    this.#help = help;
    this.#labelNames = labelNames;
    this.#values = values;
  }

  write(lines: string[]): void {
    lines.push(`# HELP ${this.#name} ${this.#help}`, `# TYPE ${this.#name} ${this.#type}`);
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
