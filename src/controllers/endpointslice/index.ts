import type { Node, Pod, Service } from '../../api/generated/core-v1.ts';
import type { EndpointSlice } from '../../api/generated/discovery-v1.ts';
import { formatTime, type KubeObject } from '../../api/object.ts';
import { ENDPOINT_SLICES, NODES, PODS, SERVICES } from '../../api/resources.ts';
import { isNotFound } from '../../api/status.ts';
import { SERVICE_NAME_LABEL, SLICE_MANAGER_LABEL, TRIGGER_TIME_ANNOTATION } from '../../api/well-known.ts';
import { ALL_TENANTS } from '../../client/client.ts';
import { type Controller, watchOwn } from '../../client/controller.ts';
import { keyOf, type ObjectKey } from '../../client/informer.ts';
import { isSame } from '../common/canonical.ts';
import type { ControllerDependencies } from '../common/dependencies.ts';
import { byNamespace, namespaceOf, siblingKey } from '../common/owner.ts';
import { isNamespaceTerminating, messageOf } from '../common/pod-template.ts';
import { batchDelayMs, matchesService, selectsPods, servicePodHandlers } from '../common/service-pods.ts';
import { WrittenVersions } from '../common/written-versions.ts';
import { MANAGER, planSlices, type SlicePlan } from './plan.ts';
import { isTopologyAware, zoneSharesOf } from './topology.ts';

const component = 'endpoint-slice-controller';

const isManaged = (slice: KubeObject): boolean => slice.metadata.labels?.[SLICE_MANAGER_LABEL] === MANAGER;
const serviceKeyOf = (slice: KubeObject): ObjectKey =>
  siblingKey(slice, slice.metadata.labels?.[SERVICE_NAME_LABEL] ?? '');

const zoneFacts = ({ metadata, status }: Node) => [
  metadata.labels,
  status?.allocatable?.['cpu'],
  status?.conditions?.find(({ type }) => type === 'Ready')?.status,
];

/** Writes where a service's pods are into EndpointSlices. */
export function createEndpointSliceController(dependencies: ControllerDependencies): Controller {
  const { informers, client } = dependencies;
  const services = informers.informer<Service>(SERVICES, {
    tenant: ALL_TENANTS,
    indexes: {
      ...byNamespace,
      'topology-aware': (service) => (isTopologyAware(service) ? [service.metadata.clusterName ?? ''] : []),
    },
  });
  const pods = informers.informer<Pod>(PODS, { tenant: ALL_TENANTS, indexes: byNamespace });
  const nodes = informers.informer<Node>(NODES, {
    tenant: ALL_TENANTS,
    indexes: { tenant: ({ metadata }) => [metadata.clusterName ?? ''] },
  });
  const slices = informers.informer<EndpointSlice>(ENDPOINT_SLICES, {
    tenant: ALL_TENANTS,
    indexes: { managedFor: (slice) => (isManaged(slice) ? [serviceKeyOf(slice)] : []) },
  });
  const recorder = dependencies.recorder(component);
  const written = new WrittenVersions(slices, dependencies.clock);
  const podCounts = new Map<ObjectKey, number>();

  async function apply(key: ObjectKey, service: Service, plan: SlicePlan, nowMs: number): Promise<void> {
    const { clusterName, namespace } = service.metadata;
    const sliceClient = client.resource<EndpointSlice>(clusterName!, ENDPOINT_SLICES, namespace);
    const annotated = <T extends { metadata: { annotations?: Record<string, string> } }>(slice: T): T => ({
      ...slice,
      metadata: {
        ...slice.metadata,
        annotations: { ...slice.metadata.annotations, [TRIGGER_TIME_ANNOTATION]: formatTime(nowMs) },
      },
    });
    for (const slice of plan.create) {
      // Only endpoints are timed, not the placeholder.
      const body = slice.endpoints.length > 0 ? annotated(slice) : slice;
      written.wrote(key, await sliceClient.create(body as EndpointSlice));
    }
    for (const slice of plan.update) {
      const body = { ...annotated(slice), apiVersion: 'discovery.k8s.io/v1', kind: 'EndpointSlice' };
      written.wrote(key, await sliceClient.update(body));
    }
    for (const slice of plan.delete) {
      try {
        await sliceClient.delete(slice.metadata.name);
        written.deleted(key, slice);
      } catch (error) {
        if (!isNotFound(error)) throw error;
      }
    }
  }

  return {
    name: component,
    workers: 16,
    watches: [
      watchOwn(services, (service) => {
        written.forget(keyOf(service));
        podCounts.delete(keyOf(service));
      }),
      {
        informer: nodes,
        handlers: (queue) => {
          const wake = ({ metadata }: Node) => {
            for (const service of services.byIndex('topology-aware', metadata.clusterName ?? ''))
              queue.add(keyOf(service));
          };
          return {
            added: wake,
            updated: (before: Node, after: Node) => {
              // Not for each heartbeat.
              if (!isSame(zoneFacts(before), zoneFacts(after))) wake(after);
            },
            deleted: wake,
          };
        },
      },
      {
        informer: pods,
        handlers: (queue) =>
          servicePodHandlers(services, (key) => queue.addAfter(key, batchDelayMs(podCounts.get(key) ?? 0))),
      },
      {
        informer: slices,
        handlers: (queue) => ({
          added: (slice: EndpointSlice) => {
            if (isManaged(slice)) queue.add(serviceKeyOf(slice));
          },
          updated: (before: EndpointSlice, after: EndpointSlice) => {
            if (isManaged(before)) queue.add(serviceKeyOf(before));
            if (isManaged(after)) queue.add(serviceKeyOf(after));
          },
          deleted: (slice: EndpointSlice) => {
            if (!isManaged(slice)) return;
            written.observeDeletion(serviceKeyOf(slice), slice);
            queue.add(serviceKeyOf(slice));
          },
        }),
      },
    ],
    async reconcile(key, tools) {
      const service = services.get(key);
      if (service === undefined || !selectsPods(service) || service.metadata.deletionTimestamp !== undefined) return;
      if (written.isStale(key, tools.queue)) return;
      const selected = pods.byIndex('namespace', namespaceOf(service)).filter((pod) => matchesService(service, pod));
      podCounts.set(key, selected.length);
      const existing = slices
        .byIndex('managedFor', key)
        .filter((slice) => slice.metadata.deletionTimestamp === undefined);
      const nodeOf = (pod: Pod) => nodes.get(`${service.metadata.clusterName}//${pod.spec?.nodeName ?? ''}`);
      const shares = () => zoneSharesOf(nodes.byIndex('tenant', service.metadata.clusterName!));
      const plan = planSlices(service, selected, existing, nodeOf, shares);
      const target = { apiVersion: 'v1', kind: 'Service', metadata: service.metadata };
      for (const { type, reason, message } of plan.events) recorder.event(target, type, reason, message);
      try {
        await apply(key, service, plan, tools.now());
      } catch (error) {
        if (isNamespaceTerminating(error)) return;
        recorder.event(
          target,
          'Warning',
          'FailedToUpdateEndpointSlices',
          `Error updating Endpoint Slices for Service ${service.metadata.namespace}/${service.metadata.name}: ${messageOf(error)}`,
        );
        throw error;
      }
    },
  };
}
