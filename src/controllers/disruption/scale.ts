import type { Deployment, ReplicaSet, StatefulSet } from '../../api/generated/apps-v1.ts';
import type { Pod } from '../../api/generated/core-v1.ts';
import { type GroupVersionResource, type KubeObject, type OwnerReference, parseApiVersion } from '../../api/object.ts';
import { DEPLOYMENTS, REPLICA_SETS, STATEFUL_SETS } from '../../api/resources.ts';
import { isNotFound } from '../../api/status.ts';
import { ALL_TENANTS, collectionPath } from '../../client/client.ts';
import type { Informer } from '../../client/informer.ts';
import { customResourcesOf, definitionsOf } from '../common/custom-resources.ts';
import type { ControllerDependencies } from '../common/dependencies.ts';
import { controllerOf, siblingKey } from '../common/owner.ts';
import type { ResourceInfo } from '../common/resources.ts';

const REPLICATION_CONTROLLERS: GroupVersionResource = { group: '', version: 'v1', resource: 'replicationcontrollers' };

export interface OwnerScale {
  uid: string;
  replicas: number;
}

export interface ScaleFinder {
  /** The owner that is scaled, and to how many; undefined when it is not there. */
  scaleOf(pod: Pod, reference: OwnerReference): Promise<OwnerScale | undefined>;
  reads: Informer<any>[];
}

/** Built-in workloads are looked up in local copies; others (custom resources) are asked for their scale. */
export function scaleFinder({ informers, client }: ControllerDependencies, resources: ResourceInfo[]): ScaleFinder {
  const replicaSets = informers.informer<ReplicaSet>(REPLICA_SETS, { tenant: ALL_TENANTS });
  const deployments = informers.informer<Deployment>(DEPLOYMENTS, { tenant: ALL_TENANTS });
  const statefulSets = informers.informer<StatefulSet>(STATEFUL_SETS, { tenant: ALL_TENANTS });
  const replicationControllers = informers.informer(REPLICATION_CONTROLLERS, { tenant: ALL_TENANTS });
  const definitions = definitionsOf(informers);

  const known = (found: KubeObject | undefined, uid: string): OwnerScale | undefined =>
    found?.metadata.uid === uid ? { uid, replicas: found['spec'].replicas ?? 1 } : undefined;

  function cached(pod: Pod, { apiVersion, kind, name, uid }: OwnerReference): OwnerScale | undefined {
    const { group } = parseApiVersion(apiVersion);
    const key = siblingKey(pod, name);
    if (group === '' && kind === 'ReplicationController') return known(replicationControllers.get(key), uid);
    if (group !== 'apps') return undefined;
    if (kind === 'StatefulSet') return known(statefulSets.get(key), uid);
    if (kind !== 'ReplicaSet') return undefined;
    const set = replicaSets.get(key);
    if (set?.metadata.uid !== uid) return undefined;
    const owner = controllerOf(set);
    const deployment = owner?.kind === 'Deployment' ? deployments.get(siblingKey(pod, owner.name)) : undefined;
    return (deployment !== undefined && known(deployment, owner!.uid)) || known(set, uid);
  }

  async function asked(pod: Pod, { apiVersion, kind, name, uid }: OwnerReference): Promise<OwnerScale | undefined> {
    const { clusterName: tenant = '', namespace } = pod.metadata;
    const { group, version } = parseApiVersion(apiVersion);
    const all = [...resources, ...customResourcesOf(definitions, tenant)];
    const resource = all.find((each) => each.group === group && each.kind === kind);
    if (resource === undefined) {
      throw new Error(`no matches for kind ${JSON.stringify(kind)} in version ${JSON.stringify(apiVersion)}`);
    }
    const path = `${collectionPath(tenant, { ...resource, version }, namespace)}/${encodeURIComponent(name)}`;
    try {
      const scale = await client.transport.request<KubeObject>({ method: 'GET', path: `${path}/scale` });
      return scale.metadata.uid === uid ? { uid, replicas: scale['spec']?.replicas ?? 0 } : undefined;
    } catch (error) {
      if (!isNotFound(error)) throw error;
    }
    // Either there is no such object, or its kind has no scale.
    try {
      await client.transport.request({ method: 'GET', path });
    } catch (error) {
      if (isNotFound(error)) return undefined;
      throw error;
    }
    throw new Error(`${resource.resource}${group === '' ? '' : `.${group}`} does not implement the scale subresource`);
  }

  return {
    scaleOf: async (pod, reference) => cached(pod, reference) ?? (await asked(pod, reference)),
    reads: [replicaSets, deployments, statefulSets, replicationControllers, definitions],
  };
}
