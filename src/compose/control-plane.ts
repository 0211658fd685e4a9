import { X509Certificate } from 'node:crypto';
import { isIP } from 'node:net';
import { join } from 'node:path';
import { apiVersionOf } from '../api/object.ts';
import type { InstancePlacer, Tenant } from '../api/pool.ts';
import { builtinResources, platformResources } from '../api/resources/index.ts';
import { CONTAINER_INSTANCES, TENANTS } from '../api/resources.ts';
import { isAlreadyExists, StatusError } from '../api/status.ts';
import { defaultCompaction, startCompaction } from '../apiserver/compaction.ts';
import type { OperatorsTokens } from '../apiserver/identity/bearer-tokens.ts';
import { createTenantSigner } from '../apiserver/identity/certificate-signer.ts';
import { WebhookTokens } from '../apiserver/identity/webhook-tokens.ts';
import { createApiServer } from '../apiserver/server.ts';
import { ReviewClient } from '../apiserver/webhooks/review-client.ts';
import { aborted } from '../base/abort.ts';
import { type Clock, systemClock } from '../base/clock.ts';
import type { Logger } from '../base/log.ts';
import { dropStartGarbage } from '../base/start-garbage.ts';
import { Client, SYSTEM_TENANT } from '../client/client.ts';
import { type ControllerMetrics, runController } from '../client/controller.ts';
import type { InformerFactory } from '../client/informer.ts';
import { createInformerFactory } from '../client/informer-factory.ts';
import { QueueMetrics } from '../client/queue-metrics.ts';
import { startControllers } from '../controllers/all.ts';
import type { KubeletRequestReader } from '../controllers/certificate-approving/index.ts';
import type { CertificateSigner } from '../controllers/certificate-signing/signer.ts';
import { createHostIndexController } from '../controllers/host-index/index.ts';
import { startMetering } from '../metering/index.ts';
import { createServicePublisher } from '../network/service/publish/index.ts';
import { startScheduler } from '../scheduler/index.ts';
import { UnreadableError } from '../store/encryption/encrypted-store.ts';
import { fencedStore } from '../store/fenced-store.ts';
import { openLmdbStore } from '../store/lmdb/lmdb-store.ts';
import type { Store } from '../store/store.ts';
import { startTenancy } from '../tenancy/index.ts';
import {
  createMetricsProvider,
  createPodConnector,
  type NodeCapacity,
  startVirtualNode,
  virtualNodeAddresses,
  virtualNodeTemplates,
  zonesByNode,
} from '../virtual-node/index.ts';
import type { AccessSettings } from './access-settings.ts';
import { CommandError } from './command-error.ts';
import type { ControlPlaneSettings } from './control-plane-settings.ts';
import type { DataDirectory } from './data-directory.ts';
import { EncryptionAtRest } from './encryption-at-rest.ts';
import { localHostName } from './host-paths.ts';
import { leadInTurn } from './leadership.ts';
import type { ListenAddress } from './listen-address.ts';
import { createLogger } from './logger.ts';
import { isAway, patientStore } from './patient-store.ts';
import {
  DEFAULT_TENANT_NAME,
  openHostPair,
  openPki,
  openRoots,
  writeSystemKubeconfig,
  writeTenantKubeconfig,
} from './pki.ts';
import { followAccessFiles } from './reload-access.ts';
import { reachable, urlOf, writeEndpoint } from './server-endpoint.ts';
import { shareIdentity } from './shared-identity.ts';
import { openSharedStore, storePatienceMs } from './shared-store.ts';

export interface ControlPlaneOptions {
  data: DataDirectory;
  listen: ListenAddress;
  zones: string[];
  settings: ControlPlaneSettings;
  onReady(): void;
  /** Why the start takes so long, a line each. */
  onNotice(line: string): void;
  /** It was told to stop, and clients are given the time to leave. */
  onLeaving(left: Promise<void>): void;
  stop: AbortSignal;
}

/** Who starts it is told then that it takes long. */
const slowStartMs = 15_000;
const instancesPrefix = `/${CONTAINER_INSTANCES.group}/${CONTAINER_INSTANCES.resource}/`;

/**
 * The control-plane process: API server, controllers, scheduler, virtual nodes, metering and tenancy. @throws
 * CommandError, in a line, when etcd goes away before it serves
 */
export async function runControlPlane(options: ControlPlaneOptions): Promise<void> {
  let serves = false;
  const onReady = () => {
    serves = true;
    options.onReady();
  };
  const { etcd } = options.settings;
  try {
    await run({ ...options, onReady });
  } catch (error) {
    if (serves) throw error;
    if (error instanceof UnreadableError)
      throw new CommandError(`--encryption-provider-config lacks a key that is still needed: ${error.message}`);
    if (options.settings.encryption === undefined && (error as Error).message.includes('"k8s:enc:'))
      throw new CommandError('what is stored is encrypted: --encryption-provider-config is missing');
    if (etcd === undefined || !isOfStoreAway(error)) throw error;
    const { message } = error as Error;
    throw new CommandError(
      `etcd at ${etcd.endpoints.join(', ')} stopped answering while the control plane started (${message}): start it again`,
    );
  }
}

const isOfStoreAway = (error: unknown): boolean =>
  isAway(error) || (error instanceof StatusError && (error.code === 503 || error.code === 504));

async function run(options: ControlPlaneOptions): Promise<void> {
  const { data, listen, zones, settings, onReady, onNotice, stop } = options;
  const clock = systemClock;
  const logger = createLogger('control-plane');
  // Only an etcd can have other control planes on it.
  const isShared = settings.etcd !== undefined;
  let onSilence = (_isSilent: boolean) => {};
  let endPatience = () => {};
  const openEtcd = async (etcd: NonNullable<typeof settings.etcd>) => {
    const opened = await openSharedStore({
      etcd,
      ...(settings.etcdTlsFiles !== undefined && { tlsFiles: settings.etcdTlsFiles }),
      clock,
      logger,
      onWait: onNotice,
      onSilence: (isSilent) => onSilence(isSilent),
      stop,
    });
    const patient = patientStore(opened, {
      patienceMs: storePatienceMs,
      stop,
      onWait({ message }) {
        logger.warn({ reason: message }, 'etcd went away during the start: waiting for it');
        onNotice(`etcd at ${etcd.endpoints.join(', ')} does not answer any more (${message}): waiting for it`);
      },
    });
    endPatience = () => patient.endPatience();
    return patient;
  };
  const engine = settings.etcd === undefined ? openLmdbStore(data.store) : await openEtcd(settings.etcd);
  // Instances hold copies of secrets, and nobody but the platform writes them.
  const encryption =
    settings.encryption &&
    (await EncryptionAtRest.open(engine, {
      settings: settings.encryption,
      ownPrefix: instancesPrefix,
      clock,
      logger,
      onWait: onNotice,
      stop,
    }));
  const encrypted = encryption?.store ?? engine;
  const shared = isShared ? fencedStore(encrypted) : undefined;
  const store = shared ?? encrypted;
  if (isShared) {
    const create = async () => void (await openRoots(data, clock));
    await shareIdentity({ store: engine, data, clusterKeyFile: settings.clusterKeyFile, create });
  }
  const pki = await openPki(data, listen, clock);
  const endpoint = reachable(listen);
  // All control planes must show the same nodes.
  const readySinceMs = isShared ? Date.parse(new X509Certificate(pki.authority.certificatePem).validFrom) : clock.now();
  const apiServer = await createApiServer({
    store,
    resources: builtinResources,
    platformResources,
    tenantTemplates: virtualNodeTemplates({
      zones,
      readySinceMs,
      now: () => clock.now(),
      capacity: settings.nodeCapacity,
    }),
    caPem: pki.authority.certificatePem,
    serving: pki.serving,
    tokenKeyPem: pki.tokenKeyPem,
    frontProxy: pki.frontProxy,
    advertise: {
      ...advertised(endpoint),
      peers: settings.peers.filter(({ host }) => isIP(host) !== 0).map(advertised),
    },
    // Compaction is the leader's.
    ...(settings.audit !== undefined && { audit: settings.audit }),
    authentication: {
      ...(settings.authentication !== undefined && { configuration: settings.authentication }),
      tokens: operatorsTokens(settings.access, clock, logger),
    },
    ...(settings.access.authorizers !== undefined && { authorizers: settings.access.authorizers }),
    formerTokenKeys: settings.access.formerTokenKeys,
    tokenIssuers: settings.access.tokenIssuers,
    ...(encryption !== undefined && { healthChecks: encryption.checks }),
    webhookEgress: settings.webhookEgress,
    tenantLimits: settings.tenantLimits,
    ...(isShared && { compaction: false, isStoreShared: true }),
    departure: settings.departure.options,
    clock,
    logger,
  });
  onSilence = (isSilent) => apiServer.storeIsSilent(isSilent);
  const transport = apiServer.inProcess('skypod:control-plane');
  const client = new Client(transport);
  await ensureDefaultTenant(client);
  endPatience();
  await apiServer.listen(listen);
  const stopFollowing = followAccessFiles(settings.accessFiles, apiServer, { clock, logger });

  const informers = createInformerFactory(client, { clock, logger });
  const credentials = { caPem: pki.authority.certificatePem, ...pki.platformClient };
  const connector = createPodConnector({ informers, credentials });
  apiServer.setConnector(connector);
  const metrics = createMetricsProvider({
    informers,
    credentials,
    zones,
    clock,
    logger: logger.child({ part: 'metrics' }),
  });
  apiServer.setMetricsProvider(metrics);
  const queues = new QueueMetrics();
  apiServer.addMetrics(queues.metrics);
  if (encryption !== undefined) apiServer.addMetrics(encryption.metrics);
  const signer = createTenantSigner({ clients: pki.authority, servers: pki.tenantServers });
  const rootCa = pki.authority.certificatePem;
  const { nodeCapacity, legacyTokenCleanUpMs } = settings;
  const common = { clock, logger, zones, nodeCapacity, legacyTokenCleanUpMs, rootCa, signer, metrics: queues };
  const parts =
    shared === undefined
      ? startParts({ ...common, client, informers, stop })
      : leadInTurn(
          { store: shared, transport, election: settings.election, clock, logger },
          (leader, signal) => runParts({ ...common, client: leader, stop: signal }, store),
          stop,
        );
  // Logs and exec go on as long as requests are answered.
  const left = new AbortController();
  informers.start(left.signal);

  await openHostPair(data, pki.authority, localHostName(data), clock);
  const peers = settings.peers.map(urlOf);
  writeEndpoint(data, endpoint, settings.peers);
  await writeTenantKubeconfig(data.kubeconfig, pki.authority, urlOf(endpoint), DEFAULT_TENANT_NAME, peers);
  await writeSystemKubeconfig(data.systemKubeconfig, pki.authority, urlOf(endpoint), peers);
  const cancelNotice = clock.schedule(slowStartMs, () => {
    onNotice(`not everything that is stored could be read yet: ${join(data.logs, 'control-plane.log')} says more`);
  });
  await informers.waitForSync();
  cancelNotice();
  onReady();
  logger.info({ listen, zones, store: isShared ? 'etcd' : 'lmdb' }, 'the control plane serves');
  const keepGarbage = dropStartGarbage();

  await Promise.race([aborted(stop), parts]);
  const leaving = apiServer.leave(settings.departure.leaving);
  options.onLeaving(leaving);
  await Promise.all([parts, leaving]);
  left.abort();
  keepGarbage();
  stopFollowing();
  connector.close();
  metrics.close();
  await apiServer.close();
  await store.close();
  encryption?.close();
}

function operatorsTokens({ tokenFile, tokenWebhook }: AccessSettings, clock: Clock, logger: Logger): OperatorsTokens {
  if (tokenWebhook === undefined) return tokenFile === undefined ? {} : { file: tokenFile };
  const { server, ...more } = tokenWebhook;
  const client = new ReviewClient(server, { timeoutMs: 30_000 });
  const webhook = new WebhookTokens({ ...more, client, clock, logger: logger.child({ part: 'token-webhook' }) });
  return { webhook, ...(tokenFile !== undefined && { file: tokenFile }) };
}

const advertised = ({ host, port }: ListenAddress) => ({ address: host, port });

/** One term of a leader: with informers of its own, since the parts' handlers stay with theirs. */
async function runParts(options: Omit<PartsOptions, 'informers'>, store: Store): Promise<void> {
  const { client, clock, logger, stop } = options;
  const informers = createInformerFactory(client, { clock, logger });
  const stopCompaction = startCompaction(store, clock, logger, defaultCompaction);
  const parts = startParts({ ...options, informers });
  informers.start(stop);
  await parts.finally(stopCompaction);
}

interface PartsOptions {
  client: Client;
  informers: InformerFactory;
  clock: Clock;
  logger: Logger;
  zones: string[];
  nodeCapacity: NodeCapacity;
  legacyTokenCleanUpMs: number | undefined;
  rootCa: string;
  signer: CertificateSigner & KubeletRequestReader;
  metrics: ControllerMetrics;
  stop: AbortSignal;
}

/** Everything that works on objects, in no particular order: the parts meet in the API only. */
async function startParts(options: PartsOptions): Promise<void> {
  const { client, informers, clock, logger, zones, nodeCapacity, rootCa, signer, metrics, stop } = options;
  const { legacyTokenCleanUpMs } = options;
  const common = { client, informers, clock, metrics };
  const of = (part: string) => ({ ...common, logger: logger.child({ part }) });
  let placer: InstancePlacer | undefined;
  await Promise.all([
    startControllers(
      {
        ...of('controllers'),
        rootCa,
        signer,
        resources: builtinResources,
        ...(legacyTokenCleanUpMs !== undefined && { legacyTokenCleanUpMs }),
      },
      stop,
    ),
    startScheduler({ ...of('scheduler'), onPlacer: (pool) => (placer = pool) }, stop),
    startVirtualNode(
      {
        ...of('virtual-node'),
        zones,
        capacity: nodeCapacity,
        placer: { place: (draft) => placer?.place(draft) },
      },
      stop,
    ),
    startMetering(of('metering'), stop),
    startTenancy({ ...of('tenancy'), resources: builtinResources }, stop),
    runController(createHostIndexController(common), of('pool'), stop),
    runController(
      createServicePublisher({
        informers,
        nodeAddresses: virtualNodeAddresses(zones),
        nodeZones: zonesByNode(zones),
      }),
      of('network'),
      stop,
    ),
  ]);
}

async function ensureDefaultTenant(client: Client): Promise<void> {
  try {
    await client.resource<Tenant>(SYSTEM_TENANT, TENANTS).create({
      apiVersion: apiVersionOf(TENANTS),
      kind: 'Tenant',
      metadata: { name: DEFAULT_TENANT_NAME },
    });
  } catch (error) {
    if (!isAlreadyExists(error)) throw error;
  }
}
