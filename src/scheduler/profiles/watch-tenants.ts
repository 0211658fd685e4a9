import type { Namespace, Node, PersistentVolumeClaim, Pod } from '../../api/generated/core-v1.ts';
import type { PodDisruptionBudget } from '../../api/generated/policy-v1.ts';
import type { GroupVersionResource, KubeObject } from '../../api/object.ts';
import { NAMESPACES, NODES, PERSISTENT_VOLUME_CLAIMS, PODS } from '../../api/resources.ts';
import type { Clock } from '../../base/clock.ts';
import { ALL_TENANTS, type Client } from '../../client/client.ts';
import type { EventRecorder } from '../../client/event-recorder.ts';
import { type InformerFactory, keyOf } from '../../client/informer.ts';
import type { PodView } from '../filter/types.ts';
import { Scheduler, type SchedulerOptions } from '../framework/scheduler.ts';
import { labelSelectorMatches } from '../snapshot/selector.ts';
import { isFinished, type PlacedPod, placedPodOf, startOf, TenantSnapshot } from '../snapshot/tenant-snapshot.ts';
import { virtualNodeProfile } from './virtual-node.ts';

const SCHEDULER_NAME = 'default-scheduler';
const BY_TENANT = 'tenant';
const BY_NAMESPACE = 'namespace';
const BUDGETS: GroupVersionResource = { group: 'policy', version: 'v1', resource: 'poddisruptionbudgets' };
const RESOURCE_CLAIMS: GroupVersionResource = { group: 'resource.k8s.io', version: 'v1', resource: 'resourceclaims' };
const byNamespace = {
  [BY_NAMESPACE]: ({ metadata }: KubeObject) => [`${metadata.clusterName}/${metadata.namespace}`],
};
const nobody: ReadonlyMap<string, PlacedPod> = new Map();
const byTenant = (object: KubeObject) => [object.metadata.clusterName ?? ''];

interface Dependencies {
  informers: InformerFactory;
  client: Client;
  clock: Clock;
  events: EventRecorder;
}

/** Keeps the tenants' snapshots and the queue of their pods. A tenant without pods costs nothing here. */
export function watchTenants({ informers, client, clock, events }: Dependencies, options: SchedulerOptions) {
  const indexes = { [BY_TENANT]: byTenant };
  const pods = informers.informer<Pod>(PODS, { tenant: ALL_TENANTS });
  const nodes = informers.informer<Node>(NODES, { tenant: ALL_TENANTS, indexes });
  const namespaces = informers.informer<Namespace>(NAMESPACES, { tenant: ALL_TENANTS, indexes });
  const claims = informers.informer<PersistentVolumeClaim>(PERSISTENT_VOLUME_CLAIMS, { tenant: ALL_TENANTS });

  const deviceClaims = informers.informer(RESOURCE_CLAIMS, { tenant: ALL_TENANTS });
  const budgets = informers.informer<PodDisruptionBudget>(BUDGETS, { tenant: ALL_TENANTS, indexes: byNamespace });

  const views = new Map<string, PodView>();
  const viewOf = (tenant: string): PodView => {
    let view = views.get(tenant);
    if (view === undefined) {
      const snapshot = new TenantSnapshot();
      for (const node of nodes.byIndex(BY_TENANT, tenant)) snapshot.setNode(node);
      view = {
        snapshot,
        namespacesMatching: (selector) =>
          namespaces
            .byIndex(BY_TENANT, tenant)
            .filter((namespace) => labelSelectorMatches(selector, namespace.metadata.labels ?? {}))
            .map((namespace) => namespace.metadata.name),
        claimState: (namespace, name) => claimState(claims.get(`${tenant}/${namespace}/${name}`)),
        deviceClaimState: (namespace, name) => deviceClaimState(deviceClaims.get(`${tenant}/${namespace}/${name}`)),
      };
      views.set(tenant, view);
    }
    return view;
  };

  const nominated = new Map<string, Map<string, PlacedPod>>();
  const nominations = (tenant: string): ReadonlyMap<string, PlacedPod> => nominated.get(tenant) ?? nobody;
  const nominate = (tenant: string, pod: PlacedPod) => {
    let pods = nominated.get(tenant);
    if (pods === undefined) nominated.set(tenant, (pods = new Map()));
    pods.set(pod.uid, pod);
  };
  const forgetNomination = ({ metadata }: Pod) => {
    const tenant = metadata.clusterName!;
    const ofTenant = nominated.get(tenant);
    ofTenant?.delete(metadata.uid);
    if (ofTenant?.size === 0) nominated.delete(tenant);
  };

  const scheduler = new Scheduler(
    virtualNodeProfile({
      client,
      clock,
      events,
      viewOf,
      nominations,
      nominate,
      forgetNomination,
      podOf: (tenant, namespace, name) => pods.get(`${tenant}/${namespace}/${name}`),
      budgetsOf: (tenant, namespace) => budgets.byIndex(BY_NAMESPACE, `${tenant}/${namespace}`),
    }),
    options,
  );

  const removeFromSnapshot = (pod: Pod) => {
    const tenant = pod.metadata.clusterName!;
    const snapshot = views.get(tenant)?.snapshot;
    if (!snapshot?.hasPod(pod.metadata.uid)) return;
    snapshot.removePod(pod.metadata.uid);
    if (!snapshot.hasPods) views.delete(tenant);
    scheduler.clusterChanged(tenant, 'unitRemoved');
  };

  const podChanged = (before: Pod | undefined, pod: Pod) => {
    const key = keyOf(pod);
    const tenant = pod.metadata.clusterName!;
    if (isFinished(pod)) {
      forgetNomination(pod);
      scheduler.queue.remove(key);
      return removeFromSnapshot(pod);
    }
    if (pod.spec.nodeName) {
      forgetNomination(pod);
      scheduler.queue.remove(key);
      const { snapshot } = viewOf(tenant);
      const known = snapshot.placed(pod.metadata.uid);
      const isSame =
        known !== undefined &&
        known.nodeName === pod.spec.nodeName &&
        known.terminating === (pod.metadata.deletionTimestamp !== undefined) &&
        sameLabels(known.labels, pod.metadata.labels);
      if (!isSame) snapshot.setPod(placedPodOf(pod, pod.spec.nodeName));
      else known.since = startOf(pod);
      // An assumed pod counts already, but those who want to be near it were told "no" until now.
      if (known === undefined || (before !== undefined && !before.spec.nodeName)) {
        scheduler.clusterChanged(tenant, 'unitPlaced');
      } else if (!isSame) {
        scheduler.clusterChanged(tenant, 'unitRemoved');
      }
      return;
    }
    const isOurs =
      (pod.spec.schedulerName ?? SCHEDULER_NAME) === SCHEDULER_NAME &&
      pod.metadata.deletionTimestamp === undefined &&
      (pod.spec.schedulingGates ?? []).length === 0;
    if (!isOurs) {
      forgetNomination(pod);
      return scheduler.queue.remove(key);
    }
    const { nominatedNodeName } = pod.status ?? {};
    if (nominatedNodeName) nominate(tenant, placedPodOf(pod, nominatedNodeName));
    // Its own condition comes back as an update: that is no reason to try again.
    if (before !== undefined && scheduler.queue.has(key) && !affectsScheduling(before, pod)) {
      return scheduler.queue.refresh(key, pod);
    }
    scheduler.queue.add(key, pod, tenant, pod.spec.priority ?? 0);
  };

  pods.addHandlers({
    added: (pod) => podChanged(undefined, pod),
    updated: podChanged,
    deleted: (pod) => {
      forgetNomination(pod);
      scheduler.queue.remove(keyOf(pod));
      removeFromSnapshot(pod);
    },
  });
  nodes.addHandlers({
    added: (node) => {
      views.get(node.metadata.clusterName!)?.snapshot.setNode(node);
      scheduler.clusterChanged(node.metadata.clusterName, 'targetAdded');
    },
    updated: (before, after) => {
      views.get(after.metadata.clusterName!)?.snapshot.setNode(after);
      if (nodeFacts(before) === nodeFacts(after)) return;
      scheduler.clusterChanged(after.metadata.clusterName, 'targetUpdated');
    },
    deleted: (node) => {
      views.get(node.metadata.clusterName!)?.snapshot.removeNode(node.metadata.name);
      // Domains of topology spread may have gone with it.
      scheduler.clusterChanged(node.metadata.clusterName, 'targetUpdated');
    },
  });
  const related = (object: KubeObject) => scheduler.clusterChanged(object.metadata.clusterName, 'related');
  namespaces.addHandlers({ added: related, updated: (_, after) => related(after) });
  deviceClaims.addHandlers({ added: related, updated: (_, after) => related(after), deleted: related });
  claims.addHandlers({ added: related, updated: (_, after) => related(after), deleted: related });

  return { scheduler, informers: [pods, nodes, namespaces, claims, deviceClaims, budgets], viewOf };
}

function claimState(claim: PersistentVolumeClaim | undefined): ReturnType<PodView['claimState']> {
  if (claim === undefined) return undefined;
  if (claim.metadata.deletionTimestamp !== undefined) return 'deleting';
  return claim.status?.phase === 'Bound' ? 'bound' : 'unbound';
}

function deviceClaimState(claim: KubeObject | undefined): ReturnType<PodView['deviceClaimState']> {
  if (claim === undefined) return undefined;
  if (claim.metadata.deletionTimestamp !== undefined) return 'deleting';
  return claim['status']?.allocation === undefined ? 'unallocated' : 'allocated';
}

function affectsScheduling(before: Pod, after: Pod): boolean {
  if (!sameLabels(before.metadata.labels, after.metadata.labels)) return true;
  const { generation } = after.metadata;
  return generation === undefined || generation !== before.metadata.generation;
}

function sameLabels(a: Readonly<Record<string, string>> = {}, b: Readonly<Record<string, string>> = {}): boolean {
  if (a === b) return true;
  const keys = Object.keys(a);
  return keys.length === Object.keys(b).length && keys.every((key) => a[key] === b[key]);
}

/** What filters read of a node; heartbeats change none of it. */
const nodeFacts = ({ metadata, spec, status }: Node): string =>
  JSON.stringify([metadata.labels, spec?.taints, spec?.unschedulable, status?.allocatable]);
