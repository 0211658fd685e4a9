import { ComputedGauge, Counter, type Metric } from '../../base/metrics.ts';
import { isAvailable } from './api-service.ts';
import type { ApiServiceCatalog } from './catalog.ts';

/** Tenants choose what they register: so many names are told apart. */
const namesShown = 2000;

/** Source: kube-aggregator/pkg/controllers/status/metrics. */
export class AggregationMetrics {
  readonly #catalog: ApiServiceCatalog;
  readonly #unavailable = new Counter(
    'aggregator_unavailable_apiservice_total',
    'APIServices that became unavailable.',
    ['name', 'reason'],
    namesShown,
  );
  /** Of all tenants. */
  readonly metrics: readonly Metric[];

  constructor(catalog: ApiServiceCatalog) {
    this.#catalog = catalog;
    this.metrics = [this.#unavailable, this.#gauge(undefined)];
  }

  becameUnavailable(name: string, reason: string): void {
    this.#unavailable.with(name, reason).add();
  }

  ofTenant(tenant: string): Metric[] {
    return [this.#gauge(tenant)];
  }

  /** What tenants registered under one name is told together. */
  #gauge(tenant: string | undefined): Metric {
    return new ComputedGauge('aggregator_unavailable_apiservice', 'APIServices that are unavailable.', ['name'], () => {
      const sums = new Map<string, number>();
      const services = tenant === undefined ? this.#catalog.everybodys() : this.#catalog.all(tenant);
      for (const service of services) {
        const { name } = service.metadata;
        const shown = sums.has(name) || sums.size < namesShown ? name : 'other';
        sums.set(shown, (sums.get(shown) ?? 0) + (isAvailable(service) ? 0 : 1));
      }
      return [...sums].map(([name, value]) => ({ labels: [name], value }));
    });
  }
}
