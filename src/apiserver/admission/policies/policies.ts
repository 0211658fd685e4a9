import type { GroupResource, KubeObject } from '../../../api/object.ts';
import { type Pace, runInTurns, type Steps } from '../../../base/steps.ts';
import type { Authorizer } from '../../authorization/authorizer.ts';
import type { Objects } from '../../objects.ts';
import type { ResourceRegistry } from '../../registry.ts';
import { Followed } from '../../watch-cache/followed.ts';
import type { AdmissionRequest } from '../admission.ts';
import { ADMISSION_GROUP as group, isAdmissionConfiguration } from '../own-configuration.ts';
import { type CompiledBinding, type CompiledPolicy, compileBinding } from './compiled-policy.ts';
import type { PolicyObserver } from './observer.ts';

export interface PolicyOptions {
  objects: Objects;
  registry: ResourceRegistry;
  authorizer: Authorizer;
  observer?: PolicyObserver;
}

/** Questions are answered, not admitted. Source: kubeapiserver/admission/exclusion. */
const excluded = new Set([
  'authentication.k8s.io/tokenreviews',
  'authentication.k8s.io/selfsubjectreviews',
  'authorization.k8s.io/localsubjectaccessreviews',
  'authorization.k8s.io/selfsubjectaccessreviews',
  'authorization.k8s.io/selfsubjectrulesreviews',
  'authorization.k8s.io/subjectaccessreviews',
]);

/** A policy with what binds it: without bindings it says nothing. */
export interface BoundPolicy<P extends CompiledPolicy> {
  policy: P;
  bindings: readonly CompiledBinding[];
}

/** The policies of one kind, of all tenants. */
export class Policies<P extends CompiledPolicy> {
  readonly #policies: Followed<P>;
  readonly #bindings: Followed<CompiledBinding>;

  constructor(
    { objects }: PolicyOptions,
    names: [policies: string, bindings: string],
    compile: (o: KubeObject) => Steps<P>,
  ) {
    const cacheOf = (resource: GroupResource) => objects.cache(resource);
    this.#policies = new Followed({ group, resource: names[0] }, cacheOf, function* (object) {
      return [yield* compile(object)];
    });
    this.#bindings = new Followed({ group, resource: names[1] }, cacheOf, function* (object) {
      yield;
      return [compileBinding(object)];
    });
  }

  /** False at once for tenants that have none. */
  concern({ tenant, definition }: AdmissionRequest): boolean {
    if (this.#isLoaded && !(this.#bindings.hasAny(tenant) && this.#policies.hasAny(tenant))) return false;
    if (isAdmissionConfiguration(definition)) return false;
    return !excluded.has(`${definition.group}/${definition.resource}`);
  }

  async ofTenant(tenant: string, pace: Pace | undefined): Promise<BoundPolicy<P>[]> {
    while (!this.#isLoaded) await Promise.all([this.#policies.load(), this.#bindings.load()]);
    if (!this.#bindings.hasAny(tenant) || !this.#policies.hasAny(tenant)) return [];
    const byPolicy = Map.groupBy(await runInTurns(this.#bindings.steps(tenant), pace), ({ policyName }) => policyName);
    const policies = await runInTurns(this.#policies.steps(tenant), pace);
    return policies.flatMap((policy) => {
      const bindings = byPolicy.get(policy.name);
      return bindings === undefined ? [] : [{ policy, bindings }];
    });
  }

  get #isLoaded(): boolean {
    return this.#policies.isLoaded && this.#bindings.isLoaded;
  }
}
