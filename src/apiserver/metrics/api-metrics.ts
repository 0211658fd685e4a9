import { collectDefaultMetrics, Registry } from 'prom-client';
import type { Scheduler } from '../fairness/scheduler.ts';
import type { FairnessObserver } from '../filters/priority-and-fairness.ts';
import type { Objects } from '../objects.ts';
import type { ResourceRegistry } from '../registry.ts';
import type { RequestContext } from '../request-context.ts';
import { ComputedGauge, type Count, Counter, type Distribution, Gauge, Histogram, type Metric } from './series.ts';

/**
 * What the API server counts, under upstream's names. Source: apiserver/pkg/endpoints/metrics/metrics.go,
 * util/flowcontrol/metrics/metrics.go, admission/metrics/metrics.go.
 */
const requestLabels = ['verb', 'group', 'version', 'resource', 'subresource', 'scope', 'component'];
const requestSeconds = [
  0.005, 0.025, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1, 1.25, 1.5, 2, 3, 4, 5, 6, 8, 10, 15, 20, 30, 45, 60,
];
const waitSeconds = [0, 0.005, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30];
const admissionSeconds = [0.005, 0.025, 0.1, 0.5, 1, 2.5];
/** So many tenants' own counts are kept, of those that asked last. */
const tenantsKept = 256;
const component = 'apiserver';
const connecting = new Set(['log', 'exec', 'portforward', 'attach', 'proxy']);

interface RequestSeries {
  labels: string[];
  duration: Distribution;
  sizes: Distribution | undefined;
  /** By dry run and code. */
  totals: Map<string, Count>;
}

export interface ApiMetricsOptions {
  registry: ResourceRegistry;
  objects: Objects;
  scheduler: Scheduler;
}

export class ApiMetrics implements FairnessObserver {
  readonly #options: ApiMetricsOptions;
  readonly #total = new Counter(
    'apiserver_request_total',
    'Requests by verb, dry run, resource, scope and code of the answer.',
    ['verb', 'dry_run', 'group', 'version', 'resource', 'subresource', 'scope', 'component', 'code'],
  );
  readonly #duration = new Histogram(
    'apiserver_request_duration_seconds',
    'Time from a request to the end of its answer.',
    ['verb', 'dry_run', 'group', 'version', 'resource', 'subresource', 'scope', 'component'],
    requestSeconds,
  );
  readonly #sizes = new Histogram(
    'apiserver_response_sizes',
    'Bytes of answers.',
    requestLabels,
    [1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9],
  );
  readonly #longRunning = new Gauge(
    'apiserver_longrunning_requests',
    'Watches, logs and streams that are open.',
    requestLabels,
  );
  readonly #watchEvents = new Counter('apiserver_watch_events_total', 'Events sent to watchers.', [
    'group',
    'version',
    'resource',
  ]);
  readonly #terminations = new Counter(
    'apiserver_request_terminations_total',
    'Requests the server refused to protect itself.',
    [...requestLabels, 'code'],
  );
  readonly #rejected = new Counter('apiserver_flowcontrol_rejected_requests_total', 'Requests without a seat.', [
    'priority_level',
    'flow_schema',
    'reason',
  ]);
  readonly #dispatched = new Counter('apiserver_flowcontrol_dispatched_requests_total', 'Requests that had a seat.', [
    'priority_level',
    'flow_schema',
  ]);
  readonly #wait = new Histogram(
    'apiserver_flowcontrol_request_wait_duration_seconds',
    'Time a request waited for its turn.',
    ['priority_level', 'flow_schema', 'execute'],
    waitSeconds,
  );
  readonly #execution = new Histogram(
    'apiserver_flowcontrol_request_execution_seconds',
    'Time a request was served (a watch: until it had begun).',
    ['priority_level', 'flow_schema', 'type'],
    waitSeconds,
  );
  readonly #seats = new Histogram(
    'apiserver_flowcontrol_work_estimated_seats',
    'Seats requests were judged to be worth.',
    ['priority_level', 'flow_schema'],
    [1, 2, 4, 10],
  );
  readonly #admission = new Histogram(
    'apiserver_admission_step_admission_duration_seconds',
    'Time all admission plug-ins took.',
    ['type', 'operation', 'rejected'],
    admissionSeconds,
  );
  readonly #series = new Map<string, RequestSeries>();
  readonly #openLongRunning = new WeakMap<RequestContext, Count>();
  readonly #byTenant = new Map<string, Counter>();
  readonly #metrics: Metric[];
  #process: Registry | undefined;

  constructor(options: ApiMetricsOptions) {
    this.#options = options;
    this.#metrics = [
      this.#total,
      this.#duration,
      this.#sizes,
      this.#longRunning,
      this.#watchEvents,
      this.#terminations,
      this.#rejected,
      this.#dispatched,
      this.#wait,
      this.#execution,
      this.#seats,
      this.#admission,
      ...this.#gauges(undefined),
    ];
  }

  /** The answer stays open: a watch, a log, a stream. */
  longRunning(context: RequestContext): void {
    const { labels } = this.#seriesOf(context);
    const gauge = this.#longRunning.with(...labels);
    gauge.add(1);
    this.#openLongRunning.set(context, gauge);
    if (context.info.verb === 'watch') {
      const [, group = '', version = '', resource = ''] = labels;
      const events = this.#watchEvents.with(group, version, resource);
      context.onWatchEvents = (count) => events.add(count);
    }
  }

  /** All is sent, or nobody is there to send to. */
  finished(context: RequestContext, code: number): void {
    const open = this.#openLongRunning.get(context);
    if (open !== undefined) {
      open.add(-1);
      this.#openLongRunning.delete(context);
    }
    const series = this.#seriesOf(context);
    series.duration.observe((performance.now() - (context.receivedMs ?? performance.now())) / 1000);
    if (context.responseBytes !== undefined) series.sizes?.observe(context.responseBytes);
    const dryRun = context.query.get('dryRun') === 'All' ? 'All' : '';
    const totalKey = `${dryRun} ${code}`;
    let total = series.totals.get(totalKey);
    if (total === undefined) {
      const [verb = '', ...rest] = series.labels;
      total = this.#total.with(verb, dryRun, ...rest, String(code));
      series.totals.set(totalKey, total);
    }
    total.add();
    if (code === 429) this.#terminations.with(...series.labels, String(code)).add();
    if (context.identity.kind === 'tenant') this.#countForTenant(context.tenant, series.labels, dryRun, code);
  }

  dispatched(level: string, schema: string, waitedMs: number, seats: number): void {
    const [levelLabel, schemaLabel] = this.#flow(level, schema);
    this.#dispatched.with(levelLabel, schemaLabel).add();
    this.#wait.with(levelLabel, schemaLabel, 'true').observe(waitedMs / 1000);
    this.#seats.with(levelLabel, schemaLabel).observe(seats);
  }

  rejected(level: string, schema: string, reason: string, waitedMs: number): void {
    const [levelLabel, schemaLabel] = this.#flow(level, schema);
    this.#rejected.with(levelLabel, schemaLabel, reason).add();
    this.#wait.with(levelLabel, schemaLabel, 'false').observe(waitedMs / 1000);
  }

  executed(level: string, schema: string, durationMs: number, watch: boolean): void {
    const [levelLabel, schemaLabel] = this.#flow(level, schema);
    this.#execution.with(levelLabel, schemaLabel, watch ? 'watch' : 'regular').observe(durationMs / 1000);
  }

  admitted(type: 'admit' | 'validate', operation: string, rejected: boolean, durationMs: number): void {
    this.#admission.with(type, operation, String(rejected)).observe(durationMs / 1000);
  }

  /** Everything, for the platform. */
  async text(): Promise<string> {
    const lines: string[] = [];
    for (const metric of this.#metrics) metric.write(lines);
    if (this.#process === undefined) {
      // Only watched once somebody asks: the delay of the event loop takes a timer.
      this.#process = new Registry();
      collectDefaultMetrics({ register: this.#process });
    }
    return `${lines.join('\n')}\n${await this.#process.metrics()}`;
  }

  /** What a tenant may know: of itself. */
  tenantText(tenant: string): string {
    const lines: string[] = [];
    this.#byTenant.get(tenant)?.write(lines);
    for (const metric of this.#gauges(tenant)) metric.write(lines);
    return `${lines.join('\n')}\n`;
  }

  /** The names of a tenant's own levels stay its own: only those everyone has are told apart. */
  #flow(level: string, schema: string): [string, string] {
    return [commonFlows.has(level) ? level : 'custom', commonFlows.has(schema) ? schema : 'custom'];
  }

  #countForTenant(tenant: string, labels: string[], dryRun: string, code: number): void {
    let counter = this.#byTenant.get(tenant);
    if (counter === undefined) {
      if (this.#byTenant.size >= tenantsKept) this.#byTenant.delete(this.#byTenant.keys().next().value!);
      counter = new Counter(this.#total.name, this.#total.help, this.#total.labelNames);
      this.#byTenant.set(tenant, counter);
    }
    const [verb = '', ...rest] = labels;
    counter.with(verb, dryRun, ...rest, String(code)).add();
  }

  #seriesOf({ info, tenant, method, headers }: RequestContext): RequestSeries {
    const applying = method === 'PATCH' && String(headers['content-type'] ?? '').startsWith('application/apply-patch');
    const { verb, group, version, resource, subresource, namespace, name } = info;
    const scope =
      !info.isResourceRequest || (namespace === '' && name === '') ? 'cluster' : name === '' ? 'namespace' : 'resource';
    const key = `${applying ? 'apply' : verb} ${group}/${version}/${resource}/${subresource} ${scope}${info.isResourceRequest ? '' : info.path.split('/', 2)[1]}`;
    const known = this.#series.get(key);
    if (known !== undefined) return known;
    const definition = info.isResourceRequest
      ? this.#options.registry.find(tenant, group, version, resource)
      : undefined;
    const sub = definition?.subresources.find((one) => one.name === subresource)?.name ?? '';
    const shownVerb = connecting.has(sub) ? 'CONNECT' : applying ? 'APPLY' : (shownVerbs[verb] ?? 'other');
    const path = info.isResourceRequest ? '' : nonResourcePath(info.path);
    const labels =
      definition === undefined
        ? [shownVerb, '', '', '', path, scope, component]
        : [shownVerb, group, version, resource, sub, scope, component];
    const series: RequestSeries = {
      labels,
      duration: this.#duration.with(labels[0]!, '', ...labels.slice(1)),
      sizes: verb === 'get' || verb === 'list' ? this.#sizes.with(...labels) : undefined,
      totals: new Map(),
    };
    // What is not there is not remembered: anybody can ask for anything.
    if (this.#series.size < 10_000 && (definition !== undefined || path !== '')) this.#series.set(key, series);
    return series;
  }

  /** What is true now; of one tenant, or of all. */
  #gauges(tenant: string | undefined): Metric[] {
    const { objects, scheduler } = this.#options;
    const accounts = () => {
      const all = [...scheduler.accounts()];
      return tenant === undefined ? all : all.filter(({ name }) => name === tenant);
    };
    const levels =
      (value: (level: { seatsTaken: number; waitingCount: number; readyCount: number }) => number) => () => {
        const sums = new Map<string, number>();
        for (const { levels: ofAccount } of accounts()) {
          for (const [name, level] of ofAccount) {
            const shown = tenant === undefined && !commonFlows.has(name) ? 'custom' : name;
            sums.set(shown, (sums.get(shown) ?? 0) + value(level));
          }
        }
        return [...sums].map(([name, sum]) => ({ labels: [name], value: sum }));
      };
    const sum = (value: (account: { present: number; running: ReadonlySet<unknown> }) => number) => () => [
      { labels: [], value: accounts().reduce((total, account) => total + value(account), 0) },
    ];
    return [
      new ComputedGauge('apiserver_storage_objects', 'Objects by resource.', ['resource'], () =>
        objects.counts(tenant),
      ),
      new ComputedGauge(
        'apiserver_current_inflight_requests',
        'Requests being served.',
        [],
        sum((one) => one.running.size),
      ),
      new ComputedGauge(
        'apiserver_current_inqueue_requests',
        'Requests that wait or are being answered.',
        [],
        sum((one) => one.present - one.running.size),
      ),
      new ComputedGauge(
        'apiserver_flowcontrol_current_executing_seats',
        'Seats taken.',
        ['priority_level'],
        levels((one) => one.seatsTaken),
      ),
      new ComputedGauge(
        'apiserver_flowcontrol_current_inqueue_requests',
        'Requests waiting for a seat.',
        ['priority_level'],
        levels((one) => one.waitingCount),
      ),
      new ComputedGauge('apiserver_flowcontrol_nominal_limit_seats', 'Seats by share.', ['priority_level'], () =>
        tenant === undefined
          ? []
          : accounts().flatMap((account) =>
              [...account.levels].map(([name, level]) => ({ labels: [name], value: level.limits.nominal })),
            ),
      ),
    ];
  }
}

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

const shownVerbs: Record<string, string> = {
  get: 'GET',
  list: 'LIST',
  watch: 'WATCH',
  create: 'POST',
  update: 'PUT',
  patch: 'PATCH',
  delete: 'DELETE',
  deletecollection: 'DELETECOLLECTION',
  post: 'POST',
  put: 'PUT',
};

function nonResourcePath(path: string): string {
  const first = `/${path.split('/', 2)[1]}`;
  return ['/api', '/apis', '/healthz', '/livez', '/readyz', '/metrics', '/openapi', '/version'].includes(first)
    ? first
    : '';
}
