import type { ContainerInstance, Host, InstancePlacer } from '../../api/pool.ts';
import { CONTAINER_INSTANCES, HOSTS } from '../../api/resources.ts';
import type { Clock } from '../../base/clock.ts';
import { type Client, SYSTEM_TENANT } from '../../client/client.ts';
import { type InformerFactory, keyOf } from '../../client/informer.ts';
import type { ClusterChange } from '../framework/plugin.ts';
import { Scheduler, type SchedulerOptions } from '../framework/scheduler.ts';
import { isEnded, type Overcommit, PoolSnapshot, zonesOf } from '../snapshot/pool-snapshot.ts';
import { poolProfile } from './pool.ts';

interface Dependencies {
  informers: InformerFactory;
  client: Client;
  clock: Clock;
  overcommit?: Overcommit;
}

/** Keeps the pool's snapshot and the queue of instances without a host. */
export function watchPool({ informers, client, clock, overcommit }: Dependencies, options: SchedulerOptions) {
  const instances = informers.informer<ContainerInstance>(CONTAINER_INSTANCES, { tenant: SYSTEM_TENANT });
  const hosts = informers.informer<Host>(HOSTS, { tenant: SYSTEM_TENANT });
  const snapshot = new PoolSnapshot(overcommit);
  const scheduler = new Scheduler(poolProfile({ client, clock, snapshot }), options);

  // Partitions of the queue are zones: room in one helps nobody who waits for another.
  const changed = (zones: Iterable<string>, change: ClusterChange) => {
    for (const zone of zones) scheduler.clusterChanged(zone, change);
  };
  const released = (instance: ContainerInstance) => {
    const hostName = snapshot.hostOf(instance.metadata.uid);
    if (hostName === undefined) return;
    snapshot.removeInstance(instance.metadata.uid);
    changed(snapshot.hosts.get(hostName)?.zones ?? [], 'unitRemoved');
  };
  const instanceChanged = (instance: ContainerInstance) => {
    const key = keyOf(instance);
    const { hostName, zone } = instance.spec;
    if (hostName !== undefined && hostName !== '') {
      scheduler.queue.remove(key);
      if (isEnded(instance)) return released(instance);
      if (snapshot.hostOf(instance.metadata.uid) !== hostName) {
        snapshot.removeInstance(draftUid(instance));
        snapshot.setInstance(instance, hostName);
      }
      return;
    }
    if (instance.metadata.deletionTimestamp !== undefined) {
      scheduler.queue.remove(key);
      return released(instance);
    }
    if (scheduler.queue.has(key)) return scheduler.queue.refresh(key, instance);
    scheduler.queue.add(key, instance, zone, instance.spec.pod.priority ?? 0);
  };

  instances.addHandlers({
    added: instanceChanged,
    updated: (_, after) => instanceChanged(after),
    deleted: (instance) => {
      scheduler.queue.remove(keyOf(instance));
      released(instance);
    },
  });
  hosts.addHandlers({
    added: (host) => {
      snapshot.setHost(host);
      changed(zonesOf(host), 'targetAdded');
    },
    updated: (before, after) => {
      snapshot.setHost(after);
      if (hostFacts(before) !== hostFacts(after)) changed(zonesOf(after), 'targetUpdated');
    },
    deleted: (host) => {
      snapshot.removeHost(host.metadata.name);
    },
  });

  const placer: InstancePlacer = {
    place(draft) {
      const uid = draftUid(draft);
      const unit = { ...draft, metadata: { ...draft.metadata, uid } } as ContainerInstance;
      const hostName = scheduler.placeAhead(unit)?.name;
      if (hostName === undefined) return undefined;
      return {
        hostName,
        settle(instance) {
          if (!snapshot.removeInstance(uid)) return;
          if (instance === undefined) changed(snapshot.hosts.get(hostName)?.zones ?? [], 'unitRemoved');
          else snapshot.setInstance(instance, hostName);
        },
      };
    },
  };
  return { scheduler, informers: [instances, hosts], snapshot, placer };
}

/** Under which an instance counts until the informer shows it, with the uid that it then has. */
const draftUid = ({ metadata }: { metadata: { name: string; namespace?: string } }): string =>
  `${metadata.namespace}/${metadata.name}`;

/** What filters read of a host. */
const hostFacts = ({ metadata, spec, status }: Host): string =>
  JSON.stringify([
    metadata.deletionTimestamp,
    zonesOf({ metadata, spec }),
    spec.unschedulable,
    status?.allocatable,
    status?.conditions?.find(({ type }) => type === 'Ready')?.status,
  ]);
