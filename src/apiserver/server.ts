import { randomUUID } from 'node:crypto';
import type { AddressInfo } from 'node:net';
import type { AuthenticationConfiguration } from '../api/authentication/configuration.ts';
import type { MetricsProvider } from '../api/metrics.ts';
import { formatTime, type KubeObject } from '../api/object.ts';
import type { PodConnector } from '../api/pod-connector.ts';
import type { ResourceDefinition } from '../api/resource-definition.ts';
import { metricsResources } from '../api/resources/metrics.ts';
import { CONTAINER_INSTANCES, TENANTS } from '../api/resources.ts';
import { SYSTEM_TENANT } from '../api/tenants.ts';
import type { Transport } from '../api/transport.ts';
import type { Clock } from '../base/clock.ts';
import type { Logger } from '../base/log.ts';
import type { Metric } from '../base/metrics.ts';
import type { Store } from '../store/store.ts';
import { createAdmission } from './admission/plugins.ts';
import { createFrontProxy, type FrontProxy } from './aggregation/front-proxy.ts';
import { Aggregation, aggregationTemplates } from './aggregation/index.ts';
import { Audit, type AuditOptions } from './audit/audit.ts';
import type { Layer } from './audit/latencies.ts';
import { createAuthorizer } from './authorization/authorizer.ts';
import { reconcileDefaults } from './authorization/bootstrap/reconcile.ts';
import { configuredAccess, defaultAccess, type TenantAccess } from './authorization/configured-chain.ts';
import { NodeAccess } from './authorization/nodes/node-access.ts';
import { RoleBasedAccess } from './authorization/rbac/role-based-access.ts';
import type { ConfiguredAuthorizer } from './authorization/webhook/configuration-file.ts';
import { type Filter, type Filters, httpChain, inProcessChain } from './chain.ts';
import { type CompactionOptions, defaultCompaction, startCompaction } from './compaction.ts';
import { createServiceDialer } from './connect/service-dialer.ts';
import {
  CustomResourceCatalog,
  DEFINITION_HOOKS,
  definitionHooks,
  followCustomResources,
} from './custom-resources/index.ts';
import { Departure, type DepartureOptions, type Leaving } from './departure/departure.ts';
import { type HealthCheck, storeChecks } from './discovery/health.ts';
import { createNonResourceHandler, type VersionInfo } from './discovery/non-resource.ts';
import { StartSteps } from './discovery/start-hooks.ts';
import { createDispatch } from './dispatch.ts';
import type { Environment } from './environment.ts';
import { FlowControlConfigurations } from './fairness/configuration.ts';
import { DanglingConditions } from './fairness/dangling.ts';
import { Scheduler } from './fairness/scheduler.ts';
import { accessLogFilter } from './filters/access-log.ts';
import { authenticationFilter } from './filters/authentication.ts';
import { authorizationFilter } from './filters/authorization.ts';
import { backgroundWorkFilter } from './filters/background-work.ts';
import { freshnessFilter } from './filters/freshness.ts';
import { impersonationFilter } from './filters/impersonation.ts';
import { panicRecoveryFilter } from './filters/panic-recovery.ts';
import { priorityAndFairnessFilter } from './filters/priority-and-fairness.ts';
import { requestDeadlineFilter } from './filters/request-deadline.ts';
import { tenantResolutionFilter } from './filters/tenant-resolution.ts';
import { credentialsOfContext, type Listener, listen } from './http/listener.ts';
import { BearerTokens, type OperatorsTokens } from './identity/bearer-tokens.ts';
import type { PemPair } from './identity/certificate-authority.ts';
import { type Identity, platformIdentity } from './identity/identity.ts';
import { OidcTokens } from './identity/oidc/index.ts';
import { ServiceAccountTokens } from './identity/service-account-tokens.ts';
import { ServiceAccountAuthenticator } from './identity/token-authenticator.ts';
import { type TokenIssuerOptions, TokenIssuers } from './identity/token-issuers.ts';
import { createInProcessTransport } from './in-process.ts';
import { ApiMetrics } from './metrics/api-metrics.ts';
import { Objects } from './objects.ts';
import { createOpenApi } from './openapi/serving/handler.ts';
import { ResourceRegistry } from './registry.ts';
import { deviceClaimHooks } from './resources/device-claims.ts';
import { namespaceHooks } from './resources/namespaces.ts';
import { serviceHooks } from './resources/services.ts';
import { SharedLayer, type SharedLayerOptions } from './tenants/shared-layer.ts';
import { TenantDirectory } from './tenants/tenant-directory.ts';
import { type TenantLimits, TenantQuota } from './tenants/tenant-limits.ts';
import { UnloadedUsage } from './tenants/unloaded-usage.ts';
import { Withdrawals } from './tenants/withdrawals.ts';
import { createWatchCaches } from './watch-cache/caches.ts';
import { createEgress, type EgressOptions } from './webhooks/egress.ts';
import { createWebhookClient } from './webhooks/webhook-client.ts';

export interface ApiServerOptions {
  store: Store;
  /** Every tenant's. */
  resources: ResourceDefinition[];
  /** The system tenant's. */
  platformResources: ResourceDefinition[];
  /** Client certificates are checked against it, and tenants find it in kube-root-ca.crt. */
  caPem: string;
  serving: PemPair;
  /** PKCS #8 PEM of the key that signs service accounts' tokens (`ServiceAccountTokens.generateKeyPem`). */
  tokenKeyPem: string;
  /** Where clients inside VPCs are led: the endpoint behind `kubernetes.default`. */
  advertise: SharedLayerOptions['advertise'];
  /** More that every tenant but the system's has (virtual nodes), by `resource.group`. */
  tenantTemplates?: SharedLayerOptions['tenantTemplates'];
  /** How the servers behind APIServices know us; one for the life of the process when absent. */
  frontProxy?: FrontProxy;
  /** Who else may say who somebody is; `egress` is the way to tenants' own issuers, as that to webhooks when absent. */
  authentication?: { configuration?: AuthenticationConfiguration; egress?: EgressOptions; tokens?: OperatorsTokens };
  /** Asked in turn for what users want of their own tenants; Node and RBAC when absent. */
  authorizers?: readonly ConfiguredAuthorizer[];
  /** More of /readyz: parts of this process that requests need. */
  healthChecks?: readonly HealthCheck[];
  /** PEM of keys that have signed service accounts' tokens before. */
  formerTokenKeys?: readonly string[];
  /** How the issuers of service accounts' tokens are called, and for how long they give tokens. */
  tokenIssuers?: TokenIssuerOptions;
  /** Of tenants that have none of their own (`spec.limits`). */
  tenantLimits?: Partial<TenantLimits>;
  /** Where webhooks named by a URL may be. */
  webhookEgress?: EgressOptions;
  version?: Partial<VersionInfo>;
  /** false: another process sees to it. */
  compaction?: Partial<CompactionOptions> | false;
  /** No audit log when absent. */
  audit?: AuditOptions;
  /** Other processes write to the store too. */
  isStoreShared?: boolean;
  /** How clients are led to other servers. */
  departure?: DepartureOptions;
  clock: Clock;
  logger: Logger;
}

export interface ApiServer {
  /** Rejects with one clear line when the address cannot be had. */
  listen(at: { host: string; port: number }): Promise<AddressInfo>;
  /** What the operator's files say by now. Throws when an authorizer's kubeconfig cannot be read: all stays as it is. */
  reconfigure(settings: {
    authentication?: AuthenticationConfiguration;
    authorizers?: readonly ConfiguredAuthorizer[];
  }): void;
  /** The API for a component of this process, as a platform identity (a name makes one). */
  inProcess(identity: Identity | string): Transport;
  /** Pods' logs and exec work from then on. */
  setConnector(connector: PodConnector): void;
  /** `kubectl top` works from then on. */
  setMetricsProvider(metrics: MetricsProvider): void;
  /** What other parts of this process count, shown to the platform along with the server's own. */
  addMetrics(metrics: readonly Metric[]): void;
  /** Nothing is heard of the store: watches end, and clients are led to other servers, until it is heard again. */
  storeIsSilent(isSilent: boolean): void;
  /** Serves on until load balancers have seen it, then until answers under way are out. `close` comes after. */
  leave(leaving: Leaving): Promise<void>;
  close(): Promise<void>;
}

export const gitVersion = 'v1.36.0+skypod';

/** The API of all tenants in one process. Ready when the returned promise resolves. */
export async function createApiServer(options: ApiServerOptions): Promise<ApiServer> {
  const { store, clock, logger } = options;
  const caches = createWatchCaches({ store, clock, logger });
  const tenants = new TenantDirectory(caches);
  const frontProxy = options.frontProxy ?? (await createFrontProxy(clock));
  const withdrawals = new Withdrawals(caches);
  const templates = aggregationTemplates(
    frontProxy,
    [...options.resources, ...metricsResources],
    options.platformResources,
  );
  const sharedLayer = new SharedLayer({ ...options, ...templates }, withdrawals);
  const objects = new Objects(
    store,
    caches,
    sharedLayer,
    tenants,
    new TenantQuota(
      caches,
      tenants,
      options.tenantLimits,
      new UnloadedUsage({ store, caches, resources: (tenant) => registry.definitions(tenant) }),
    ),
  );
  let connector: PodConnector | undefined;
  const dialService = createServiceDialer(objects, () => connector);
  const webhookClient = createWebhookClient({ dialService, egress: options.webhookEgress });
  const customResources = new CustomResourceCatalog(webhookClient);
  const builtin = [...options.resources, ...metricsResources];
  const registry = new ResourceRegistry(builtin, options.platformResources, customResources);
  const issuers = new TokenIssuers(options.tokenIssuers);
  const tokens = await ServiceAccountTokens.load(options.tokenKeyPem, clock, options.formerTokenKeys, issuers);
  const access = new RoleBasedAccess(caches, (tenant, ...place) => {
    if (withdrawals.isEmpty || tenant === '') return false;
    const owner = tenants.find(tenant);
    return !(owner instanceof Promise) && withdrawals.has(owner, ...place);
  });
  const nodes = new NodeAccess(objects);
  const byDefault = defaultAccess(nodes, access);
  const accessOf = (authorizers: readonly ConfiguredAuthorizer[] | undefined) =>
    authorizers &&
    configuredAccess(authorizers, access, nodes, { clock, logger: logger.child({ part: 'authorization' }) });
  let configured = accessOf(options.authorizers);
  const tenantAccess: TenantAccess = {
    authorize: (identity, attributes, pace) => (configured ?? byDefault).authorize(identity, attributes, pace),
    rules: (identity, tenant, namespace, pace) => (configured ?? byDefault).rules(identity, tenant, namespace, pace),
  };
  let strangers = options.authentication?.configuration?.anonymous;
  const authorizer = createAuthorizer((group) => registry.isPlatformGroup(group), tenantAccess, {
    async hostOfInstance(namespace, name) {
      const entry = await objects.get(CONTAINER_INSTANCES, SYSTEM_TENANT, namespace, name);
      return entry?.object['spec']?.hostName;
    },
    hasInstancesOf: hostCarriers(objects),
  });
  const serviceAccounts = new ServiceAccountAuthenticator(tokens, objects, tenants, clock);
  const oidc = new OidcTokens({
    ...(options.authentication?.configuration !== undefined && {
      configuration: options.authentication.configuration,
    }),
    tenants,
    operatorEgress: createEgress({ allowPrivateAddresses: true }),
    tenantEgress: createEgress(options.authentication?.egress ?? options.webhookEgress),
    clock,
    logger: logger.child({ part: 'oidc' }),
  });
  const authenticator = new BearerTokens(
    serviceAccounts,
    objects,
    tenants,
    clock,
    oidc,
    options.authentication?.tokens,
  );
  let metrics: MetricsProvider | undefined;
  const version = { ...defaultVersion, ...options.version };
  const scheduler = new Scheduler({ clock });
  const aggregation = new Aggregation({
    own: [...options.resources, ...options.platformResources],
    dialService,
    frontProxy,
    clock,
  });
  const apiMetrics = new ApiMetrics({
    registry,
    objects,
    scheduler,
    version,
    aggregation: aggregation.metrics,
    storeSizeBytes: async () => store.sizeBytes?.(),
  });
  const environment: Environment = {
    registry,
    objects,
    tenants,
    admission: createAdmission(objects, tenants, {
      authorizer,
      access,
      clock,
      registry,
      webhookClient,
      logger,
      observer: apiMetrics.admission,
    }),
    authorizer,
    tokens,
    authenticator,
    hooks: new Map([
      ['namespaces', namespaceHooks],
      [DEFINITION_HOOKS, definitionHooks((group) => registry.isPlatformGroup(group))],
      ['services', serviceHooks(objects, clock)],
      ['resourceclaims.resource.k8s.io', deviceClaimHooks(objects, authorizer, ({ spec }) => spec?.devices?.requests)],
      [
        'resourceclaimtemplates.resource.k8s.io',
        deviceClaimHooks(objects, authorizer, ({ spec }) => spec?.spec?.devices?.requests),
      ],
    ]),
    connector: () => connector,
    dialService,
    aggregation,
    metrics: () => metrics,
    clock,
    logger,
  };
  const departure = new Departure(options.departure);
  const steps = new StartSteps();
  steps.done('admission');
  const nonResource = createNonResourceHandler({
    // A tenant's own are its own; the process' are the platform's.
    metrics: async ({ identity, tenant }) =>
      identity.kind === 'platform'
        ? await apiMetrics.text()
        : apiMetrics.tenantText(tenant, await configurations.of(tenant)),
    registry,
    tokens,
    version,
    checks: [
      { name: 'ping', check() {} },
      { name: 'log', check: () => logger.debug({}, 'the log was asked for') },
      ...storeChecks(() => store.currentRevision()),
      ...(options.healthChecks ?? []),
      ...steps.checks,
      departure.check,
    ],
    aggregation,
    serverAddress: `${options.advertise.address}:${options.advertise.port}`,
    openApi: createOpenApi(registry, options.version?.gitVersion ?? gitVersion, aggregation),
  });
  const dispatch = createDispatch(environment, nonResource);
  const configurations = new FlowControlConfigurations(objects, (tenant) => dangling.changed(tenant));
  const audit = options.audit === undefined ? undefined : new Audit(options.audit, { registry, clock, logger });
  audit?.followAdmission(environment.admission);
  apiMetrics.add(audit?.metrics ?? []);
  const timed = (layer: Layer, filter: Filter) => audit?.latencies.timed(layer, filter) ?? filter;
  const filters: Filters = {
    ...(audit !== undefined && {
      audit: { authentication: audit.authenticationFilter, request: audit.filter },
    }),
    accessLog: accessLogFilter(logger, clock),
    panicRecovery: panicRecoveryFilter(logger),
    departure: departure.filter,
    requestDeadline: requestDeadlineFilter(),
    ...(options.isStoreShared === true && {
      freshness: freshnessFilter(async () => {
        const revision = await store.currentRevision();
        // One watch feeds all caches at once, so one of them speaks for those that are loaded.
        await (await tenants.cache()).waitForRevision(revision);
        return revision;
      }),
    }),
    authentication: timed(
      'authentication',
      authenticationFilter(credentialsOfContext, authenticator, () => strangers, apiMetrics.access),
    ),
    tenantResolution: tenantResolutionFilter(
      (tenant) => tenants.exists(tenant),
      (tenant) => tenants.birth(tenant),
    ),
    impersonation: timed('impersonation', impersonationFilter(authorizer)),
    priorityAndFairness: priorityAndFairnessFilter({
      scheduler,
      configurations,
      objects,
      observer: apiMetrics.flowControl,
      nowMs: () => clock.now(),
    }),
    backgroundWork: backgroundWorkFilter(scheduler),
    authorization: timed('authorization', authorizationFilter(authorizer, apiMetrics.access)),
  };
  const httpHandler = httpChain(filters, dispatch);
  const inProcessHandler = inProcessChain(filters, dispatch);
  const transport = (identity: Identity) => createInProcessTransport(inProcessHandler, identity, logger);
  await ensureSystemTenant(environment);
  await withdrawals.forgetAll((changes) => objects.commit(changes));
  let isClosing = false;
  const reconciling = reconcileDefaults(environment, () => isClosing).catch((error) =>
    logger.warn({ error }, 'default roles were not reconciled'),
  );
  steps.done('tenants');
  const dangling = new DanglingConditions({
    objects,
    transport: transport(platformIdentity('skypod:flow-control')),
    clock,
    logger,
  });
  await configurations.start();
  steps.done('fairness');
  const aggregationRun = await aggregation.start(environment, customResources);
  const stopCustomResources = await followCustomResources(environment, customResources, (resource) =>
    caches.drop(resource),
  );
  steps.done('custom resources');
  aggregationRun.begin();
  steps.done('aggregation');

  const stopCompaction =
    options.compaction === false
      ? () => {}
      : startCompaction(store, clock, logger, { ...defaultCompaction, ...options.compaction });
  const listeners: Listener[] = [];
  return {
    async listen(at) {
      const listener = await listen(at, {
        servingCertificatePem: options.serving.certificatePem,
        servingKeyPem: options.serving.keyPem,
        caPem: options.caPem,
        handler: httpHandler,
        observer: {
          longRunning(context) {
            apiMetrics.requests.longRunning(context);
            audit?.longRunning(context);
          },
          finished(context, code) {
            departure.finished(context);
            apiMetrics.requests.finished(context, code);
            audit?.finished(context, code);
          },
          handshakeFailed: () => apiMetrics.requests.handshakeFailed(),
        },
        clock,
        logger,
      });
      listeners.push(listener);
      return listener.address();
    },
    reconfigure({ authentication, authorizers }) {
      if (authentication !== undefined) {
        strangers = authentication.anonymous;
        oidc.setConfiguration(authentication);
      }
      if (authorizers === undefined) return;
      const former = configured;
      configured = accessOf(authorizers);
      // What is asked of it now is still answered.
      if (former !== undefined) setTimeout(() => former.close(), 30_000).unref();
    },
    inProcess: (identity) => transport(typeof identity === 'string' ? platformIdentity(identity) : identity),
    setConnector(given) {
      connector = given;
    },
    setMetricsProvider(given) {
      metrics = given;
    },
    addMetrics: (given) => apiMetrics.add(given),
    storeIsSilent: (isSilent) => departure.storeIsSilent(isSilent, listeners),
    leave: (leaving) => departure.leave(listeners.splice(0), leaving),
    async close() {
      isClosing = true;
      await reconciling;
      stopCompaction();
      stopCustomResources();
      webhookClient.close();
      configured?.close();
      aggregationRun.stop();
      await Promise.all(listeners.map((listener) => listener.close()));
      await audit?.close();
      configurations.close();
      dangling.close();
      scheduler.close();
      caches.close();
    },
  };
}

/** Asked with every event a host reports: the instance that proved it last time mostly proves it again. */
function hostCarriers(objects: Objects): (hostName: string, namespace: string) => Promise<boolean> {
  const proofs = new Map<string, string>();
  return async (hostName, namespace) => {
    const cache = await objects.cache(CONTAINER_INSTANCES);
    const asked = `${hostName}/${namespace}`;
    const proof = proofs.get(asked);
    const matches = (object: KubeObject | undefined) => object?.['spec']?.hostName === hostName;
    if (proof !== undefined && matches(cache.get(SYSTEM_TENANT, namespace, proof)?.object)) return true;
    const found = cache.find({ tenant: SYSTEM_TENANT, namespace }, { matches });
    if (found === undefined) proofs.delete(asked);
    else proofs.set(asked, found.name);
    return found !== undefined;
  };
}

const defaultVersion: VersionInfo = {
  major: '1',
  minor: '36',
  emulationMajor: '1',
  emulationMinor: '36',
  minCompatibilityMajor: '1',
  minCompatibilityMinor: '35',
  gitVersion,
  gitCommit: '',
  gitTreeState: 'clean',
  buildDate: '1970-01-01T00:00:00Z',
  goVersion: `node${process.version}`,
  compiler: 'v8',
  platform: `${process.platform}/${process.arch === 'x64' ? 'amd64' : process.arch}`,
};

/**
 * The system tenant has an object as every other: its shared objects are as old as it is. Its name is reserved, so it is
 * written past the checks that hold for everyone else.
 */
async function ensureSystemTenant({ tenants, objects, clock }: Environment): Promise<void> {
  if ((await tenants.entry(SYSTEM_TENANT)) !== undefined) return;
  const after: KubeObject = {
    kind: 'Tenant',
    apiVersion: `${TENANTS.group}/${TENANTS.version}`,
    metadata: {
      name: SYSTEM_TENANT,
      uid: randomUUID(),
      resourceVersion: '',
      generation: 1,
      creationTimestamp: formatTime(clock.now()),
    },
  };
  const place = { resource: TENANTS, tenant: SYSTEM_TENANT, namespace: '', name: SYSTEM_TENANT };
  // Another control plane may have been faster: that is as good.
  await objects.commit([{ ...place, before: undefined, after }]);
}
