import { ComputedGauge, type Count, Counter, type Distribution, Histogram, type Metric } from '../../base/metrics.ts';
import type { Account, ByKind } from '../fairness/account.ts';
import type { FlowControlConfiguration } from '../fairness/configuration.ts';
import { type SchemaUse, type SeatLimits, seatLimits } from '../fairness/priority-level.ts';
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
    const labelOf = (name: string) => (of === undefined ? shown(name) : name);
    const gauge = (name: string, help: string, value: (use: SchemaUse) => number) =>
      new ComputedGauge(`apiserver_flowcontrol_current_${name}`, help, flowLabels, () => {
        const sums = new Map<string, { labels: [level: string, schema: string]; value: number }>();
        const add = (level: string, schema: string, by: number) => {
          const key = `${level}\0${schema}`;
          const sum = sums.get(key);
          if (sum === undefined) sums.set(key, { labels: [level, schema], value: by });
          else sum.value += by;
        };
        for (const { level, name: schema } of of?.configuration.schemas ?? []) add(level, schema, 0);
        for (const { levels } of accounts()) {
          for (const [level, { bySchema }] of levels) {
            for (const [schema, use] of bySchema) {
              add(labelOf(level), labelOf(schema), value(use));
            }
          }
        }
        return sums.values();
      });
    const byKind = (name: string, help: string, counts: (account: Account) => ByKind) =>
      new ComputedGauge(name, help, ['request_kind'], () => {
        const sums: ByKind = { mutating: 0, readOnly: 0 };
        for (const account of accounts()) {
          const { mutating, readOnly } = counts(account);
          sums.mutating += mutating;
          sums.readOnly += readOnly;
        }
        return Object.entries(sums).map(([kind, value]) => ({ labels: [kind], value }));
      });
    return [
      byKind('apiserver_current_inflight_requests', 'Requests being served.', ({ inflight }) => inflight),
      byKind('apiserver_current_inqueue_requests', 'Requests that wait for their turn.', ({ queued }) => queued),
      gauge('executing_seats', 'Seats taken.', ({ seats }) => seats),
      gauge('executing_requests', 'Requests with a seat.', ({ executing }) => executing),
      gauge('inqueue_requests', 'Requests waiting for a seat.', ({ waiting }) => waiting),
      gauge('inqueue_seats', 'Seats waited for.', ({ waitingSeats }) => waitingSeats),
      ...limitGauges(() => {
        if (of !== undefined) return [of.configuration];
        return accounts().flatMap(({ configuration }) => configuration ?? []);
      }, labelOf),
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

/**
 * Every tenant has its own division of seats. Of all together it is the sum over the tenants that are there now: what the
 * seats that are taken can be held against.
 */
function limitGauges(configurations: () => FlowControlConfiguration[], labelOf: (level: string) => string): Metric[] {
  const gauge = (name: string, help: string, value: (limits: SeatLimits) => number) =>
    new ComputedGauge(`apiserver_flowcontrol_${name}`, help, ['priority_level'], () => {
      const counts = new Map<FlowControlConfiguration, number>();
      for (const one of configurations()) counts.set(one, (counts.get(one) ?? 0) + 1);
      const sums = new Map<string, number>();
      for (const [{ levels, sumOfShares }, count] of counts) {
        for (const [level, settings] of levels) {
          const shownLevel = labelOf(level);
          sums.set(shownLevel, (sums.get(shownLevel) ?? 0) + count * value(seatLimits(settings, sumOfShares)));
        }
      }
      return [...sums].map(([level, sum]) => ({ labels: [level], value: sum }));
    });
  return [
    gauge(
      'nominal_limit_seats',
      'Seats by share (of all tenants that are there now, where they are told together).',
      ({ nominal }) => nominal,
    ),
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
