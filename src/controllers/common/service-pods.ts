import type { Pod, Service } from '../../api/generated/core-v1.ts';
import { type Informer, type InformerHandlers, keyOf, type ObjectKey } from '../../client/informer.ts';
import { isSame } from './canonical.ts';
import { containsLabels } from './label-selector.ts';
import { namespaceOf } from './owner.ts';
import { isPodReady, isPodTerminal } from './pod-state.ts';

/** The services whose endpoints come from their pods: those with a selector, ExternalName aside. */
export function selectsPods(service: Service): boolean {
  return service.spec?.selector !== undefined && service.spec.type !== 'ExternalName';
}

export function matchesService(service: Service, pod: Pod): boolean {
  return selectsPods(service) && containsLabels(pod.metadata.labels, service.spec!.selector);
}

/** Whether a pod counts at all: it has an address and has not ended. */
export function hasEndpoint(pod: Pod, includeTerminating: boolean): boolean {
  if (isPodTerminal(pod)) return false;
  if ((pod.status?.podIP ?? '') === '' && (pod.status?.podIPs ?? []).length === 0) return false;
  return includeTerminating || pod.metadata.deletionTimestamp === undefined;
}

function changesEndpoints(before: Pod, after: Pod): boolean {
  return (
    before.metadata.deletionTimestamp !== after.metadata.deletionTimestamp ||
    isPodReady(before) !== isPodReady(after) ||
    isPodTerminal(before) !== isPodTerminal(after) ||
    before.status?.podIP !== after.status?.podIP ||
    !isSame(before.status?.podIPs, after.status?.podIPs)
  );
}

const changesMembership = (before: Pod, after: Pod): boolean =>
  !isSame(before.metadata.labels, after.metadata.labels) ||
  before.spec?.hostname !== after.spec?.hostname ||
  before.spec?.subdomain !== after.spec?.subdomain;

/** Calls `wake` with the keys of the services a pod's change matters to. `services` is indexed by namespace. */
export function servicePodHandlers(
  services: Informer<Service>,
  wake: (serviceKey: ObjectKey) => void,
): InformerHandlers<Pod> {
  const wakeAll = (pod: Pod) => {
    for (const service of services.byIndex('namespace', namespaceOf(pod))) {
      if (matchesService(service, pod)) wake(keyOf(service));
    }
  };
  return {
    added: wakeAll,
    updated(before, after) {
      if (changesMembership(before, after)) {
        wakeAll(before);
        wakeAll(after);
      } else if (changesEndpoints(before, after)) {
        wakeAll(after);
      }
    },
    deleted: wakeAll,
  };
}

/** How long changes of a service's pods are gathered: the more pods, the dearer each look. */
export function batchDelayMs(podCount: number): number {
  return Math.min(1000, Math.floor(podCount / 10));
}

/** The number of a service port on a pod; undefined when the pod has no port of the name asked for. */
export function targetPortOf(
  port: { port: number; protocol?: string; targetPort?: number | string },
  pod: Pod,
): number | undefined {
  const target = port.targetPort ?? port.port;
  if (typeof target === 'number') return target === 0 ? port.port : target;
  const sidecars = (pod.spec?.initContainers ?? []).filter((container) => container.restartPolicy === 'Always');
  for (const container of [...(pod.spec?.containers ?? []), ...sidecars]) {
    for (const candidate of container.ports ?? []) {
      const sameProtocol = (candidate.protocol ?? 'TCP') === (port.protocol ?? 'TCP');
      if (candidate.name === target && sameProtocol) return candidate.containerPort;
    }
  }
  return undefined;
}

export const isHeadless = (service: Service): boolean =>
  service.spec?.clusterIP === undefined || service.spec.clusterIP === '' || service.spec.clusterIP === 'None';

/** A pod's own hostname shows in the service that is its subdomain. */
export const hostnameIn = (service: Service, pod: Pod): string | undefined =>
  (pod.spec?.hostname ?? '') !== '' && pod.spec?.subdomain === service.metadata.name ? pod.spec.hostname : undefined;
