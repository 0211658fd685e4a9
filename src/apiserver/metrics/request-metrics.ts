import {
  type Count,
  Counter,
  type Distribution,
  exponentialBuckets,
  Gauge,
  Histogram,
  type Metric,
} from '../../base/metrics.ts';
import type { ResourceRegistry } from '../registry.ts';
import type { RequestContext } from '../request-context.ts';

const requestLabels = ['verb', 'group', 'version', 'resource', 'subresource', 'scope', 'component'];
const resourceLabels = ['group', 'version', 'resource'];
const indicatorSeconds = [0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1, 1.25, 1.5, 2, 3, 4, 5, 6, 8, 10, 15, 20, 30, 45, 60];
const requestSeconds = [0.005, 0.025, ...indicatorSeconds];
const watchListSeconds = [0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1, 2, 4, 6, 8, 10, 15, 20, 30, 45, 60];
const initialEventsEnd = 'k8s.io/initial-events-end';
/** A bookmark is no longer than this. */
const bookmarkBytes = 1024;
/** So many tenants' own counts are kept, of those that asked last. */
const tenantsKept = 256;
const component = 'apiserver';
const connecting = new Set(['log', 'exec', 'portforward', 'attach', 'proxy']);

interface RequestSeries {
  labels: string[];
  duration: Distribution;
  /** Without what the request waited for its turn and for webhooks. */
  indicator: Distribution;
  sizes: Distribution | undefined;
  isDeprecated: boolean;
  /** By dry run and code. */
  totals: Map<string, Count>;
}

/** A tenant's own counts, by those of all. */
interface TenantCounts {
  counter: Counter;
  deprecated: Gauge;
  counts: Map<Count, Count>;
}

export interface RequestMetricsOptions {
  registry: ResourceRegistry;
  /** How long the request with these warnings waited for webhooks. */
  webhookMsOf(warnings: string[]): number;
}

/** Source: apiserver/pkg/endpoints/metrics/metrics.go. */
export class RequestMetrics {
  readonly #options: RequestMetricsOptions;
  readonly #total = new Counter(
    'apiserver_request_total',
    'Requests by verb, dry run, resource, scope and code of the answer.',
    ['verb', 'dry_run', ...requestLabels.slice(1), 'code'],
  );
  readonly #duration = new Histogram(
    'apiserver_request_duration_seconds',
    'Time from a request to the end of its answer.',
    ['verb', 'dry_run', ...requestLabels.slice(1)],
    requestSeconds,
  );
  readonly #indicator = new Histogram(
    'apiserver_request_sli_duration_seconds',
    'The same without what a request waited for its turn and for webhooks.',
    requestLabels,
    indicatorSeconds,
  );
  readonly #sizes = new Histogram(
    'apiserver_response_sizes',
    'Bytes of answers.',
    requestLabels,
    exponentialBuckets(1000, 10, 7),
  );
  readonly #longRunning = new Gauge(
    'apiserver_longrunning_requests',
    'Watches, logs and streams that are open.',
    requestLabels,
  );
  readonly #watchEvents = new Counter('apiserver_watch_events_total', 'Events sent to watchers.', resourceLabels);
  readonly #watchEventSizes = new Histogram(
    'apiserver_watch_events_sizes',
    'Bytes of events sent to watchers.',
    resourceLabels,
    exponentialBuckets(1024, 2, 8),
  );
  readonly #watchLists = new Histogram(
    'apiserver_watch_list_duration_seconds',
    'Time until a watch that begins with what is there had sent all of it.',
    [...resourceLabels, 'scope'],
    watchListSeconds,
  );
  readonly #deprecated = deprecatedGauge();
  readonly #terminations = new Counter(
    'apiserver_request_terminations_total',
    'Requests the server refused to protect itself.',
    [...requestLabels, 'code'],
  );
  readonly #aborts = new Counter(
    'apiserver_request_aborts_total',
    'Requests whose answer did not go out whole.',
    requestLabels.slice(0, -1),
  );
  readonly #handshakes = new Counter(
    'apiserver_tls_handshake_errors_total',
    'Connections without a TLS handshake.',
    [],
  );
  readonly #failedHandshakes = this.#handshakes.with();
  readonly #series = new Map<string, RequestSeries>();
  readonly #openLongRunning = new WeakMap<RequestContext, Count>();
  readonly #byTenant = new Map<string, TenantCounts>();
  readonly metrics: readonly Metric[] = [
    this.#total,
    this.#duration,
    this.#indicator,
    this.#sizes,
    this.#longRunning,
    this.#watchEvents,
    this.#watchEventSizes,
    this.#watchLists,
    this.#deprecated,
    this.#terminations,
    this.#aborts,
    this.#handshakes,
  ];

  constructor(options: RequestMetricsOptions) {
    this.#options = options;
  }

  /** The answer stays open: a watch, a log, a stream. */
  longRunning(context: RequestContext): void {
    const { labels } = this.#seriesOf(context);
    const gauge = this.#longRunning.with(...labels);
    gauge.add(1);
    this.#openLongRunning.set(context, gauge);
    if (context.info.verb === 'watch') {
      const [, group = '', version = '', resource = '', , scope = ''] = labels;
      const events = this.#watchEvents.with(group, version, resource);
      const sizes = this.#watchEventSizes.with(group, version, resource);
      let isWatchList = context.query.get('sendInitialEvents') === 'true';
      context.onWatchEvents = (frames) => {
        events.add(frames.length);
        for (const frame of frames) sizes.observe(frame.length);
        if (!isWatchList || !frames.some(endsInitialEvents)) return;
        isWatchList = false;
        const sinceMs = context.receivedMs ?? performance.now();
        this.#watchLists.with(group, version, resource, scope).observe((performance.now() - sinceMs) / 1000);
      };
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
    const durationMs = context.receivedMs === undefined ? 0 : performance.now() - context.receivedMs;
    series.duration.observe(durationMs / 1000);
    const waitedMs = (context.waitedMs ?? 0) + this.#options.webhookMsOf(context.warnings);
    series.indicator.observe(Math.max(0, durationMs - waitedMs) / 1000);
    if (context.responseBytes !== undefined) series.sizes?.observe(context.responseBytes);
    const dryRun = context.query.get('dryRun') === 'All' ? 'All' : '';
    const totalKey = `${dryRun} ${code}`;
    let total = series.totals.get(totalKey);
    if (total === undefined) {
      total = this.#total.with(...totalLabels(series, dryRun, code));
      series.totals.set(totalKey, total);
    }
    total.add();
    if (code === 429) this.#terminations.with(...series.labels, String(code)).add();
    if (open === undefined && context.signal.aborted) this.#aborts.with(...series.labels.slice(0, -1)).add();
    if (context.identity.kind === 'tenant') this.#countForTenant(context.tenant, series, total, dryRun, code);
  }

  handshakeFailed(): void {
    this.#failedHandshakes.add();
  }

  /** What a tenant may know of its own requests. */
  ofTenant(tenant: string): Metric[] {
    const counts = this.#byTenant.get(tenant);
    return counts === undefined ? [] : [counts.counter, counts.deprecated];
  }

  #countForTenant(tenant: string, series: RequestSeries, total: Count, dryRun: string, code: number): void {
    let known = this.#byTenant.get(tenant);
    if (known === undefined) {
      if (this.#byTenant.size >= tenantsKept) this.#byTenant.delete(this.#byTenant.keys().next().value!);
      const { name, help, labelNames } = this.#total;
      known = { counter: new Counter(name, help, labelNames), deprecated: deprecatedGauge(), counts: new Map() };
      this.#byTenant.set(tenant, known);
    }
    let count = known.counts.get(total);
    if (count === undefined) {
      count = known.counter.with(...totalLabels(series, dryRun, code));
      known.counts.set(total, count);
      if (series.isDeprecated) known.deprecated.with(...deprecatedLabels(series)).value = 1;
    }
    count.add();
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
      indicator: this.#indicator.with(...labels),
      sizes: verb === 'get' || verb === 'list' ? this.#sizes.with(...labels) : undefined,
      isDeprecated: definition?.deprecationWarning !== undefined,
      totals: new Map(),
    };
    if (series.isDeprecated) this.#deprecated.with(...deprecatedLabels(series)).value = 1;
    // What is not there is not remembered: anybody can ask for anything.
    if (this.#series.size < 10_000 && (definition !== undefined || path !== '')) this.#series.set(key, series);
    return series;
  }
}

const endsInitialEvents = (frame: Buffer) => frame.length <= bookmarkBytes && frame.includes(initialEventsEnd);

const deprecatedGauge = () =>
  new Gauge('apiserver_requested_deprecated_apis', 'Deprecated resources that were asked for; always 1.', [
    ...resourceLabels,
    'subresource',
    'removed_release',
  ]);

/** Of none that is served here it is known when it goes. */
const deprecatedLabels = ({ labels }: RequestSeries): string[] => [...labels.slice(1, 5), ''];

function totalLabels({ labels: [verb = '', ...rest] }: RequestSeries, dryRun: string, code: number): string[] {
  return [verb, dryRun, ...rest, String(code)];
}

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
