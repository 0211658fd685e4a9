import type { Endpoints, Pod, Service } from '../../api/generated/core-v1.ts';
import { formatTime, type KubeObject } from '../../api/object.ts';
import { ENDPOINTS, PODS, SERVICES } from '../../api/resources.ts';
import { isNotFound } from '../../api/status.ts';
import { HEADLESS_LABEL, TRIGGER_TIME_ANNOTATION } from '../../api/well-known.ts';
import { ALL_TENANTS } from '../../client/client.ts';
import { type Controller, watchOwn } from '../../client/controller.ts';
import { keyOf, type ObjectKey } from '../../client/informer.ts';
import { canonical, isSame } from '../common/canonical.ts';
import type { ControllerDependencies } from '../common/dependencies.ts';
import { byNamespace, namespaceOf, splitKey } from '../common/owner.ts';
import { isNamespaceTerminating, messageOf } from '../common/pod-template.ts';
import { batchDelayMs, isHeadless, matchesService, selectsPods, servicePodHandlers } from '../common/service-pods.ts';
import { WrittenVersions } from '../common/written-versions.ts';
import { subsetsOf, truncated } from './subsets.ts';

const component = 'endpoint-controller';
const MANAGED_BY = 'endpoints.kubernetes.io/managed-by';
const OVER_CAPACITY = 'endpoints.kubernetes.io/over-capacity';

/** Keeps the older Endpoints object of each service with a selector. */
export function createEndpointsController(dependencies: ControllerDependencies): Controller {
  const { informers, client } = dependencies;
  const services = informers.informer<Service>(SERVICES, { tenant: ALL_TENANTS, indexes: byNamespace });
  const pods = informers.informer<Pod>(PODS, { tenant: ALL_TENANTS, indexes: byNamespace });
  const endpoints = informers.informer<Endpoints>(ENDPOINTS, { tenant: ALL_TENANTS });
  const recorder = dependencies.recorder(component);
  const written = new WrittenVersions(endpoints, dependencies.clock);
  const podCounts = new Map<ObjectKey, number>();

  async function deleteFor(key: ObjectKey): Promise<void> {
    const { tenant, namespace, name } = splitKey(key);
    written.forget(key);
    podCounts.delete(key);
    try {
      await client.resource(tenant, ENDPOINTS, namespace).delete(name);
    } catch (error) {
      if (!isNotFound(error)) throw error;
    }
  }

  return {
    name: component,
    workers: 16,
    watches: [
      watchOwn(services, (service, queue) => queue.add(keyOf(service))),
      {
        informer: pods,
        handlers: (queue) =>
          servicePodHandlers(services, (key) => queue.addAfter(key, batchDelayMs(podCounts.get(key) ?? 0))),
      },
      watchOwn(endpoints, (object, queue) => {
        written.observeDeletion(keyOf(object), object);
        queue.add(keyOf(object));
      }),
    ],
    async reconcile(key, tools) {
      const service = services.get(key);
      const current = endpoints.get(key);
      if (service === undefined) {
        // Endpoints of their own, without a service, are somebody else's.
        if (current?.metadata.labels?.[MANAGED_BY] === component) await deleteFor(key);
        return;
      }
      if (
        !selectsPods(service) ||
        service.metadata.deletionTimestamp !== undefined ||
        written.isStale(key, tools.queue)
      )
        return;
      const selected = pods.byIndex('namespace', namespaceOf(service)).filter((pod) => matchesService(service, pod));
      podCounts.set(key, selected.length);
      const all = subsetsOf(service, selected);
      const cut = truncated(all);
      const wanted = endpointsOf(service, current, cut ?? all, cut !== undefined);
      if (current !== undefined && isSame(shapeOf(current), shapeOf(wanted))) return;
      const timed: KubeObject = {
        ...wanted,
        metadata: {
          ...wanted.metadata,
          annotations: { ...wanted.metadata.annotations, [TRIGGER_TIME_ANNOTATION]: formatTime(tools.now()) },
        },
      };
      const endpointsClient = client.resource(service.metadata.clusterName!, ENDPOINTS, service.metadata.namespace);
      try {
        written.wrote(
          key,
          await (current === undefined ? endpointsClient.create(timed) : endpointsClient.update(timed)),
        );
      } catch (error) {
        if (isNamespaceTerminating(error)) return;
        const { namespace, name } = service.metadata;
        const [reason, message] =
          current === undefined
            ? [
                'FailedToCreateEndpoint',
                `Failed to create endpoint for service ${namespace}/${name}: ${messageOf(error)}`,
              ]
            : ['FailedToUpdateEndpoint', `Failed to update endpoint ${namespace}/${name}: ${messageOf(error)}`];
        recorder.event(
          { apiVersion: 'v1', kind: 'Endpoints', metadata: service.metadata },
          'Warning',
          reason!,
          message!,
        );
        throw error;
      }
    },
  };
}

function endpointsOf(
  service: Service,
  current: Endpoints | undefined,
  subsets: Endpoints['subsets'],
  isCut: boolean,
): KubeObject {
  const { [OVER_CAPACITY]: _, ...annotations } = current?.metadata.annotations ?? {};
  const { [HEADLESS_LABEL]: __, ...labels } = service.metadata.labels ?? {};
  return {
    ...current,
    apiVersion: 'v1',
    kind: 'Endpoints',
    metadata: {
      ...current?.metadata,
      name: service.metadata.name,
      namespace: service.metadata.namespace!,
      labels: { ...labels, ...(isHeadless(service) && { [HEADLESS_LABEL]: '' }), [MANAGED_BY]: component },
      annotations: { ...annotations, ...(isCut && { [OVER_CAPACITY]: 'truncated' }) },
    } as KubeObject['metadata'],
    ...(subsets !== undefined && subsets.length > 0 ? { subsets } : { subsets: undefined }),
  };
}

/** What is compared: all but the time of the last change. */
function shapeOf(object: KubeObject): string {
  const { [TRIGGER_TIME_ANNOTATION]: _, ...annotations } = object.metadata.annotations ?? {};
  return canonical({ labels: object.metadata.labels ?? {}, annotations, subsets: object['subsets'] ?? [] });
}
