import type { ClusterRole } from '../../api/generated/rbac-v1.ts';
import { CLUSTER_ROLES } from '../../api/resources.ts';
import { ALL_TENANTS } from '../../client/client.ts';
import { type Controller, watchKeys } from '../../client/controller.ts';
import type { ControllerDependencies } from '../common/dependencies.ts';
import { aggregate } from './aggregate.ts';

/**
 * Fills the rules of aggregated cluster roles. Across tenants only roles that a tenant wrote are seen; one of those
 * changing makes the controller look at all of that tenant's.
 */
export function createClusterRoleAggregationController({ informers, client }: ControllerDependencies): Controller {
  const clusterRoles = informers.informer<ClusterRole>(CLUSTER_ROLES, { tenant: ALL_TENANTS });
  return {
    name: 'clusterrole-aggregation-controller',
    workers: 4,
    watches: [watchKeys(clusterRoles, ({ metadata }) => [metadata.clusterName!])],
    async reconcile(tenant) {
      const roles = client.resource<ClusterRole>(tenant, CLUSTER_ROLES);
      const { items } = await roles.list();
      for (const role of aggregate(items)) {
        await roles.update({ ...role, apiVersion: 'rbac.authorization.k8s.io/v1', kind: 'ClusterRole' });
      }
    },
  };
}
