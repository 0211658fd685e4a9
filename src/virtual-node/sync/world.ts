import type { ConfigMap, Node, Pod, Secret, Service } from '../../api/generated/core-v1.ts';
import type { KubeObject } from '../../api/object.ts';
import { hostPortsOf } from '../../api/pods/host-ports.ts';
import type { ContainerInstance, Host } from '../../api/pool.ts';
import { CONFIG_MAPS, CONTAINER_INSTANCES, HOSTS, NODES, PODS, SECRETS, SERVICES } from '../../api/resources.ts';
import { ALL_TENANTS, SYSTEM_TENANT } from '../../client/client.ts';
import type { Informer, InformerFactory, ObjectKey } from '../../client/informer.ts';
import type { Lookups } from '../resolve/lookups.ts';
import { referencesOf } from '../resolve/references.ts';
import { NodeUsages, nodeKeysOf } from './node-usage.ts';

/** Index names. */
export const BY_SOURCE = 'virtual-node/source';
export const BY_POD = 'virtual-node/pod';
export const BY_HOST = 'virtual-node/host';
export const BY_NAMESPACE = 'virtual-node/namespace';
/** Instances, by `tenant//virtual node`. */
export const BY_NODE = 'virtual-node/node';
/** Pods that take ports of their node, by `tenant//node`. */
export const BY_HOST_PORTS = 'virtual-node/host-ports';

/** The local copies that the virtual node works from. */
export interface World {
  pods: Informer<Pod>;
  instances: Informer<ContainerInstance>;
  configMaps: Informer<ConfigMap>;
  secrets: Informer<Secret>;
  services: Informer<Service>;
  hosts: Informer<Host>;
  /** The tenants' virtual nodes, as they see them. */
  nodes: Informer<Node>;
  usages: NodeUsages;
  /** In every VPC, by name. */
  nodeAddresses: ReadonlyMap<string, string>;
  /** What a node has to give, for containers that ask for their limits and have none. */
  allocatable: Lookups['allocatable'];
}

export function createWorld(
  informers: InformerFactory,
  allocatable: World['allocatable'],
  nodeAddresses: World['nodeAddresses'],
): World {
  const instances = informers.informer<ContainerInstance>(CONTAINER_INSTANCES, {
    tenant: SYSTEM_TENANT,
    indexes: {
      [BY_POD]: (instance) => [podKeyOf(instance)],
      [BY_HOST]: ({ spec }) => (spec.hostName ? [spec.hostName] : []),
      [BY_NODE]: nodeKeysOf,
    },
  });
  return {
    allocatable,
    nodeAddresses,
    pods: informers.informer<Pod>(PODS, {
      tenant: ALL_TENANTS,
      indexes: { [BY_SOURCE]: sourcesOf, [BY_HOST_PORTS]: portHolderOf },
    }),
    instances,
    usages: new NodeUsages(instances),
    configMaps: informers.informer<ConfigMap>(CONFIG_MAPS, { tenant: ALL_TENANTS }),
    secrets: informers.informer<Secret>(SECRETS, { tenant: ALL_TENANTS }),
    services: informers.informer<Service>(SERVICES, {
      tenant: ALL_TENANTS,
      indexes: { [BY_NAMESPACE]: ({ metadata }) => [`${metadata.clusterName}/${metadata.namespace}`] },
    }),
    hosts: informers.informer<Host>(HOSTS, { tenant: SYSTEM_TENANT }),
    nodes: informers.informer<Node>(NODES, { tenant: ALL_TENANTS }),
  };
}

function portHolderOf({ metadata, spec }: Pod): string[] {
  return spec.nodeName && hostPortsOf(spec).length > 0 ? [`${metadata.clusterName}//${spec.nodeName}`] : [];
}

export const instanceKey = (pod: Pod): ObjectKey => `${SYSTEM_TENANT}/${pod.metadata.clusterName}/${pod.metadata.uid}`;

/** Key of the tenant's pod that the instance was made for. */
export const podKeyOf = ({ metadata, spec }: ContainerInstance): ObjectKey =>
  `${metadata.namespace}/${spec.podRef.namespace}/${spec.podRef.name}`;

export const sourceKey = (kind: 'configmap' | 'secret', { metadata }: KubeObject): string =>
  `${metadata.clusterName}/${metadata.namespace}/${kind}/${metadata.name}`;

// Indexes are asked twice for each version of a pod, when it comes and when it goes, and most have the spec of the last.
const known = new WeakMap<Pod['spec'], string[]>();

function sourcesOf(pod: Pod): string[] {
  let sources = known.get(pod.spec);
  if (sources !== undefined) return sources;
  const { configMaps, secrets } = referencesOf(pod.spec);
  const scope = `${pod.metadata.clusterName}/${pod.metadata.namespace}`;
  sources = [
    ...[...configMaps].map((name) => `${scope}/configmap/${name}`),
    ...[...secrets].map((name) => `${scope}/secret/${name}`),
  ];
  known.set(pod.spec, sources);
  return sources;
}
