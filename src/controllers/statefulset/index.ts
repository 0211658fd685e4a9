import type { ControllerRevision, StatefulSet } from '../../api/generated/apps-v1.ts';
import type { PersistentVolumeClaim, Pod } from '../../api/generated/core-v1.ts';
import { CONTROLLER_REVISIONS, PERSISTENT_VOLUME_CLAIMS, PODS, STATEFUL_SETS } from '../../api/resources.ts';
import { isAlreadyExists, isConflict, isNotFound } from '../../api/status.ts';
import { ALL_TENANTS } from '../../client/client.ts';
import { type Controller, type ReconcileTools, watchOwn } from '../../client/controller.ts';
import { slowStart } from '../../client/expectations.ts';
import { keyOf } from '../../client/informer.ts';
import { isSame } from '../common/canonical.ts';
import {
  currentTemplateRevision,
  sortRevisions,
  templateOf,
  truncateRevisions,
} from '../common/controller-revisions.ts';
import type { ControllerDependencies } from '../common/dependencies.ts';
import { Dependents } from '../common/dependents.ts';
import { compileSelector } from '../common/label-selector.ts';
import { byController, byNamespace, controllerOf, namespaceOf, siblingKey } from '../common/owner.ts';
import { isNamespaceTerminating, messageOf } from '../common/pod-template.ts';
import { WrittenVersions } from '../common/written-versions.ts';
import { type ClaimTools, createClaims, hasStaleClaim, retainClaims } from './claims.ts';
import { type Action, plan, statefulSetStatus } from './plan.ts';
import { identityLabels, ordinalOf, podOfOrdinal, podRevision } from './pods.ts';

const component = 'statefulset-controller';
// Upstream's MaxBatchSize.
const mostAtOnce = 500;

/** Keeps pods that have a name, an order and claims of their own. */
export function createStatefulSetController(dependencies: ControllerDependencies): Controller {
  const { informers, client } = dependencies;
  const sets = informers.informer<StatefulSet>(STATEFUL_SETS, { tenant: ALL_TENANTS, indexes: byNamespace });
  const pods = informers.informer<Pod>(PODS, { tenant: ALL_TENANTS, indexes: byController });
  const revisions = informers.informer<ControllerRevision>(CONTROLLER_REVISIONS, {
    tenant: ALL_TENANTS,
    indexes: byController,
  });
  const recorder = dependencies.recorder(component);
  const written = new WrittenVersions(pods, dependencies.clock);
  const dependents = new Dependents<StatefulSet, Pod>({
    client,
    ownerResource: STATEFUL_SETS,
    ownerApiVersion: 'apps/v1',
    ownerKind: 'StatefulSet',
    owners: sets,
    resource: PODS,
    dependents: pods,
    membership: (set) => {
      const matches = compileSelector(set.spec.selector);
      return (pod) => ordinalOf(set, pod) !== undefined && matches(pod.metadata.labels);
    },
  });

  function record(set: StatefulSet, verb: string, podName: string, error?: unknown): void {
    const target = { apiVersion: 'apps/v1', kind: 'StatefulSet', metadata: set.metadata };
    const title = `${verb[0]!.toUpperCase()}${verb.slice(1)}`;
    const subject = `${title} Pod ${podName} in StatefulSet ${set.metadata.name}`;
    if (error === undefined) recorder.event(target, 'Normal', `Successful${title}`, `${subject} successful`);
    else recorder.event(target, 'Warning', `Failed${title}`, `${subject} failed error: ${messageOf(error)}`);
  }

  const claimTools: ClaimTools = {
    client,
    claims: informers.informer<PersistentVolumeClaim>(PERSISTENT_VOLUME_CLAIMS, { tenant: ALL_TENANTS }),
    event: ({ metadata }, type, reason, message) =>
      recorder.event({ apiVersion: 'apps/v1', kind: 'StatefulSet', metadata }, type, reason, message),
  };

  /** Before anything is done to the pods: a claim that is to go with its pod must be the pod's by then. */
  async function keepClaims(set: StatefulSet, owned: Pod[]): Promise<void> {
    if ((set.spec.volumeClaimTemplates ?? []).length === 0 || set.metadata.deletionTimestamp !== undefined) return;
    for (const pod of owned) {
      const ordinal = ordinalOf(set, pod);
      try {
        if (pod.status?.phase === 'Pending' && ordinal !== undefined) await createClaims(claimTools, set, ordinal);
        await retainClaims(claimTools, set, pod);
      } catch (error) {
        // The claim changed since, or went: the next round sees it as it is.
        if (isNotFound(error) || isConflict(error)) throw error;
        record(set, 'update', pod.metadata.name, error);
        throw error;
      }
    }
  }

  async function act(
    set: StatefulSet,
    action: Action,
    current: ControllerRevision,
    update: ControllerRevision,
  ): Promise<void> {
    const { clusterName, namespace, name } = set.metadata;
    const podClient = client.resource<Pod>(clusterName!, PODS, namespace);
    const key = keyOf(set);
    if (action.type === 'identify') {
      const { pod, ordinal } = action;
      const patch = { metadata: { uid: pod.metadata.uid, labels: identityLabels(pod, ordinal) } };
      await podClient.patch(pod.metadata.name, 'merge', patch);
      record(set, 'update', pod.metadata.name);
    } else if (action.type === 'delete') {
      const { pod } = action;
      try {
        await podClient.delete(pod.metadata.name, { preconditions: { uid: pod.metadata.uid } });
        written.deleted(key, pod);
      } catch (error) {
        if (!isNotFound(error)) {
          record(set, 'delete', pod.metadata.name, error);
          throw error;
        }
      }
      record(set, 'delete', pod.metadata.name);
    } else {
      const revision = action.isUpdated ? update : current;
      const draft = podOfOrdinal(set, templateOf(revision), revision.metadata.name, action.ordinal);
      try {
        if (hasStaleClaim(claimTools, set, action.ordinal)) return;
        await createClaims(claimTools, set, action.ordinal);
        const pod = await podClient.create(draft);
        written.wrote(key, { ...pod, metadata: { ...pod.metadata, clusterName: clusterName! } });
        record(set, 'create', draft.metadata.name!);
      } catch (error) {
        if (isNamespaceTerminating(error)) return;
        if (!isAlreadyExists(error)) record(set, 'create', `${name}-${action.ordinal}`, error);
        throw error;
      }
    }
  }

  async function reconcile(set: StatefulSet, tools: ReconcileTools): Promise<void> {
    const claimed = await dependents.claim(set);
    const owned = [...claimed.owned, ...claimed.adopted];
    const history = sortRevisions(revisions.byIndex('controller', set.metadata.uid));
    const { revision: update, collisionCount } = await currentTemplateRevision(
      client,
      {
        object: set,
        apiVersion: 'apps/v1',
        kind: 'StatefulSet',
        template: set.spec.template,
        collisionCount: set.status?.collisionCount,
      },
      history,
      'controller.kubernetes.io/hash',
    );
    const current = history.find((revision) => revision.metadata.name === set.status?.currentRevision) ?? update;
    const names = { current: current.metadata.name, update: update.metadata.name };
    await keepClaims(set, owned);
    const actions = plan(set, owned, names, tools.now());
    // What is refused is not asked for a thousand times at once.
    const { error: failure } = await slowStart(actions.length, mostAtOnce, (index) =>
      act(set, actions[index]!, current, update),
    );

    const status = statefulSetStatus(set, owned, names, collisionCount, tools.now());
    if (!isSame(status, set.status)) {
      const body = { ...set, apiVersion: 'apps/v1', kind: 'StatefulSet', status };
      await client.for(STATEFUL_SETS, set).updateStatus(body);
    }
    if (failure !== undefined) throw failure;
    const live = new Set([names.current, names.update, ...owned.map(podRevision)]);
    await truncateRevisions(client, history, live, set.spec.revisionHistoryLimit ?? 10);
    const minReadySeconds = set.spec.minReadySeconds ?? 0;
    if (minReadySeconds > 0 && (status.readyReplicas ?? 0) !== (status.availableReplicas ?? 0)) {
      tools.queue.addAfter(keyOf(set), minReadySeconds * 1000);
    }
  }

  return {
    name: component,
    workers: 16,
    watches: [
      watchOwn(sets, (set) => written.forget(keyOf(set))),
      {
        informer: claimTools.claims,
        handlers: (queue) => ({
          // A pod may have to wait until the claim of the one before it is gone.
          deleted: (claim: PersistentVolumeClaim) => {
            for (const set of sets.byIndex('namespace', namespaceOf(claim))) {
              const isOfSet = (set.spec.volumeClaimTemplates ?? []).some(({ metadata }) =>
                claim.metadata.name.startsWith(`${metadata.name}-${set.metadata.name}-`),
              );
              if (isOfSet) queue.add(keyOf(set));
            }
          },
        }),
      },
      {
        informer: pods,
        handlers: (queue) => {
          const wake = dependents.handlers(queue);
          return {
            ...wake,
            deleted: (pod: Pod) => {
              const reference = controllerOf(pod);
              if (reference?.kind === 'StatefulSet') written.observeDeletion(siblingKey(pod, reference.name), pod);
              wake.deleted(pod);
            },
          };
        },
      },
    ],
    reads: [revisions],
    async reconcile(key, tools) {
      const set = sets.get(key);
      if (set === undefined || written.isStale(key, tools.queue)) return;
      await reconcile(set, tools);
    },
  };
}
