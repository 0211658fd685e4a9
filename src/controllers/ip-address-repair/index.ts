import type { Service } from '../../api/generated/core-v1.ts';
import type { IPAddress } from '../../api/generated/networking-v1.ts';
import { VPC_API_ADDRESS } from '../../api/pool.ts';
import { IP_ADDRESSES, SERVICES } from '../../api/resources.ts';
import { IP_FAMILY_LABEL, ipAddressLabels } from '../../api/service-addresses.ts';
import { isNotFound } from '../../api/status.ts';
import { ipFamilyOf, isIpAddress } from '../../api/validation/networking/ip-address.ts';
import { ALL_TENANTS } from '../../client/client.ts';
import { type Controller, type ReconcileTools, watchOwn } from '../../client/controller.ts';
import { keyOf } from '../../client/informer.ts';
import type { ControllerDependencies } from '../common/dependencies.ts';
import { splitKey } from '../common/owner.ts';
import { isAllocated, ServiceRanges } from '../common/service-ranges.ts';

const component = 'ipallocator-repair-controller';

/** An IPAddress without its service stays so long: whoever makes both may still be at it. */
const leakGraceMs = 60_000;
const wrongReferenceGraceMs = 5000;

/**
 * Services and the IPAddresses that claim their addresses say the same. The API server writes both in one transaction;
 * this mends what tenants change or delete by hand. Source: pkg/registry/core/service/ipallocator/controller/repairip.go.
 */
export function createIpAddressRepairController(dependencies: ControllerDependencies): Controller {
  const { informers, client } = dependencies;
  const recorder = dependencies.recorder(component);
  const ranges = new ServiceRanges(informers);
  const services = informers.informer<Service>(SERVICES, {
    tenant: ALL_TENANTS,
    indexes: {
      clusterIP: (service) => addressesOf(service).map((address) => `${service.metadata.clusterName}//${address}`),
    },
  });

  const ofTenant = (tenant: string) => client.resource<IPAddress>(tenant, IP_ADDRESSES);
  const warnService = (service: Service, reason: string, message: string, action = 'ClusterIPAllocation') =>
    recorder.event(
      { apiVersion: 'v1', kind: 'Service', metadata: service.metadata },
      'Warning',
      reason,
      message,
      undefined,
      action,
    );
  const warnAddress = (address: IPAddress, reason: string, message: string) => {
    const target = { apiVersion: 'networking.k8s.io/v1', kind: 'IPAddress', metadata: address.metadata };
    recorder.event(target, 'Warning', reason, message, undefined, 'IPAddressAllocation');
  };

  async function remove(address: IPAddress): Promise<void> {
    const { name, uid, clusterName = '' } = address.metadata;
    try {
      await ofTenant(clusterName).delete(name, { preconditions: { uid } });
    } catch (error) {
      if (!isNotFound(error)) throw error;
    }
  }

  async function create(address: string, service: Service): Promise<void> {
    const { clusterName = '', namespace = '', name } = service.metadata;
    await ofTenant(clusterName).create({
      metadata: { name: address, labels: ipAddressLabels(ipFamilyOf(address)) },
      spec: { parentRef: { group: '', resource: 'services', namespace, name } },
    });
  }

  /** Both sides of a claim change at once and are heard of one after the other: only the server's word is acted on. */
  async function current(tenant: string, address: string): Promise<IPAddress | undefined> {
    try {
      return await ofTenant(tenant).get(address);
    } catch (error) {
      if (isNotFound(error)) return undefined;
      throw error;
    }
  }

  async function isStill(service: Service): Promise<boolean> {
    try {
      const { metadata, spec } = await client.for<Service>(SERVICES, service).get(service.metadata.name);
      const isSame = addressesOf({ metadata, spec } as Service).join() === addressesOf(service).join();
      return metadata.uid === service.metadata.uid && isSame;
    } catch (error) {
      if (isNotFound(error)) return false;
      throw error;
    }
  }

  async function syncService(service: Service, address: string): Promise<void> {
    const { clusterName: tenant = '', namespace = '', name } = service.metadata;
    if (!isIpAddress(address)) {
      const message = `Cluster IP ${address} is not a valid IP; please recreate Service`;
      warnService(service, 'ClusterIPNotValid', message, 'ClusterIPValidation');
      return;
    }
    const family = ipFamilyOf(address);
    if (ranges.containing(tenant, address).length === 0) {
      const message = `Cluster IP [${family}]: ${address} is not within any configured Service CIDR; please recreate service`;
      warnService(service, 'ClusterIPOutOfRange', message);
      return;
    }
    const claim = ranges.addresses.get(`${tenant}//${address}`);
    if (claim === undefined) {
      // Claimed in every tenant from the start.
      if (address === VPC_API_ADDRESS) return;
      if (!(await isStill(service)) || (await current(tenant, address)) !== undefined) return;
      warnService(service, 'ClusterIPNotAllocated', `Cluster IP [${family}]: ${address} is not allocated; repairing`);
      await create(address, service);
      return;
    }
    const parent = claim.spec?.parentRef;
    const isReferenced = parent?.namespace === namespace && parent.name === name;
    const isService = !parent?.group && parent?.resource === 'services';
    const other = isService ? services.get(`${tenant}/${parent.namespace}/${parent.name}`) : undefined;
    const isWrong = !isService || (!isReferenced && other === undefined);
    const isLabeled = isAllocated(claim) && claim.metadata.labels?.[IP_FAMILY_LABEL] === family;
    if (!isWrong && isReferenced && isLabeled) return;
    if (!(await isStill(service)) || (await current(tenant, address))?.metadata.uid !== claim.metadata.uid) return;
    if (isWrong) {
      const message = `the ClusterIP [${family}]: ${address} for Service ${namespace}/${name} has a wrong reference; repairing`;
      warnService(service, 'ClusterIPNotAllocated', message);
    } else {
      if (!isReferenced && other !== undefined && addressesOf(other).includes(address)) {
        const message = `Cluster IP [${family}]:${address} was assigned to multiple services; please recreate service`;
        warnService(service, 'ClusterIPAlreadyAllocated', message);
      }
      if (isLabeled) return;
    }
    await remove(claim);
    await create(address, service);
  }

  async function syncAddress(address: IPAddress, key: string, { queue, now }: ReconcileTools): Promise<void> {
    if (!isAllocated(address)) return;
    const { name, clusterName: tenant = '', creationTimestamp } = address.metadata;
    const parent = address.spec?.parentRef;
    if (parent?.group || parent?.resource !== 'services') {
      const reference = `&ParentReference{Group:${parent?.group ?? ''},Resource:${parent?.resource ?? ''},Namespace:${parent?.namespace ?? ''},Name:${parent?.name ?? ''},}`;
      const message = `IPAddress ${name} appears to have been modified, not referencing a Service ${reference}: cleaning up`;
      warnAddress(address, 'IPAddressNotAllocated', message);
      await remove(address);
      return;
    }
    const service = services.get(`${tenant}/${parent.namespace}/${parent.name}`);
    const ageMs = now() - Date.parse(creationTimestamp ?? '');
    const waits = (graceMs: number): boolean => {
      if (ageMs <= graceMs) queue.addAfter(key, graceMs - ageMs + 1);
      return ageMs <= graceMs;
    };
    const forService = `IPAddress: ${name} for Service ${parent.namespace}/${parent.name}`;
    if (service === undefined) {
      if (waits(leakGraceMs)) return;
      warnAddress(address, 'IPAddressNotAllocated', `${forService} appears to have leaked: cleaning up`);
      await remove(address);
      return;
    }
    if (addressesOf(service).includes(name)) return;
    if (service.spec?.type === 'ExternalName' && waits(leakGraceMs)) return;
    const isYounger = Date.parse(creationTimestamp ?? '') > Date.parse(service.metadata.creationTimestamp ?? '');
    if (isYounger && waits(wrongReferenceGraceMs)) return;
    if ((await current(tenant, name))?.metadata.uid !== address.metadata.uid) return;
    warnAddress(address, 'IPAddressWrongReference', `${forService} has a wrong reference; cleaning up`);
    await remove(address);
  }

  return {
    name: component,
    workers: 5,
    watches: [
      {
        informer: services,
        // A key is an address in a tenant: both sides of a claim are looked at by one worker.
        handlers: (queue) => {
          const wake = (service: Service) => {
            for (const address of addressesOf(service)) queue.add(`${service.metadata.clusterName}//${address}`);
          };
          return {
            added: wake,
            updated: (before: Service, after: Service) => {
              if (addressesOf(before).join() !== addressesOf(after).join()) wake(before);
              wake(after);
            },
            deleted: wake,
          };
        },
      },
      watchOwn(ranges.addresses, (address, queue) => queue.add(keyOf(address))),
    ],
    reads: [ranges.cidrs],
    async reconcile(key, tools) {
      const { name } = splitKey(key);
      for (const service of services.byIndex('clusterIP', key)) await syncService(service, name);
      const address = ranges.addresses.get(key);
      if (address !== undefined) await syncAddress(address, key, tools);
    },
  };
}

function addressesOf({ spec }: Service): string[] {
  if (spec?.type === 'ExternalName' || !spec?.clusterIP || spec.clusterIP === 'None') return [];
  return spec.clusterIPs ?? [spec.clusterIP];
}
