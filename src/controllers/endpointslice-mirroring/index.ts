import type { Endpoints, Service } from '../../api/generated/core-v1.ts';
import type { EndpointSlice } from '../../api/generated/discovery-v1.ts';
import { ENDPOINT_SLICES, ENDPOINTS, SERVICES } from '../../api/resources.ts';
import { isNotFound } from '../../api/status.ts';
import { SERVICE_NAME_LABEL, SLICE_MANAGER_LABEL } from '../../api/well-known.ts';
import { ALL_TENANTS } from '../../client/client.ts';
import { type Controller, type ControllerQueue, watchOwn } from '../../client/controller.ts';
import { keyOf, type ObjectKey } from '../../client/informer.ts';
import type { ControllerDependencies } from '../common/dependencies.ts';
import { siblingKey } from '../common/owner.ts';
import { isNamespaceTerminating } from '../common/pod-template.ts';
import { WrittenVersions } from '../common/written-versions.ts';
import { isMirrored, MIRRORER, planMirror } from './mirror.ts';

const component = 'endpointslice-mirroring-controller';

/** Endpoints written by hand, for services without a selector, become EndpointSlices: those are what is routed by. */
export function createEndpointSliceMirroringController(dependencies: ControllerDependencies): Controller {
  const { informers, client } = dependencies;
  const services = informers.informer<Service>(SERVICES, { tenant: ALL_TENANTS });
  const endpoints = informers.informer<Endpoints>(ENDPOINTS, { tenant: ALL_TENANTS });
  const mirrorKeys = (slice: EndpointSlice): string[] =>
    slice.metadata.labels?.[SLICE_MANAGER_LABEL] === MIRRORER
      ? [siblingKey(slice, slice.metadata.labels[SERVICE_NAME_LABEL] ?? '')]
      : [];
  const slices = informers.informer<EndpointSlice>(ENDPOINT_SLICES, {
    tenant: ALL_TENANTS,
    indexes: { mirrorOf: mirrorKeys },
  });
  const recorder = dependencies.recorder(component);
  const written = new WrittenVersions(slices, dependencies.clock);

  /** Of what was left out of whose slices: the version of the Endpoints it was told of. */
  const told = new Map<ObjectKey, string>();

  const wakeFor = (slice: EndpointSlice, queue: ControllerQueue) => {
    for (const key of mirrorKeys(slice)) queue.add(key);
  };

  return {
    name: component,
    workers: 8,
    watches: [
      watchOwn(endpoints, (object, queue) => {
        told.delete(keyOf(object));
        queue.add(keyOf(object));
      }),
      {
        informer: services,
        handlers: (queue) => ({
          added: (service: Service) => queue.add(keyOf(service)),
          updated: (before: Service, after: Service) => {
            const had = before.spec?.selector === undefined;
            if (had !== (after.spec?.selector === undefined)) queue.add(keyOf(after));
          },
          deleted: (service: Service) => queue.add(keyOf(service)),
        }),
      },
      {
        informer: slices,
        handlers: (queue) => ({
          updated: (_: EndpointSlice, slice: EndpointSlice) => wakeFor(slice, queue),
          added: (slice: EndpointSlice) => wakeFor(slice, queue),
          deleted: (slice: EndpointSlice) => {
            for (const key of mirrorKeys(slice)) written.observeDeletion(key, slice);
            wakeFor(slice, queue);
          },
        }),
      },
    ],
    async reconcile(key, tools) {
      if (written.isStale(key, tools.queue)) return;
      const object = endpoints.get(key);
      const service = services.get(key);
      const existing = slices
        .byIndex('mirrorOf', key)
        .filter((slice) => slice.metadata.deletionTimestamp === undefined);
      const mirrors =
        object !== undefined && isMirrored(object) && service !== undefined && service.spec?.selector === undefined;
      const plan = mirrors
        ? planMirror(object, existing)
        : { create: [], update: [], delete: existing, invalid: 0, skipped: 0 };
      const [tenant = '', namespace = ''] = key.split('/');
      const sliceClient = client.resource<EndpointSlice>(tenant, ENDPOINT_SLICES, namespace);
      const warn = (reason: string, message: string) =>
        recorder.event({ apiVersion: 'v1', kind: 'Endpoints', metadata: object!.metadata }, 'Warning', reason, message);
      try {
        for (const slice of plan.create)
          written.wrote(key, withTenant(await sliceClient.create(slice as EndpointSlice), tenant));
        for (const slice of plan.update) {
          const body = { ...slice, apiVersion: 'discovery.k8s.io/v1', kind: 'EndpointSlice' };
          written.wrote(key, withTenant(await sliceClient.update(body), tenant));
        }
        for (const slice of plan.delete) {
          try {
            await sliceClient.delete(slice.metadata.name);
            written.deleted(key, slice);
          } catch (error) {
            if (!isNotFound(error)) throw error;
          }
        }
      } catch (error) {
        if (!isNamespaceTerminating(error)) throw error;
      }
      // Once a change of what is mirrored, not of what came of it.
      if (!mirrors || told.get(key) === object.metadata.resourceVersion) return;
      if (plan.skipped > 0) told.set(key, object.metadata.resourceVersion);
      if (plan.invalid > 0) {
        warn('InvalidIPAddress', `Skipped ${plan.invalid} invalid IP addresses when mirroring to EndpointSlices`);
      }
      if (plan.skipped > plan.invalid) {
        const message = `A max of 1000 addresses can be mirrored to EndpointSlices per Endpoints subset. ${plan.skipped} addresses were skipped`;
        warn('TooManyAddressesToMirror', message);
      }
    },
  };
}

const withTenant = (slice: EndpointSlice, clusterName: string): EndpointSlice => ({
  ...slice,
  metadata: { ...slice.metadata, clusterName },
});
