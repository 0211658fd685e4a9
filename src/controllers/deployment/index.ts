import type { Deployment, ReplicaSet } from '../../api/generated/apps-v1.ts';
import type { Pod } from '../../api/generated/core-v1.ts';
import { DEPLOYMENTS, PODS, REPLICA_SETS } from '../../api/resources.ts';
import { ALL_TENANTS } from '../../client/client.ts';
import { type Controller, type ReconcileTools, watchOwn } from '../../client/controller.ts';
import { keyOf } from '../../client/informer.ts';
import type { ControllerDependencies } from '../common/dependencies.ts';
import { Dependents } from '../common/dependents.ts';
import { compileSelector, isEmptySelector } from '../common/label-selector.ts';
import { byController, byNamespace, controllerOf, siblingKey } from '../common/owner.ts';
import { reconcileDeployment } from './reconcile.ts';

const component = 'deployment-controller';

/** Turns a Deployment's template and size into ReplicaSets, one a template. */
export function createDeploymentController(dependencies: ControllerDependencies): Controller {
  const { informers, client } = dependencies;
  const deployments = informers.informer<Deployment>(DEPLOYMENTS, { tenant: ALL_TENANTS, indexes: byNamespace });
  const sets = informers.informer<ReplicaSet>(REPLICA_SETS, { tenant: ALL_TENANTS, indexes: byController });
  const pods = informers.informer<Pod>(PODS, { tenant: ALL_TENANTS, indexes: byController });
  const recorder = dependencies.recorder(component);

  const dependents = new Dependents<Deployment, ReplicaSet>({
    client,
    ownerResource: DEPLOYMENTS,
    ownerApiVersion: 'apps/v1',
    ownerKind: 'Deployment',
    owners: deployments,
    resource: REPLICA_SETS,
    dependents: sets,
    membership: (deployment) => {
      const matches = compileSelector(deployment.spec.selector);
      return (set) => matches(set.metadata.labels);
    },
  });

  return {
    name: component,
    workers: 32,
    watches: [
      watchOwn(deployments),
      { informer: sets, handlers: (queue) => dependents.handlers(queue) },
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
      const { owned, adopted } = await dependents.claim(deployment);
      // The watch brings them with their new owner and wakes this key again: one may have the template, and no other is made.
      if (adopted.length > 0) return;
      await reconcileDeployment(
        { client, recorder, podsOf: (uid) => pods.byIndex('controller', uid) },
        deployment,
        owned,
        tools,
      );
    },
  };
}
