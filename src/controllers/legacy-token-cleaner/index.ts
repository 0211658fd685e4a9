import type { ConfigMap, Pod, Secret, ServiceAccount } from '../../api/generated/core-v1.ts';
import type { KubeObject } from '../../api/object.ts';
import { secretsOf } from '../../api/pods/pod-secrets.ts';
import { CONFIG_MAPS, PODS, SECRETS, SERVICE_ACCOUNTS } from '../../api/resources.ts';
import { isAlreadyExists, isConflict, isNotFound } from '../../api/status.ts';
import { TOKEN_INVALID_SINCE_LABEL, TOKEN_SECRET_TYPE } from '../../api/well-known.ts';
import { ALL_TENANTS } from '../../client/client.ts';
import type { Controller } from '../../client/controller.ts';
import { keyOf, type ObjectKey } from '../../client/informer.ts';
import type { ControllerDependencies } from '../common/dependencies.ts';
import { byNamespace, namespaceOf, siblingKey } from '../common/owner.ts';
import { dayOf, evaluateToken, isDay } from './evaluate.ts';

export const TRACKING_CONFIG_MAP = 'kube-apiserver-legacy-service-account-token-tracking';
const NAMESPACE = 'kube-system';
const BY_TENANT = 'legacy-token/tenant';
const dayMs = 24 * 3_600_000;
/** kube-controller-manager's --legacy-service-account-token-clean-up-period. */
const defaultPeriodMs = 365 * dayMs;
/** One sweep for all tenants: those without long-lived tokens cost nothing. */
const sweep: ObjectKey = 'every//token';

/**
 * Long-lived tokens of service accounts that nobody uses are marked invalid, then deleted. Since when uses are noted
 * stands in a ConfigMap of each tenant that has such tokens.
 */
export function createLegacyTokenControllers(
  dependencies: ControllerDependencies,
  periodMs: number = defaultPeriodMs,
): Controller[] {
  const { informers, client } = dependencies;
  const tenantOf = ({ metadata }: KubeObject) => metadata.clusterName ?? '';
  const secrets = informers.informer<Secret>(SECRETS, {
    tenant: ALL_TENANTS,
    indexes: { [BY_TENANT]: (secret) => (secret.type === TOKEN_SECRET_TYPE ? ['', tenantOf(secret)] : []) },
  });
  const configMaps = informers.informer<ConfigMap>(CONFIG_MAPS, { tenant: ALL_TENANTS });
  const accounts = informers.informer<ServiceAccount>(SERVICE_ACCOUNTS, { tenant: ALL_TENANTS });
  const pods = informers.informer<Pod>(PODS, { tenant: ALL_TENANTS, indexes: byNamespace });

  const trackingKey = (object: KubeObject): ObjectKey => `${tenantOf(object)}/${NAMESPACE}/${TRACKING_CONFIG_MAP}`;

  function accountOf(secret: Secret): ServiceAccount | undefined {
    const { annotations = {} } = secret.metadata;
    const name = annotations['kubernetes.io/service-account.name'];
    const uid = annotations['kubernetes.io/service-account.uid'];
    const account = name === undefined ? undefined : accounts.get(siblingKey(secret, name));
    return uid === undefined || uid === '' || uid === account?.metadata.uid ? account : undefined;
  }

  const tracking: Controller = {
    name: 'legacy-service-account-token-tracking-controller',
    workers: 1,
    watches: [
      {
        informer: secrets,
        handlers: (queue) => ({
          added: (secret: Secret) => {
            if (secret.type === TOKEN_SECRET_TYPE && configMaps.get(trackingKey(secret)) === undefined) {
              queue.add(trackingKey(secret));
            }
          },
        }),
      },
      {
        informer: configMaps,
        handlers: (queue) => {
          const wake = (configMap: ConfigMap) => {
            const { name, namespace } = configMap.metadata;
            if (name === TRACKING_CONFIG_MAP && namespace === NAMESPACE) queue.add(keyOf(configMap));
          };
          return { updated: (_: ConfigMap, after: ConfigMap) => wake(after), deleted: wake };
        },
      },
    ],
    async reconcile(key, tools) {
      const tenant = key.slice(0, key.indexOf('/'));
      const known = configMaps.get(key);
      if (isDay(known?.data?.['since']) || secrets.byIndex(BY_TENANT, tenant).length === 0) return;
      const since = dayOf(tools.now());
      const ofTenant = client.resource<ConfigMap>(tenant, CONFIG_MAPS, NAMESPACE);
      try {
        if (known === undefined) await ofTenant.create({ metadata: { name: TRACKING_CONFIG_MAP }, data: { since } });
        else await ofTenant.update({ ...known, apiVersion: 'v1', kind: 'ConfigMap', data: { ...known.data, since } });
      } catch (error) {
        if (!isAlreadyExists(error) && !isNotFound(error) && !isConflict(error)) throw error;
      }
    },
  };

  const cleaner: Controller = {
    name: 'legacy-serviceaccount-token-cleaner-controller',
    workers: 1,
    watches: [
      {
        informer: secrets,
        handlers: (queue) => {
          queue.add(sweep);
          return {};
        },
      },
    ],
    reads: [configMaps, accounts, pods],
    async reconcile(_, { queue, now, logger }) {
      const mountedIn = new Map<string, Set<string>>();
      const mounted = (secret: Secret): Set<string> => {
        const namespace = namespaceOf(secret);
        let names = mountedIn.get(namespace);
        if (names === undefined) {
          names = new Set(pods.byIndex('namespace', namespace).flatMap((pod) => [...secretsOf(pod)]));
          mountedIn.set(namespace, names);
        }
        return names;
      };
      for (const secret of secrets.byIndex(BY_TENANT, '')) {
        const { name, uid, resourceVersion } = secret.metadata;
        const facts = {
          secret,
          account: accountOf(secret),
          isMounted: () => mounted(secret).has(name),
          trackedSince: configMaps.get(trackingKey(secret))?.data?.['since'] ?? '',
        };
        const secretClient = client.for<Secret>(SECRETS, secret);
        try {
          const verdict = evaluateToken(facts, periodMs, now());
          if (verdict === 'delete') await secretClient.delete(name, { preconditions: { resourceVersion } });
          if (verdict === 'invalidate') {
            const labels = { [TOKEN_INVALID_SINCE_LABEL]: dayOf(now()) };
            await secretClient.patch(name, 'merge', { metadata: { uid, labels } });
          }
        } catch (error) {
          if (!isNotFound(error) && !isConflict(error)) {
            logger.warn({ error, secret: keyOf(secret) }, 'a token that is not in use was left as it is');
          }
        }
      }
      queue.addAfter(sweep, dayMs);
    },
  };

  return [tracking, cleaner];
}
