import type { ControllerMetrics } from '../client/queue-metrics.ts';

/** What upstream's controllers call their queues, where it is not the controller's own name. */
const queueNames: Record<string, string> = {
  'certificatesigningrequest-signing-controller': 'certificate',
  'clusterrole-aggregation-controller': 'ClusterRoleAggregator',
  'cronjob-controller': 'cronjob',
  'daemonset-controller': 'daemonset',
  'deployment-controller': 'deployment',
  'disruption-controller': 'disruption',
  'endpoint-controller': 'endpoint',
  'endpoint-slice-controller': 'endpoint_slice',
  'endpointslice-mirroring-controller': 'endpoint_slice_mirroring',
  'ephemeral-volume-controller': 'ephemeral_volume',
  'garbage-collector-controller': 'garbage_collector_attempt_to_delete',
  'job-controller': 'job',
  'legacy-service-account-token-tracking-controller': 'legacy_token_tracking_controller',
  'namespace-controller': 'namespace',
  'node-lifecycle-controller': 'node_lifecycle_controller',
  'persistentvolume-protection-controller': 'pvprotection',
  'persistentvolumeclaim-protection-controller': 'pvcprotection',
  'pod-garbage-collector-controller': 'orphaned_pods_nodes',
  'replicaset-controller': 'replicaset',
  'replication-controller': 'replicationmanager',
  'resource-claim-controller': 'resource_claim',
  'resourcequota-controller': 'resourcequota_primary',
  'root-ca-certificate-publisher-controller': 'root_ca_cert_publisher',
  'ipallocator-repair-controller': 'services',
  'service-cidr-controller': 'ipaddresses',
  'serviceaccount-controller': 'serviceaccount',
  'serviceaccount-token-controller': 'serviceaccount_tokens_service',
  'statefulset-controller': 'statefulset',
  'taint-eviction-controller': 'noexec_taint_pod',
  'token-cleaner-controller': 'token_cleaner',
  'ttl-after-finished-controller': 'ttl_jobs_to_delete',
  'validatingadmissionpolicy-status-controller': 'validatingadmissionpolicy-status',
  'volumeattributesclass-protection-controller': 'vacprotection',
};

/** Tells of queues under upstream's names. */
export function underQueueNames(metrics: ControllerMetrics): ControllerMetrics {
  return { queue: (name, state) => metrics.queue(queueNames[name] ?? name, state) };
}
