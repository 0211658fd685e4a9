import type { Deployment, ReplicaSet } from '../../api/generated/apps-v1.ts';
import type { Pod } from '../../api/generated/core-v1.ts';
import { DEPLOYMENTS, PODS, REPLICA_SETS } from '../../api/resources.ts';
import { ALL_TENANTS } from '../../client/client.ts';
import type { Controller, ControllerQueue, ReconcileTools } from '../../client/controller.ts';
import { keyOf } from '../../client/informer.ts';
import { adopt, release } from '../common/adoption.ts';
import type { ControllerDependencies } from '../common/dependencies.ts';
import { compileSelector, isEmptySelector } from '../common/label-selector.ts';
import {
  byController,
  byNamespace,
  controllerOf,
  controllerReference,
  namespaceOf,
  orphansOf,
  siblingKey,
} from '../common/owner.ts';
import { reconcileDeployment } from './reconcile.ts';

const component = 'deployment-controller';

/** Turns a Deployment's template and size into ReplicaSets, one a template. */
export function createDeploymentController(dependencies: ControllerDependencies): Controller {
  const { informers, client } = dependencies;
  const deployments = informers.informer<Deployment>(DEPLOYMENTS, { tenant: ALL_TENANTS, indexes: byNamespace });
  const sets = informers.informer<ReplicaSet>(REPLICA_SETS, { tenant: ALL_TENANTS, indexes: byController });
  const pods = informers.informer<Pod>(PODS, { tenant: ALL_TENANTS, indexes: byController });
  const recorder = dependencies.recorder(component);

  function wakeOwner(set: ReplicaSet, queue: ControllerQueue): void {
    const reference = controllerOf(set);
    if (reference?.kind === 'Deployment') queue.add(siblingKey(set, reference.name));
    if (reference !== undefined || set.metadata.deletionTimestamp !== undefined) return;
    for (const deployment of deployments.byIndex('namespace', namespaceOf(set))) {
      if (compileSelector(deployment.spec.selector)(set.metadata.labels)) queue.add(keyOf(deployment));
    }
  }

  /** The Deployment's own sets, orphans that match it taken in and sets that don't let go. */
  async function claimSets(deployment: Deployment): Promise<ReplicaSet[]> {
    const owned = sets.byIndex('controller', deployment.metadata.uid);
    if (deployment.metadata.deletionTimestamp !== undefined) return owned;
    const matches = compileSelector(deployment.spec.selector);
    const claimed: ReplicaSet[] = [];
    for (const set of owned) {
      if (matches(set.metadata.labels)) claimed.push(set);
      else await release(client, deployment.metadata.uid, REPLICA_SETS, set);
    }
    const reference = controllerReference(deployment, 'apps/v1', 'Deployment');
    for (const orphan of sets.byIndex('controller', orphansOf(deployment))) {
      if (orphan.metadata.deletionTimestamp !== undefined || !matches(orphan.metadata.labels)) continue;
      // The watch brings the adopted set with its new owner and wakes this key again.
      await adopt(client, DEPLOYMENTS, deployment, reference, REPLICA_SETS, orphan);
    }
    return claimed;
  }

  return {
    name: component,
    workers: 16,
    watches: [
      {
        informer: deployments,
        handlers: (queue) => ({
          added: (deployment: Deployment) => queue.add(keyOf(deployment)),
          updated: (_: Deployment, deployment: Deployment) => queue.add(keyOf(deployment)),
        }),
      },
      {
        informer: sets,
        handlers: (queue) => ({
          added: (set: ReplicaSet) => wakeOwner(set, queue),
          updated: (before: ReplicaSet, after: ReplicaSet) => {
            if (controllerOf(before)?.uid !== controllerOf(after)?.uid) wakeOwner(before, queue);
            wakeOwner(after, queue);
          },
          deleted: (set: ReplicaSet) => {
            if (controllerOf(set) !== undefined) wakeOwner(set, queue);
          },
        }),
      },
      {
        informer: pods,
        handlers: (queue) => ({
          // Recreate waits for the last old pod to go.
          deleted: (pod: Pod) => {
            const reference = controllerOf(pod);
            if (reference?.kind !== 'ReplicaSet') return;
            const set = sets.get(siblingKey(pod, reference.name));
            const owner = set === undefined ? undefined : controllerOf(set);
            if (owner?.kind !== 'Deployment') return;
            const deployment = deployments.get(siblingKey(pod, owner.name));
            if (deployment?.spec.strategy?.type === 'Recreate') queue.add(keyOf(deployment));
          },
        }),
      },
    ],
    async reconcile(key, tools: ReconcileTools) {
      const deployment = deployments.get(key);
      if (deployment === undefined) return;
      if (isEmptySelector(deployment.spec.selector)) {
        recorder.event(
          { apiVersion: 'apps/v1', kind: 'Deployment', metadata: deployment.metadata },
          'Warning',
          'SelectingAll',
          'This deployment is selecting all pods. A non-empty selector is required.',
        );
        return;
      }
      const claimed = await claimSets(deployment);
      await reconcileDeployment(
        { client, recorder, podsOf: (uid) => pods.byIndex('controller', uid) },
        deployment,
        claimed,
        tools,
      );
    },
  };
}
