import { ComputedGauge, Counter, exponentialBuckets, Histogram, type Metric } from '../base/metrics.ts';

/** What a queue is at, when somebody looks. */
export interface QueueState {
  /** Keys that wait, those worked on that are to be looked at again among them. */
  depth: number;
  /** Of all keys being worked on, together. */
  unfinishedSeconds: number;
  longestRunningSeconds: number;
}

/** Hears what becomes of a queue's keys. */
export interface QueueObserver {
  added(): void;
  /** It comes back after a while. */
  retried(): void;
  /** A worker has it. */
  taken(waitedMs: number): void;
  done(workedMs: number): void;
}

/** Where a controller tells what its queue does. */
export interface ControllerMetrics {
  queue(name: string, state: () => QueueState): QueueObserver;
}

const seconds = exponentialBuckets(1e-8, 10, 10);

/** The queues of this process, as client-go's are counted. Source: component-base/metrics/prometheus/workqueue. */
export class QueueMetrics implements ControllerMetrics {
  readonly #adds = new Counter('workqueue_adds_total', 'Keys added.', ['name']);
  readonly #retries = new Counter('workqueue_retries_total', 'Keys that were to come back later.', ['name']);
  readonly #waits = new Histogram('workqueue_queue_duration_seconds', 'Time keys waited.', ['name'], seconds);
  readonly #works = new Histogram('workqueue_work_duration_seconds', 'Time keys were worked on.', ['name'], seconds);
  readonly #states = new Map<string, () => QueueState>();
  readonly metrics: readonly Metric[] = [
    this.#adds,
    this.#retries,
    this.#waits,
    this.#works,
    this.#gauge('workqueue_depth', 'Keys that wait.', ({ depth }) => depth),
    this.#gauge(
      'workqueue_unfinished_work_seconds',
      'Time spent so far on keys being worked on, together.',
      ({ unfinishedSeconds }) => unfinishedSeconds,
    ),
    this.#gauge(
      'workqueue_longest_running_processor_seconds',
      'Time spent so far on the key being worked on longest.',
      ({ longestRunningSeconds }) => longestRunningSeconds,
    ),
  ];

  /** A second queue of the same name takes the first one's place: the controller runs again. */
  queue(name: string, state: () => QueueState): QueueObserver {
    this.#states.set(name, state);
    const adds = this.#adds.with(name);
    const retries = this.#retries.with(name);
    const waits = this.#waits.with(name);
    const works = this.#works.with(name);
    return {
      added: () => adds.add(),
      retried: () => retries.add(),
      taken: (waitedMs) => waits.observe(waitedMs / 1000),
      done: (workedMs) => works.observe(workedMs / 1000),
    };
  }

  #gauge(name: string, help: string, value: (state: QueueState) => number): Metric {
    const states = () => this.#states;
    return new ComputedGauge(name, help, ['name'], function* () {
      for (const [queue, state] of states()) yield { labels: [queue], value: value(state()) };
    });
  }
}
