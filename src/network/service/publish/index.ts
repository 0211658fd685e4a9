import { isDeepStrictEqual } from 'node:util';
import type { Service } from '../../../api/generated/core-v1.ts';
import type { EndpointSlice } from '../../../api/generated/discovery-v1.ts';
import type { VpcService } from '../../../api/pool.ts';
import { ENDPOINT_SLICES, SERVICES, VPC_SERVICES } from '../../../api/resources.ts';
import { isNotFound } from '../../../api/status.ts';
import { SERVICE_NAME_LABEL } from '../../../api/well-known.ts';
import { ALL_TENANTS, SYSTEM_TENANT } from '../../../client/client.ts';
import type { Controller } from '../../../client/controller.ts';
import { watchKeys } from '../../../client/controller.ts';
import { type InformerFactory, keyOf } from '../../../client/informer.ts';
import { type NodeAddresses, vpcServiceSpec } from './vpc-service.ts';

/**
 * Runs in the control plane: every tenant's Services and EndpointSlices become VpcServices in the system tenant, where
 * hosts that carry the tenant read them. Keys are the services' (`tenant/namespace/name`).
 */
export function createServicePublisher(options: {
  informers: InformerFactory;
  /** Addresses in every VPC by virtual nodes' names; without them external traffic policies mean nothing. */
  nodeAddresses?: NodeAddresses;
  /** Their zones by virtual nodes' names; without them hints for zones mean nothing. */
  nodeZones?: ReadonlyMap<string, string>;
}): Controller {
  const { informers, nodeAddresses, nodeZones } = options;
  const services = informers.informer<Service>(SERVICES, { tenant: ALL_TENANTS });
  const slices = informers.informer<EndpointSlice>(ENDPOINT_SLICES, {
    tenant: ALL_TENANTS,
    indexes: { service: serviceKeysOf },
  });
  const published = informers.informer<VpcService>(VPC_SERVICES, { tenant: SYSTEM_TENANT });

  return {
    name: 'vpc-service-publisher',
    workers: 16,
    watches: [
      watchKeys(services, (service) => [keyOf(service)]),
      watchKeys(slices, serviceKeysOf),
      watchKeys(published, publishedKeysOf),
    ],
    async reconcile(key) {
      const [tenant, namespace, name] = key.split('/') as [string, string, string];
      const client = informers.client.resource<VpcService>(SYSTEM_TENANT, VPC_SERVICES, tenant);
      const publishedName = `${namespace}.${name}`;
      const existing = published.get(`${SYSTEM_TENANT}/${tenant}/${publishedName}`);
      const service = services.get(key);
      if (service === undefined) {
        if (existing === undefined || existing.metadata.deletionTimestamp !== undefined) return;
        await client.delete(publishedName, { preconditions: { uid: existing.metadata.uid } }).catch((error) => {
          if (!isNotFound(error)) throw error;
        });
        return;
      }
      const spec = vpcServiceSpec(service, slices.byIndex('service', key), nodeAddresses, nodeZones);
      if (existing === undefined) {
        await client.create({
          apiVersion: `${VPC_SERVICES.group}/${VPC_SERVICES.version}`,
          kind: 'VpcService',
          metadata: { name: publishedName, namespace: tenant },
          spec,
        });
      } else if (!isDeepStrictEqual(existing.spec, spec)) {
        await client.update({ ...existing, spec });
      }
    },
  };
}

function serviceKeysOf(slice: EndpointSlice): string[] {
  const { clusterName = '', namespace = '', labels } = slice.metadata;
  const name = labels?.[SERVICE_NAME_LABEL];
  return name === undefined ? [] : [`${clusterName}/${namespace}/${name}`];
}

/** Names of namespaces hold no dot, so the first one ends it. */
function publishedKeysOf({ metadata: { namespace = '', name } }: VpcService): string[] {
  const dot = name.indexOf('.');
  return dot < 0 ? [] : [`${namespace}/${name.slice(0, dot)}/${name.slice(dot + 1)}`];
}
