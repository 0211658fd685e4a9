import { ComputedGauge, type Count, Counter, type Distribution, Histogram, type Metric } from '../../base/metrics.ts';
import type { FlowControlConfiguration } from '../fairness/configuration.ts';
import { type PriorityLevel, type SeatLimits, seatLimits } from '../fairness/priority-level.ts';
import type { Scheduler } from '../fairness/scheduler.ts';
import type { FairnessObserver } from '../filters/priority-and-fairness.ts';

const waitSeconds = [0, 0.005, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30];
const flowLabels = ['priority_level', 'flow_schema'];

/** Of one flow schema at one level. */
interface FlowSeries {
  dispatched: Count;
  waited: Distribution;
  refusedAfter: Distribution;
  seats: Distribution;
  executed: Distribution;
  watched: Distribution;
}

/** Source: apiserver/pkg/util/flowcontrol/metrics/metrics.go. */
export class FlowControlMetrics implements FairnessObserver {
  readonly #scheduler: Scheduler;
  readonly #rejected = new Counter('apiserver_flowcontrol_rejected_requests_total', 'Requests without a seat.', [
    ...flowLabels,
    'reason',
  ]);
  readonly #dispatched = new Counter(
    'apiserver_flowcontrol_dispatched_requests_total',
    'Requests that had a seat.',
    flowLabels,
  );
  readonly #wait = new Histogram(
    'apiserver_flowcontrol_request_wait_duration_seconds',
    'Time a request waited for its turn.',
    [...flowLabels, 'execute'],
    waitSeconds,
  );
  readonly #execution = new Histogram(
    'apiserver_flowcontrol_request_execution_seconds',
    'Time a request was served (a watch: until it had begun).',
    [...flowLabels, 'type'],
    waitSeconds,
  );
  readonly #seats = new Histogram(
    'apiserver_flowcontrol_work_estimated_seats',
    'Seats requests were judged to be worth.',
    flowLabels,
    [1, 2, 4, 10],
  );
  readonly #flows = new Map<string, Map<string, FlowSeries>>();
  readonly metrics: readonly Metric[];

  constructor(scheduler: Scheduler) {
    this.#scheduler = scheduler;
    this.metrics = [this.#rejected, this.#dispatched, this.#wait, this.#execution, this.#seats, ...this.gauges()];
  }

  dispatched(level: string, schema: string, waitedMs: number, seats: number): void {
    const flow = this.#flow(level, schema);
    flow.dispatched.add();
    flow.waited.observe(waitedMs / 1000);
    flow.seats.observe(seats);
  }

  rejected(level: string, schema: string, reason: string, waitedMs: number): void {
    this.#rejected.with(shown(level), shown(schema), reason).add();
    this.#flow(level, schema).refusedAfter.observe(waitedMs / 1000);
  }

  executed(level: string, schema: string, durationMs: number, watch: boolean): void {
    const flow = this.#flow(level, schema);
    (watch ? flow.watched : flow.executed).observe(durationMs / 1000);
  }

  /** What is true now; of one tenant, with all of its levels whether anybody uses them or not, or of all tenants. */
  gauges(of?: { tenant: string; configuration: FlowControlConfiguration }): Metric[] {
    const accounts = () => {
      const all = [...this.#scheduler.accounts()];
      return of === undefined ? all : all.filter(({ name }) => name === of.tenant);
    };
    const levels = (value: (level: PriorityLevel<any>) => number) => () => {
      const sums = new Map<string, number>();
      for (const name of of?.configuration.levels.keys() ?? []) sums.set(name, 0);
      for (const { levels: ofAccount } of accounts()) {
        for (const [name, level] of ofAccount) {
          const shownName = of === undefined ? shown(name) : name;
          sums.set(shownName, (sums.get(shownName) ?? 0) + value(level));
        }
      }
      return [...sums].map(([name, sum]) => ({ labels: [name], value: sum }));
    };
    return [
      new ComputedGauge('apiserver_current_inflight_requests', 'Requests being served.', ['request_kind'], () => {
        let mutating = 0;
        let readOnly = 0;
        for (const { running } of accounts()) {
          for (const turn of running) turn.isMutating ? mutating++ : readOnly++;
        }
        return [
          { labels: ['mutating'], value: mutating },
          { labels: ['readOnly'], value: readOnly },
        ];
      }),
      new ComputedGauge('apiserver_current_inqueue_requests', 'Requests that wait or are being answered.', [], () => [
        { labels: [], value: accounts().reduce((sum, { present, running }) => sum + present - running.size, 0) },
      ]),
      new ComputedGauge(
        'apiserver_flowcontrol_current_executing_seats',
        'Seats taken.',
        ['priority_level'],
        levels((one) => one.seatsTaken),
      ),
      new ComputedGauge(
        'apiserver_flowcontrol_current_executing_requests',
        'Requests with a seat.',
        ['priority_level'],
        levels((one) => one.readyCount + one.runningCount),
      ),
      new ComputedGauge(
        'apiserver_flowcontrol_current_inqueue_requests',
        'Requests waiting for a seat.',
        ['priority_level'],
        levels((one) => one.waitingCount),
      ),
      new ComputedGauge(
        'apiserver_flowcontrol_current_inqueue_seats',
        'Seats waited for.',
        ['priority_level'],
        levels((one) => one.waitingSeats),
      ),
      ...(of === undefined ? [] : limitGauges(of.configuration)),
    ];
  }

  /** Found by name, with nothing made on the way: every request asks twice. */
  #flow(level: string, schema: string): FlowSeries {
    const shownLevel = shown(level);
    const shownSchema = shown(schema);
    let bySchema = this.#flows.get(shownLevel);
    if (bySchema === undefined) this.#flows.set(shownLevel, (bySchema = new Map()));
    let flow = bySchema.get(shownSchema);
    if (flow === undefined) {
      const labels = [shownLevel, shownSchema];
      flow = {
        dispatched: this.#dispatched.with(...labels),
        waited: this.#wait.with(...labels, 'true'),
        refusedAfter: this.#wait.with(...labels, 'false'),
        seats: this.#seats.with(...labels),
        executed: this.#execution.with(...labels, 'regular'),
        watched: this.#execution.with(...labels, 'watch'),
      };
      bySchema.set(shownSchema, flow);
    }
    return flow;
  }
}

/** How tenants' seats are divided says nothing of all tenants together: every tenant has its own division. */
function limitGauges({ levels, sumOfShares }: FlowControlConfiguration): Metric[] {
  const gauge = (name: string, help: string, value: (limits: SeatLimits) => number) =>
    new ComputedGauge(`apiserver_flowcontrol_${name}`, help, ['priority_level'], () =>
      [...levels].map(([level, settings]) => ({ labels: [level], value: value(seatLimits(settings, sumOfShares)) })),
    );
  return [
    gauge('nominal_limit_seats', 'Seats by share.', ({ nominal }) => nominal),
    gauge('lower_limit_seats', 'Seats that are never lent.', ({ minimum }) => minimum),
    gauge('upper_limit_seats', 'Seats with all that may be borrowed.', ({ maximum }) => maximum),
  ];
}

/** The names of a tenant's own levels stay its own: only those everyone has are told apart. */
const shown = (name: string) => (commonFlows.has(name) ? name : 'custom');

const commonFlows = new Set([
  'exempt',
  'probes',
  'system',
  'system-leader-election',
  'leader-election',
  'system-node-high',
  'node-high',
  'system-nodes',
  'kube-controller-manager',
  'kube-scheduler',
  'workload-high',
  'kube-system-service-accounts',
  'service-accounts',
  'workload-low',
  'global-default',
  'catch-all',
]);
