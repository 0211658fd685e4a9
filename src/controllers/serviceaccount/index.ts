import type { Namespace, ServiceAccount } from '../../api/generated/core-v1.ts';
import { NAMESPACES, SERVICE_ACCOUNTS } from '../../api/resources.ts';
import { isAlreadyExists } from '../../api/status.ts';
import { ALL_TENANTS } from '../../client/client.ts';
import { type Controller, watchOwn } from '../../client/controller.ts';
import type { ControllerDependencies } from '../common/dependencies.ts';
import { isNamespaceTerminating } from '../common/pod-template.ts';

const NAME = 'default';

/** Every namespace has a service account `default`. Namespaces that all tenants share bring theirs along already. */
export function createServiceAccountController(dependencies: ControllerDependencies): Controller {
  const { informers, client } = dependencies;
  const namespaces = informers.informer<Namespace>(NAMESPACES, { tenant: ALL_TENANTS });
  const accounts = informers.informer<ServiceAccount>(SERVICE_ACCOUNTS, { tenant: ALL_TENANTS });
  const accountKey = (namespace: Namespace) => `${namespace.metadata.clusterName}/${namespace.metadata.name}/${NAME}`;

  return {
    name: 'serviceaccount-controller',
    workers: 4,
    watches: [
      watchOwn(namespaces),
      {
        informer: accounts,
        handlers: (queue) => ({
          deleted: ({ metadata }: ServiceAccount) => {
            if (metadata.name === NAME) queue.add(`${metadata.clusterName}//${metadata.namespace}`);
          },
        }),
      },
    ],
    async reconcile(key) {
      const namespace = namespaces.get(key);
      if (namespace === undefined || namespace.metadata.deletionTimestamp !== undefined) return;
      if (accounts.get(accountKey(namespace)) !== undefined) return;
      try {
        await client
          .resource<ServiceAccount>(namespace.metadata.clusterName!, SERVICE_ACCOUNTS, namespace.metadata.name)
          .create({
            apiVersion: 'v1',
            kind: 'ServiceAccount',
            metadata: { name: NAME, namespace: namespace.metadata.name },
          });
      } catch (error) {
        if (!isAlreadyExists(error) && !isNamespaceTerminating(error)) throw error;
      }
    },
  };
}
