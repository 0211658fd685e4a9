import type { ConfigMap, Namespace } from '../../api/generated/core-v1.ts';
import { CONFIG_MAPS, NAMESPACES } from '../../api/resources.ts';
import { isAlreadyExists } from '../../api/status.ts';
import { ALL_TENANTS } from '../../client/client.ts';
import { type Controller, watchOwn } from '../../client/controller.ts';
import { isSame } from '../common/canonical.ts';
import type { ControllerDependencies } from '../common/dependencies.ts';
import { isNamespaceTerminating } from '../common/pod-template.ts';

const NAME = 'kube-root-ca.crt';
const DESCRIPTION_KEY = 'kubernetes.io/description';
const DESCRIPTION =
  'The CA that certifies the API server under its in-cluster names, such as kubernetes.default.svc; good for nothing else.';

/** Every namespace has the certificate its pods trust the API server by; what is changed or deleted comes back. */
export function createRootCaController(dependencies: ControllerDependencies, rootCa: string): Controller {
  const { informers, client } = dependencies;
  const namespaces = informers.informer<Namespace>(NAMESPACES, { tenant: ALL_TENANTS });
  const maps = informers.informer<ConfigMap>(CONFIG_MAPS, { tenant: ALL_TENANTS });
  const data = { 'ca.crt': rootCa };
  const wakeFor = ({ metadata }: ConfigMap, add: (key: string) => void) => {
    if (metadata.name === NAME) add(`${metadata.clusterName}//${metadata.namespace}`);
  };

  return {
    name: 'root-ca-certificate-publisher-controller',
    workers: 4,
    watches: [
      watchOwn(namespaces),
      {
        informer: maps,
        handlers: (queue) => ({
          updated: (_: ConfigMap, after: ConfigMap) => wakeFor(after, (key) => queue.add(key)),
          deleted: (map: ConfigMap) => wakeFor(map, (key) => queue.add(key)),
        }),
      },
    ],
    async reconcile(key) {
      const namespace = namespaces.get(key);
      if (namespace === undefined || namespace.metadata.deletionTimestamp !== undefined) return;
      const { clusterName, name } = namespace.metadata;
      const current = maps.get(`${clusterName}/${name}/${NAME}`);
      if (current !== undefined && isSame(current.data, data)) return;
      const mapClient = client.resource<ConfigMap>(clusterName!, CONFIG_MAPS, name);
      try {
        if (current !== undefined) {
          await mapClient.update({ ...current, apiVersion: 'v1', kind: 'ConfigMap', data });
        } else {
          await mapClient.create({
            apiVersion: 'v1',
            kind: 'ConfigMap',
            metadata: { name: NAME, namespace: name, annotations: { [DESCRIPTION_KEY]: DESCRIPTION } },
            data,
          });
        }
      } catch (error) {
        if (!isAlreadyExists(error) && !isNamespaceTerminating(error)) throw error;
      }
    },
  };
}
