import type { Clock } from '../base/clock.ts';
import type { Logger } from '../base/log.ts';
import type { Client } from '../client/client.ts';
import { type Controller, type ControllerMetrics, runController } from '../client/controller.ts';
import { createEventRecorder, type EventRecorder } from '../client/event-recorder.ts';
import type { InformerFactory } from '../client/informer.ts';
import { createBootstrapTokenCleaner } from './bootstrap-token-cleaner/index.ts';
import { createCertificateApprovingController, type KubeletRequestReader } from './certificate-approving/index.ts';
import { createCertificateSigningController } from './certificate-signing/index.ts';
import type { CertificateSigner } from './certificate-signing/signer.ts';
import { createClusterRoleAggregationController } from './clusterrole-aggregation/index.ts';
import type { ControllerDependencies } from './common/dependencies.ts';
import type { ResourceInfo } from './common/resources.ts';
import { createCronJobController } from './cronjob/index.ts';
import { createDaemonSetController } from './daemonset/index.ts';
import { createDeploymentController } from './deployment/index.ts';
import { createDisruptionController } from './disruption/index.ts';
import { createEndpointsController } from './endpoints/index.ts';
import { createEndpointSliceController } from './endpointslice/index.ts';
import { createEndpointSliceMirroringController } from './endpointslice-mirroring/index.ts';
import { createEphemeralVolumeController } from './ephemeral-volume/index.ts';
import { createGarbageCollector } from './garbage-collector/index.ts';
import { createIpAddressRepairController } from './ip-address-repair/index.ts';
import { createJobController } from './job/index.ts';
import { createLegacyTokenControllers } from './legacy-token-cleaner/index.ts';
import { createNamespaceController } from './namespace/index.ts';
import { createNodeLifecycleController } from './node-lifecycle/index.ts';
import { createPodGarbageCollector } from './pod-gc/index.ts';
import { underQueueNames } from './queue-names.ts';
import { createReplicaSetController, replicationControllerKind } from './replicaset/index.ts';
import { createResourceClaimController } from './resource-claim/index.ts';
import { createResourceQuotaController } from './resource-quota/index.ts';
import { createRootCaController } from './root-ca/index.ts';
import { createServiceCidrController } from './service-cidr/index.ts';
import { createServiceAccountController } from './serviceaccount/index.ts';
import { createServiceAccountTokenController } from './serviceaccount-token/index.ts';
import { createStatefulSetController } from './statefulset/index.ts';
import { createTaintEvictionController } from './taint-eviction/index.ts';
import { createTtlAfterFinishedController } from './ttl-after-finished/index.ts';
import { createValidatingAdmissionPolicyStatusController } from './validating-admission-policy-status/index.ts';
import { createVolumeProtectionControllers } from './volume-protection/index.ts';

export interface ControllersOptions {
  /** Of a platform identity: it reads and writes every tenant. */
  client: Client;
  /** Started by the caller, after `startControllers` was called. */
  informers: InformerFactory;
  clock: Clock;
  logger: Logger;
  /** PEM, for kube-root-ca.crt. */
  rootCa: string;
  /** All resources the API server serves; ResourceDefinitions will do. */
  resources: ResourceInfo[];
  /** Behind `kubernetes.io/…` certificate signing requests; without one they stay unsigned. */
  signer?: CertificateSigner & KubeletRequestReader;
  /** How long a long-lived service account token that was made by itself may go unused; a year if absent. */
  legacyTokenCleanUpMs?: number;
  metrics?: ControllerMetrics;
}

/** All controllers, in no particular order: they meet in objects only. */
function createControllers(
  dependencies: ControllerDependencies,
  options: Pick<ControllersOptions, 'rootCa' | 'resources' | 'signer' | 'legacyTokenCleanUpMs'>,
): Controller[] {
  return [
    createNamespaceController(dependencies, options.resources),
    createGarbageCollector(dependencies, options.resources),
    createServiceAccountController(dependencies),
    createServiceAccountTokenController(dependencies, options.rootCa),
    createRootCaController(dependencies, options.rootCa),
    createClusterRoleAggregationController(dependencies),
    ...(options.signer === undefined
      ? []
      : [
          createCertificateApprovingController(dependencies, options.signer),
          createCertificateSigningController(dependencies, options.signer),
        ]),
    createDeploymentController(dependencies),
    createReplicaSetController(dependencies),
    createReplicaSetController(dependencies, replicationControllerKind),
    createStatefulSetController(dependencies),
    createDaemonSetController(dependencies),
    createJobController(dependencies),
    createCronJobController(dependencies),
    createTtlAfterFinishedController(dependencies),
    createValidatingAdmissionPolicyStatusController(dependencies, options.resources),
    createEndpointSliceController(dependencies),
    createEndpointsController(dependencies),
    createEndpointSliceMirroringController(dependencies),
    createDisruptionController(dependencies, options.resources),
    createPodGarbageCollector(dependencies),
    createTaintEvictionController(dependencies),
    createResourceQuotaController(dependencies, options.resources),
    createEphemeralVolumeController(dependencies),
    ...createVolumeProtectionControllers(dependencies),
    createBootstrapTokenCleaner(dependencies),
    createServiceCidrController(dependencies),
    createNodeLifecycleController(dependencies),
    createResourceClaimController(dependencies),
    ...createLegacyTokenControllers(dependencies, options.legacyTokenCleanUpMs),
    createIpAddressRepairController(dependencies),
  ];
}

/** Runs all controllers for all tenants until the signal aborts; resolves when the last reconcile has ended. */
export async function startControllers(options: ControllersOptions, signal: AbortSignal): Promise<void> {
  const { client, informers, clock, logger, metrics } = options;
  const recorders = new Map<string, EventRecorder>();
  const recorder = (component: string): EventRecorder => {
    let found = recorders.get(component);
    if (found === undefined) {
      found = createEventRecorder({ client, clock, logger, component });
      recorders.set(component, found);
    }
    return found;
  };
  const controllers = createControllers({ client, informers, clock, logger, recorder }, options);
  const runOptions = { clock, logger, ...(metrics !== undefined && { metrics: underQueueNames(metrics) }) };
  await Promise.all(controllers.map((controller) => runController(controller, runOptions, signal)));
}
