import type { HealthCheck } from './health.ts';

/**
 * What a kube-apiserver does once while it starts, each a health check of its own, and the step of this server's start
 * that does the same. What has no counterpart here (its identity's lease, a token tracker) has no check either.
 * Source: the post-start hooks of k8s.io/kubernetes pkg/controlplane, in the order in which they are added.
 */
const hooks: readonly [name: string, step: StartStep][] = [
  ['start-apiserver-admission-initializer', 'admission'],
  ['generic-apiserver-start-informers', 'tenants'],
  ['priority-and-fairness-config-consumer', 'fairness'],
  ['priority-and-fairness-filter', 'fairness'],
  ['start-apiextensions-informers', 'custom resources'],
  ['start-apiextensions-controllers', 'custom resources'],
  ['crd-informer-synced', 'custom resources'],
  ['start-system-namespaces-controller', 'tenants'],
  ['start-cluster-authentication-info-controller', 'tenants'],
  ['storage-readiness', 'tenants'],
  ['start-service-ip-repair-controllers', 'admission'],
  ['rbac/bootstrap-roles', 'tenants'],
  ['scheduling/bootstrap-system-priority-classes', 'tenants'],
  ['priority-and-fairness-config-producer', 'tenants'],
  ['bootstrap-controller', 'tenants'],
  ['start-kubernetes-service-cidr-controller', 'tenants'],
  ['start-kube-aggregator-informers', 'aggregation'],
  ['apiservice-status-local-available-controller', 'aggregation'],
  ['apiservice-status-remote-available-controller', 'aggregation'],
  ['apiservice-registration-controller', 'aggregation'],
  ['apiservice-discovery-controller', 'aggregation'],
  ['kube-apiserver-autoregistration', 'aggregation'],
  ['apiservice-openapi-controller', 'aggregation'],
  ['apiservice-openapiv3-controller', 'aggregation'],
];

export type StartStep = 'admission' | 'tenants' | 'fairness' | 'custom resources' | 'aggregation';

/** How far the server's start is: the checks that kube-apiserver names after its hooks. */
export class StartSteps {
  readonly #done = new Set<StartStep>();

  done(step: StartStep): void {
    this.#done.add(step);
  }

  get checks(): HealthCheck[] {
    const checks: HealthCheck[] = [
      { name: 'informer-sync', only: 'readyz', check: () => this.#expect('tenants') },
      ...hooks.map(([name, step]) => ({ name: `poststarthook/${name}`, check: () => this.#expect(step) })),
    ];
    const last = checks.findIndex(({ name }) => name.endsWith('/apiservice-openapi-controller'));
    checks.splice(last, 0, { name: 'autoregister-completion', check: () => this.#expect('aggregation') });
    return checks;
  }

  #expect(step: StartStep): void {
    if (!this.#done.has(step)) throw new Error(`not finished: ${step}`);
  }
}
