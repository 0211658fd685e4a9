import { formatTime } from '../../api/object.ts';
import type { ContainerInstance } from '../../api/pool.ts';
import { CONTAINER_INSTANCES } from '../../api/resources.ts';
import { isNotFound, StatusError } from '../../api/status.ts';
import type { Clock } from '../../base/clock.ts';
import type { Client } from '../../client/client.ts';
import { hostReady } from '../filter/host-ready.ts';
import { hostResources } from '../filter/host-resources.ts';
import { hostZone } from '../filter/host-zone.ts';
import type { Profile } from '../framework/scheduler.ts';
import { imageLocality } from '../score/image-locality.ts';
import { leastAllocated } from '../score/least-allocated.ts';
import type { HostInfo, PoolSnapshot } from '../snapshot/pool-snapshot.ts';

export interface PoolProfileOptions {
  client: Client;
  clock: Clock;
  snapshot: PoolSnapshot;
}

/**
 * A container instance -> a host. Tells only the instance: its PodScheduled condition; virtual-node/ tells the tenant
 * what of it concerns them.
 */
export function poolProfile(options: PoolProfileOptions): Profile<ContainerInstance, HostInfo, PoolSnapshot> {
  const { client, clock, snapshot } = options;
  return {
    name: 'pool',
    noun: 'hosts',
    filters: [hostZone, hostReady, hostResources],
    scores: [imageLocality, leastAllocated],
    // Instances lie in namespaces named for their tenants.
    tenantOf: ({ metadata }) => metadata.namespace ?? '',
    view: () => ({ view: snapshot, targets: snapshot.targets }),
    assume: (instance, target) => snapshot.setInstance(instance, target.name),
    forget: (instance) => {
      snapshot.removeInstance(instance.metadata.uid);
    },
    async bind(instance, target) {
      const { name, namespace, uid } = instance.metadata;
      await client.for(CONTAINER_INSTANCES, instance).createSubresource(name, 'binding', {
        apiVersion: 'v1',
        kind: 'Binding',
        metadata: { name, namespace, uid },
        target: { apiVersion: 'pool.skypod.io/v1alpha1', kind: 'Host', name: target.name },
      });
    },
    // The host that takes it on reports from here.
    reportPlaced() {},
    async reportUnschedulable(instance, message) {
      const conditions = instance.status?.conditions ?? [];
      const before = conditions.find((condition) => condition.type === 'PodScheduled');
      if (before?.status === 'False' && before.message === message) return;
      const condition = {
        type: 'PodScheduled',
        status: 'False' as const,
        reason: 'Unschedulable',
        message,
        lastTransitionTime: before?.lastTransitionTime ?? formatTime(clock.now()),
      };
      const { name, uid } = instance.metadata;
      // Nobody else writes the status of an instance without a host, so replacing the list loses nothing.
      const others = conditions.filter((other) => other.type !== 'PodScheduled');
      await client
        .for(CONTAINER_INSTANCES, instance)
        .patch(
          name,
          'merge',
          { metadata: { uid }, status: { phase: 'Pending', conditions: [...others, condition] } },
          'status',
        );
    },
    isFinal: (error) => isNotFound(error) || (error instanceof StatusError && error.code === 409),
  };
}
