import type { APIService } from '../../api/generated/apiregistration-v1.ts';
import type { GroupResource, KubeObject } from '../../api/object.ts';
import type { ResourceDefinition } from '../../api/resource-definition.ts';
import { ENDPOINT_SLICES, SERVICES } from '../../api/resources.ts';
import { isConflict, isNotFound } from '../../api/status.ts';
import { SERVICE_NAME_LABEL } from '../../api/well-known.ts';
import type { Environment } from '../environment.ts';
import { platformIdentity } from '../identity/identity.ts';
import { updateOwn } from '../verbs/objects/own-update.ts';
import type { CacheEvent } from '../watch-cache/watch-cache.ts';
import { type AvailableCondition, localCondition, withAvailable } from './api-service.ts';
import type { ApiServiceCatalog } from './catalog.ts';
import { addressOf, type Fetch } from './fetch.ts';
import type { AggregationMetrics } from './metrics.ts';

const identity = platformIdentity('api-service-availability');

/** As upstream: a healthy server is looked at so often, since a network may fail without any object saying so. */
const recheckMs = 30_000;
/** Whoever registers many servers has them looked at less often. */
const recheckOfEachMs = 500;
const firstRetryMs = 500;
const probeTimeoutMs = 5000;
const discoveryLimitBytes = 1024 * 1024;
/** So many probes are under way at once, for all tenants and for one: a tenant's silent servers delay nobody else's. */
const probesAtOnce = 32;
const probesPerTenant = 2;

export interface AvailabilityOptions {
  environment: Environment;
  catalog: ApiServiceCatalog;
  definition: ResourceDefinition;
  fetch: Fetch;
  /** The probe asks for the group's resources: what came back, or undefined when the server does not answer. */
  onDiscovered(tenant: string, name: string, resourceList: unknown): void;
  metrics: AggregationMetrics;
}

/**
 * Keeps the condition `Available` of APIServices that lead to servers of tenants. Runs in every API server, as upstream;
 * nothing is watched and no timer runs while no tenant has such a service.
 */
export class AvailabilityController {
  readonly #options: AvailabilityOptions;
  /** By tenant, in the order they are to be looked at. */
  readonly #waiting = new Map<string, Set<string>>();
  readonly #underway = new Map<string, Set<string>>();
  readonly #timers = new Map<string, () => void>();
  readonly #failures = new Map<string, number>();
  #stopWatches: (() => void)[] | undefined;
  #isClosed = false;

  constructor(options: AvailabilityOptions) {
    this.#options = options;
    options.catalog.onChange((tenant, name, service) => this.#changed(tenant, name, service));
  }

  close(): void {
    this.#isClosed = true;
    for (const cancel of this.#timers.values()) cancel();
    for (const stop of this.#stopWatches ?? []) stop();
  }

  #changed(tenant: string, name: string, service: APIService | undefined): void {
    const key = `${tenant}/${name}`;
    if (service === undefined) {
      this.#timers.get(key)?.();
      this.#timers.delete(key);
      this.#failures.delete(key);
      this.#options.onDiscovered(tenant, name, undefined);
      return;
    }
    if (service.spec?.service != null) this.#watchBackends();
    this.#add(tenant, name);
  }

  #add(tenant: string, name: string): void {
    if (this.#isClosed) return;
    const names = this.#waiting.get(tenant) ?? new Set<string>();
    this.#waiting.set(tenant, names.add(name));
    queueMicrotask(() => this.#startSome());
  }

  #later(tenant: string, name: string, delayMs: number): void {
    const key = `${tenant}/${name}`;
    this.#timers.get(key)?.();
    if (this.#isClosed) return;
    const cancel = this.#options.environment.clock.schedule(delayMs, () => {
      this.#timers.delete(key);
      this.#add(tenant, name);
    });
    this.#timers.set(key, cancel);
  }

  /** Tenant by tenant, so that none waits behind the many services of another. */
  #startSome(): void {
    let total = 0;
    for (const names of this.#underway.values()) total += names.size;
    for (const [tenant, names] of [...this.#waiting]) {
      if (total >= probesAtOnce) return;
      const underway = this.#underway.get(tenant) ?? new Set<string>();
      for (const name of names) {
        if (underway.size >= probesPerTenant || total >= probesAtOnce) break;
        if (underway.has(name)) continue;
        names.delete(name);
        underway.add(name);
        total += 1;
        this.#underway.set(tenant, underway);
        void this.#run(tenant, name).finally(() => {
          underway.delete(name);
          if (underway.size === 0) this.#underway.delete(tenant);
          this.#startSome();
        });
      }
      // To the end of the line, behind tenants that had less.
      this.#waiting.delete(tenant);
      if (names.size > 0) this.#waiting.set(tenant, names);
    }
  }

  async #run(tenant: string, name: string): Promise<void> {
    const { catalog, environment } = this.#options;
    const key = `${tenant}/${name}`;
    const service = catalog.get(tenant, name);
    if (service === undefined || this.#isClosed) return;
    try {
      const isRemote = service.spec?.service != null;
      const state = isRemote ? await this.#stateOf(tenant, service) : localCondition;
      if (catalog.get(tenant, name) === undefined || this.#isClosed) return;
      await this.#write(tenant, name, state);
      if (!isRemote) return;
      const failures = state.reason === 'FailedDiscoveryCheck' ? (this.#failures.get(key) ?? 0) + 1 : 0;
      this.#failures.set(key, failures);
      const ofAllMs = Math.max(recheckMs, recheckOfEachMs * catalog.count(tenant));
      const delayMs = failures === 0 ? ofAllMs : Math.min(firstRetryMs * 2 ** (failures - 1), ofAllMs);
      this.#later(tenant, name, delayMs);
    } catch (error) {
      if (isNotFound(error) || this.#isClosed) return;
      if (!isConflict(error)) environment.logger.warn({ error: (error as Error).message, key }, 'API service');
      this.#later(tenant, name, 1000);
    }
  }

  /** What upstream's controller would say, in its order. */
  async #stateOf(tenant: string, service: APIService): Promise<AvailableCondition> {
    const { objects } = this.#options.environment;
    const { name = '', namespace = '', port = 443 } = service.spec.service!;
    const no = (reason: string, message: string): AvailableCondition => {
      this.#options.onDiscovered(tenant, service.metadata.name, undefined);
      return { status: 'False', reason, message };
    };
    const where = `service/${name} in ${JSON.stringify(namespace)}`;
    const backend = (await objects.get(SERVICES, tenant, namespace, name))?.object;
    if (backend === undefined) return no('ServiceNotFound', `${where} is not present`);
    if ((backend['spec'].type ?? 'ClusterIP') === 'ClusterIP') {
      const found = (backend['spec'].ports ?? []).find((one: { port: number }) => one.port === port);
      if (found === undefined) return no('ServicePortError', `${where} is not listening on port ${port}`);
      const slices = await this.#slicesOf(tenant, namespace, name);
      if (slices.length === 0) return no('EndpointsNotFound', `cannot find endpointslices for ${where}`);
      const portName: string = found.name ?? '';
      if (!slices.some((slice) => hasEndpoint(slice, portName))) {
        const message = `endpointslices for ${where} have no addresses with port name ${JSON.stringify(portName)}`;
        return no('MissingEndpoints', message);
      }
    }
    try {
      const resourceList = await this.#probe(tenant, service);
      this.#options.onDiscovered(tenant, service.metadata.name, resourceList);
    } catch (error) {
      return no('FailedDiscoveryCheck', (error as Error).message);
    }
    return { status: 'True', reason: 'Passed', message: 'all checks passed' };
  }

  async #slicesOf(tenant: string, namespace: string, serviceName: string): Promise<KubeObject[]> {
    const matches = (object: KubeObject) => object.metadata.labels?.[SERVICE_NAME_LABEL] === serviceName;
    const { objects } = this.#options.environment;
    return (await objects.entries(ENDPOINT_SLICES, { tenant, namespace }, { matches })).map(({ object }) => object);
  }

  /** The group's resources, which every server of it must serve. One more try is given: an endpoint may just be going. */
  async #probe(tenant: string, service: APIService): Promise<unknown> {
    const { group, version } = service.spec;
    const path = `/apis/${group}/${version}`;
    const address = addressOf(service, path);
    const ask = async () => {
      let answer: Awaited<ReturnType<Fetch>>;
      try {
        const limits = { timeoutMs: probeTimeoutMs, limitBytes: discoveryLimitBytes };
        answer = await this.#options.fetch(tenant, service, path, { accept: 'application/json', ...limits });
      } catch (error) {
        throw new Error(`failing or missing response from ${address}: ${(error as Error).message}`);
      }
      if (answer.code < 200 || answer.code > 299) {
        throw new Error(`failing or missing response from ${address}: bad status from ${address}: ${answer.code}`);
      }
      return parsed(answer.body);
    };
    const startedMs = this.#options.environment.clock.now();
    try {
      return await ask();
    } catch (error) {
      if (this.#options.environment.clock.now() - startedMs > 1000) throw error;
      return ask();
    }
  }

  async #write(tenant: string, name: string, state: AvailableCondition): Promise<void> {
    const { environment, definition, catalog } = this.#options;
    const { clock } = environment;
    const known = catalog.get(tenant, name)?.status?.conditions?.find(({ type }) => type === 'Available');
    const isSame = known?.status === state.status && known.reason === state.reason && known.message === state.message;
    if (isSame) return;
    await updateOwn(environment, {
      definition,
      subresource: 'status',
      tenant,
      name,
      identity,
      change: (current) => ({
        ...current,
        status: { ...current['status'], conditions: withAvailable(current as APIService, state, clock.now()) },
      }),
    });
    if (known?.status === 'True' && state.status !== 'True')
      this.#options.metrics.becameUnavailable(name, state.reason);
  }

  /** Services and their endpoints, from the first APIService that leads to one. */
  #watchBackends(): void {
    if (this.#stopWatches !== undefined || this.#isClosed) return;
    this.#stopWatches = [];
    const follow = (resource: GroupResource, serviceOf: (object: KubeObject) => string | undefined) => {
      const again = () => {
        if (!this.#isClosed) this.#options.environment.clock.schedule(100, () => follow(resource, serviceOf));
      };
      const start = async () => {
        const cache = await this.#options.environment.objects.cache(resource);
        if (this.#isClosed) return;
        const onEvents = (events: CacheEvent[]) => this.#backendsChanged(events, serviceOf);
        const watch = cache.watch({ tenant: undefined, afterRevision: cache.revision, onEvents, onEnd: again });
        this.#stopWatches!.push(() => watch.close());
      };
      start().catch(again);
    };
    follow(SERVICES, (object) => object.metadata.name);
    follow(ENDPOINT_SLICES, (object) => object.metadata.labels?.[SERVICE_NAME_LABEL]);
  }

  #backendsChanged(events: CacheEvent[], serviceOf: (object: KubeObject) => string | undefined): void {
    const { catalog } = this.#options;
    for (const { type, entry } of events) {
      if (type === 'BOOKMARK') continue;
      for (const { spec, metadata } of catalog.all(entry.tenant)) {
        if (spec?.service == null || spec.service.namespace !== entry.namespace) continue;
        if (spec.service.name === serviceOf(entry.object)) this.#add(entry.tenant, metadata.name);
      }
    }
  }
}

function hasEndpoint(slice: KubeObject, portName: string): boolean {
  const endpoints: { conditions?: { ready?: boolean } }[] = slice['endpoints'] ?? [];
  const ports: { name?: string; port?: number }[] = slice['ports'] ?? [];
  return (
    endpoints.some(({ conditions }) => conditions?.ready !== false) &&
    ports.some(({ name = '', port }) => name === portName && port !== undefined)
  );
}

function parsed(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString());
  } catch {
    return undefined;
  }
}
