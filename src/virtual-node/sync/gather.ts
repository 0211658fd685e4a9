import type { ConfigMap, Pod, Secret } from '../../api/generated/core-v1.ts';
import type { GroupVersionResource, KubeObject } from '../../api/object.ts';
import { CONFIG_MAPS, SECRETS } from '../../api/resources.ts';
import { isNotFound } from '../../api/status.ts';
import type { Client } from '../../client/client.ts';
import type { Informer } from '../../client/informer.ts';
import { type Lookups, tokenKey } from '../resolve/lookups.ts';
import { referencesOf } from '../resolve/references.ts';
import { BY_NAMESPACE, type World } from './world.ts';

/**
 * Everything the pod names, ready for the pure part. Local copies first; what they lack is asked of the API server once,
 * since a copy may be a moment behind and objects of the shared layer may not be in it.
 */
export async function gatherLookups(
  pod: Pod,
  world: World,
  client: Client,
  tokens: ReadonlyMap<string, string>,
): Promise<Lookups> {
  const { clusterName: tenant = '', namespace = '' } = pod.metadata;
  const { configMaps, secrets } = referencesOf(pod.spec);
  const find = async <T extends KubeObject>(
    informer: Informer<T>,
    resource: GroupVersionResource,
    names: Iterable<string>,
  ): Promise<Map<string, T>> => {
    const found = new Map<string, T>();
    for (const name of names) {
      const object =
        informer.get(`${tenant}/${namespace}/${name}`) ??
        (await client
          .resource<T>(tenant, resource, namespace)
          .get(name)
          .catch((error: unknown) => {
            if (isNotFound(error)) return undefined;
            throw error;
          }));
      if (object !== undefined) found.set(name, object);
    }
    return found;
  };
  const foundConfigMaps = await find<ConfigMap>(world.configMaps, CONFIG_MAPS, configMaps);
  const foundSecrets = await find<Secret>(world.secrets, SECRETS, secrets);
  return {
    configMap: (name) => foundConfigMaps.get(name),
    secret: (name) => foundSecrets.get(name),
    services: () => world.services.byIndex(BY_NAMESPACE, `${tenant}/${namespace}`),
    kubernetesService: () => world.services.get(`${tenant}/default/kubernetes`),
    token: (wish) => tokens.get(tokenKey(wish)),
    nodeAddress: world.nodeAddresses.get(pod.spec.nodeName ?? ''),
    allocatable: world.allocatable,
  };
}
