import type { ReplicaSet } from '../../api/generated/apps-v1.ts';
import type { Pod } from '../../api/generated/core-v1.ts';
import type { GroupVersionResource } from '../../api/object.ts';
import { PODS, REPLICA_SETS } from '../../api/resources.ts';
import { ALL_TENANTS } from '../../client/client.ts';
import { type Controller, type ControllerQueue, watchOwn } from '../../client/controller.ts';
import { Expectations } from '../../client/expectations.ts';
import { type InformerHandlers, keyOf } from '../../client/informer.ts';
import type { ControllerDependencies } from '../common/dependencies.ts';
import { compileSelector } from '../common/label-selector.ts';
import { PodTally } from '../common/owned-pods.ts';
import { byController, byNamespace, controllerOf, namespaceOf, siblingKey } from '../common/owner.ts';
import { isPodReady } from '../common/pod-state.ts';
import { type ReplicaSetKind, reconcileReplicaSet } from './reconcile.ts';

const replicaSetKind: ReplicaSetKind = {
  resource: REPLICA_SETS,
  apiVersion: 'apps/v1',
  kind: 'ReplicaSet',
  component: 'replicaset-controller',
  selectorOf: (owner) => compileSelector((owner as ReplicaSet).spec.selector),
  reportsTerminating: true,
};

const replicationControllers: GroupVersionResource = { group: '', version: 'v1', resource: 'replicationcontrollers' };

/** The same loop: a ReplicationController's selector is a plain map, defaulted from its template. */
export const replicationControllerKind: ReplicaSetKind = {
  resource: replicationControllers,
  apiVersion: 'v1',
  kind: 'ReplicationController',
  component: 'replication-controller',
  selectorOf: (owner) => {
    const matchLabels = owner.spec.selector as unknown as Record<string, string> | undefined;
    return compileSelector({ matchLabels: matchLabels ?? owner.spec.template?.metadata?.labels ?? {} });
  },
  reportsTerminating: false,
};

/**
 * Changes of a large set's pods are looked at together: each look costs a status write, of the set and then of its
 * Deployment. The larger the set, the less one pod more tells.
 */
const largeSet = 50;
const batchMs = (size: number): number => Math.min(100, 20 + size / 25);

/** Keeps as many pods as each ReplicaSet (or ReplicationController) asks for. */
export function createReplicaSetController(
  dependencies: ControllerDependencies,
  kind: ReplicaSetKind = replicaSetKind,
): Controller {
  const { informers, clock } = dependencies;
  const owners = informers.informer<ReplicaSet>(kind.resource, { tenant: ALL_TENANTS, indexes: byNamespace });
  const pods = informers.informer<Pod>(PODS, { tenant: ALL_TENANTS, indexes: byController });
  const tally = new PodTally();
  const expectations = new Expectations(clock);
  const recorder = dependencies.recorder(kind.component);

  const ownerUidOf = (pod: Pod): string | undefined => {
    const reference = controllerOf(pod);
    return reference?.kind === kind.kind && reference.apiVersion === kind.apiVersion ? reference.uid : undefined;
  };

  function podHandlers(queue: ControllerQueue): InformerHandlers<Pod> {
    const wake = (pod: Pod, isUrgent: boolean) => {
      const reference = controllerOf(pod);
      if (reference === undefined) {
        if (pod.metadata.deletionTimestamp !== undefined) return;
        for (const owner of owners.byIndex('namespace', namespaceOf(pod))) {
          if (kind.selectorOf(owner)(pod.metadata.labels)) queue.add(keyOf(owner));
        }
      } else if (reference.kind === kind.kind) {
        const key = siblingKey(pod, reference.name);
        const { size } = tally.of(reference.uid).active;
        if (isUrgent || size < largeSet) queue.add(key);
        else queue.addAfter(key, batchMs(size));
      }
    };
    const observeDeletion = (pod: Pod) => {
      const uid = ownerUidOf(pod);
      if (uid !== undefined) expectations.deletionObserved(uid, pod.metadata.uid);
    };
    return {
      added(pod) {
        const uid = ownerUidOf(pod);
        tally.add(uid, pod);
        if (uid !== undefined) {
          if (pod.metadata.deletionTimestamp === undefined) expectations.creationsObserved(uid);
          else expectations.deletionObserved(uid, pod.metadata.uid);
        }
        wake(pod, uid !== undefined && expectations.satisfied(uid));
      },
      updated(before, after) {
        tally.update(ownerUidOf(before), before, ownerUidOf(after), after);
        if (after.metadata.deletionTimestamp !== undefined) observeDeletion(after);
        if (controllerOf(before)?.uid !== controllerOf(after)?.uid && controllerOf(before) !== undefined) {
          wake(before, false);
        }
        wake(after, false);
        const uid = ownerUidOf(after);
        if (uid === undefined || isPodReady(before) || !isPodReady(after)) return;
        const owner = owners.get(siblingKey(after, controllerOf(after)!.name));
        const minReadySeconds = owner?.spec.minReadySeconds ?? 0;
        if (owner !== undefined && minReadySeconds > 0) queue.addAfter(keyOf(owner), minReadySeconds * 1000);
      },
      deleted(pod) {
        tally.remove(ownerUidOf(pod), pod);
        observeDeletion(pod);
        if (controllerOf(pod) !== undefined) wake(pod, false);
      },
    };
  }

  return {
    name: kind.component,
    workers: 32,
    watches: [
      watchOwn(owners, (owner) => expectations.forget(owner.metadata.uid)),
      { informer: pods, handlers: podHandlers },
    ],
    async reconcile(key, tools) {
      const owner = owners.get(key);
      if (owner === undefined) return;
      await reconcileReplicaSet(
        {
          kind,
          client: dependencies.client,
          recorder,
          expectations,
          podsOf: (uid) => tally.of(uid),
          orphansIn: (namespace) => pods.byIndex('controller', `orphans of ${namespace}`),
          relatedTo: (set) => relatedPods(set),
        },
        owner,
        tools,
      );
    },
  };

  /** Pods of all sets that have the same controller (the sets of one Deployment), for spreading the removal. */
  function* relatedPods(set: ReplicaSet): Generator<Pod> {
    const deploymentUid = controllerOf(set)?.uid;
    if (deploymentUid === undefined) {
      yield* tally.of(set.metadata.uid).active.values();
      return;
    }
    for (const sibling of owners.byIndex('namespace', namespaceOf(set))) {
      if (controllerOf(sibling)?.uid === deploymentUid) yield* tally.of(sibling.metadata.uid).active.values();
    }
  }
}
