import type { GroupVersionResource } from './object.ts';

const gvr = (group: string, version: string, resource: string): GroupVersionResource => ({ group, version, resource });

/** The resources that components of the platform name. */
export const PODS = gvr('', 'v1', 'pods');
export const NODES = gvr('', 'v1', 'nodes');
export const NAMESPACES = gvr('', 'v1', 'namespaces');
export const SERVICES = gvr('', 'v1', 'services');
export const ENDPOINTS = gvr('', 'v1', 'endpoints');
export const EVENTS = gvr('', 'v1', 'events');
export const CONFIG_MAPS = gvr('', 'v1', 'configmaps');
export const SECRETS = gvr('', 'v1', 'secrets');
export const SERVICE_ACCOUNTS = gvr('', 'v1', 'serviceaccounts');
export const RESOURCE_QUOTAS = gvr('', 'v1', 'resourcequotas');
export const LIMIT_RANGES = gvr('', 'v1', 'limitranges');
export const PERSISTENT_VOLUME_CLAIMS = gvr('', 'v1', 'persistentvolumeclaims');
export const DEPLOYMENTS = gvr('apps', 'v1', 'deployments');
export const REPLICA_SETS = gvr('apps', 'v1', 'replicasets');
export const STATEFUL_SETS = gvr('apps', 'v1', 'statefulsets');
export const DAEMON_SETS = gvr('apps', 'v1', 'daemonsets');
export const CONTROLLER_REVISIONS = gvr('apps', 'v1', 'controllerrevisions');
export const JOBS = gvr('batch', 'v1', 'jobs');
export const CRON_JOBS = gvr('batch', 'v1', 'cronjobs');
export const ENDPOINT_SLICES = gvr('discovery.k8s.io', 'v1', 'endpointslices');
export const LEASES = gvr('coordination.k8s.io', 'v1', 'leases');
export const RUNTIME_CLASSES = gvr('node.k8s.io', 'v1', 'runtimeclasses');
export const CLUSTER_ROLES = gvr('rbac.authorization.k8s.io', 'v1', 'clusterroles');
export const CERTIFICATE_SIGNING_REQUESTS = gvr('certificates.k8s.io', 'v1', 'certificatesigningrequests');
export const SUBJECT_ACCESS_REVIEWS = gvr('authorization.k8s.io', 'v1', 'subjectaccessreviews');
export const IP_ADDRESSES = gvr('networking.k8s.io', 'v1', 'ipaddresses');
export const SERVICE_CIDRS = gvr('networking.k8s.io', 'v1', 'servicecidrs');

// The platform's own, all in the system tenant (see pool.ts).
export const CONTAINER_INSTANCES = gvr('pool.skypod.io', 'v1alpha1', 'containerinstances');
export const HOSTS = gvr('pool.skypod.io', 'v1alpha1', 'hosts');
export const VPC_SERVICES = gvr('network.skypod.io', 'v1alpha1', 'vpcservices');
export const TENANTS = gvr('tenancy.skypod.io', 'v1alpha1', 'tenants');
export const USAGE_RECORDS = gvr('metering.skypod.io', 'v1alpha1', 'usagerecords');
