import { collectDefaultMetrics, Registry } from 'prom-client';
import { ruleMetrics } from '../../api/structural-schema/cel/rule-times.ts';
import { ComputedGauge, type Metric } from '../../base/metrics.ts';
import type { AggregationMetrics } from '../aggregation/metrics.ts';
import type { VersionInfo } from '../discovery/non-resource.ts';
import type { FlowControlConfiguration } from '../fairness/configuration.ts';
import type { Scheduler } from '../fairness/scheduler.ts';
import type { Objects } from '../objects.ts';
import type { ResourceRegistry } from '../registry.ts';
import { AccessMetrics } from './access-metrics.ts';
import { AdmissionMetrics } from './admission-metrics.ts';
import { FlowControlMetrics } from './flow-control-metrics.ts';
import { RequestMetrics } from './request-metrics.ts';
import { markStability } from './stability.ts';

export interface ApiMetricsOptions {
  registry: ResourceRegistry;
  objects: Objects;
  scheduler: Scheduler;
  version: VersionInfo;
  aggregation: AggregationMetrics;
  /** Of the store's files; undefined where there are none. Rejects where it cannot be told. */
  storeSizeBytes(): Promise<number | undefined>;
}

/** What the API server counts, under upstream's names. */
export class ApiMetrics {
  readonly admission = new AdmissionMetrics();
  readonly access = new AccessMetrics();
  readonly flowControl: FlowControlMetrics;
  readonly requests: RequestMetrics;
  readonly #objects: Objects;
  readonly #aggregation: AggregationMetrics;
  readonly #storeSizeBytes: () => Promise<number | undefined>;
  readonly #metrics: Metric[];
  #process: Registry | undefined;

  constructor({ registry, objects, scheduler, version, aggregation, storeSizeBytes }: ApiMetricsOptions) {
    this.#objects = objects;
    this.#aggregation = aggregation;
    this.#storeSizeBytes = storeSizeBytes;
    this.flowControl = new FlowControlMetrics(scheduler);
    this.requests = new RequestMetrics({
      registry,
      webhookMsOf: (warnings) => this.admission.webhookMsOf(warnings),
    });
    this.#metrics = [
      ...this.requests.metrics,
      ...this.flowControl.metrics,
      ...this.admission.metrics,
      ...this.access.metrics,
      ...this.#stored(undefined),
      new ComputedGauge(
        'apiserver_watch_cache_resource_version',
        'The revision up to which a resource is known in memory.',
        ['group', 'resource'],
        () => objects.revisions(),
      ),
      new ComputedGauge(
        'apiserver_storage_events_received_total',
        'Changes that the store told of, by resource.',
        ['group', 'resource'],
        () => objects.eventsReceived(),
        'counter',
      ),
      ...aggregation.metrics,
      ...ruleMetrics,
      buildInfo(version),
    ];
  }

  /** Further metrics of this process, for the platform. */
  add(metrics: readonly Metric[]): void {
    this.#metrics.push(...metrics);
  }

  /** Everything, for the platform. */
  async text(): Promise<string> {
    const lines: string[] = [];
    for (const metric of this.#metrics) metric.write(lines);
    // Nothing is said where nothing is known: the store may be away, and the figures are wanted then most.
    const sizeBytes = await this.#storeSizeBytes().catch(() => undefined);
    if (sizeBytes !== undefined) storeSize(sizeBytes).write(lines);
    markStability(lines);
    if (this.#process === undefined) {
      // Only watched once somebody asks: the delay of the event loop takes a timer.
      this.#process = new Registry();
      collectDefaultMetrics({ register: this.#process });
    }
    return `${lines.join('\n')}\n${await this.#process.metrics()}`;
  }

  /** What a tenant may know: of itself. */
  tenantText(tenant: string, configuration: FlowControlConfiguration): string {
    const lines: string[] = [];
    const own = [
      ...this.requests.ofTenant(tenant),
      ...this.flowControl.gauges({ tenant, configuration }),
      ...this.#stored(tenant),
      ...this.#aggregation.ofTenant(tenant),
    ];
    for (const metric of own) metric.write(lines);
    markStability(lines);
    return `${lines.join('\n')}\n`;
  }

  #stored(tenant: string | undefined): Metric[] {
    const counts = () => this.#objects.counts(tenant);
    return [
      new ComputedGauge('apiserver_storage_objects', 'Objects by resource.', ['resource'], function* () {
        for (const { group, resource, value } of counts()) {
          yield { labels: [group === '' ? resource : `${resource}.${group}`], value };
        }
      }),
      new ComputedGauge('apiserver_resource_objects', 'Objects by resource.', ['group', 'resource'], function* () {
        for (const { group, resource, value } of counts()) yield { labels: [group, resource], value };
      }),
    ];
  }
}

/** Upstream numbers its etcd clusters so; whatever stands in etcd's place here is the one there is. */
const storeSize = (value: number): Metric =>
  new ComputedGauge('apiserver_storage_size_bytes', 'Bytes of the store on disk.', ['storage_cluster_id'], () => [
    { labels: ['etcd-0'], value },
  ]);

function buildInfo(version: VersionInfo): Metric {
  const { major, minor, gitVersion, gitCommit, gitTreeState, buildDate, goVersion, compiler, platform } = version;
  const labels = { major, minor, git_version: gitVersion, git_commit: gitCommit, git_tree_state: gitTreeState };
  const all = { ...labels, build_date: buildDate, go_version: goVersion, compiler, platform };
  return new ComputedGauge('kubernetes_build_info', 'What is running; always 1.', Object.keys(all), () => [
    { labels: Object.values(all), value: 1 },
  ]);
}
