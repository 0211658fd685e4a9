import type { CustomResourceDefinition } from '../../api/generated/apiextensions-v1.ts';
import type { GroupResource } from '../../api/object.ts';
import { invalid } from '../../api/status.ts';
import type { Environment } from '../environment.ts';
import type { ResourceHooks } from '../resources/hooks.ts';
import { keepFollowing } from '../watch-cache/follow.ts';
import type { WatchCache } from '../watch-cache/watch-cache.ts';
import { CUSTOM_RESOURCE_DEFINITIONS, type CustomResourceCatalog } from './catalog.ts';
import { withCondition } from './conditions.ts';
import { CLEANUP_FINALIZER, DefinitionReconciler } from './reconciler.ts';

export { CustomResourceCatalog } from './catalog.ts';
export const DEFINITION_HOOKS = 'customresourcedefinitions.apiextensions.k8s.io';

/** What writes of definitions do besides: nobody takes the platform's groups, and instances go before their definition. */
export function definitionHooks(isReserved: (group: string) => boolean): ResourceHooks {
  return {
    async onCreate(object) {
      if (!isReserved(object['spec'].group)) return [];
      const kind = { group: CUSTOM_RESOURCE_DEFINITIONS.group, kind: 'CustomResourceDefinition' };
      const message = 'Forbidden: the group belongs to the platform';
      throw invalid(kind, object.metadata.name, [{ reason: 'FieldValueForbidden', field: 'spec.group', message }]);
    },
    prepareDelete(old, nowMs) {
      if (old.metadata.deletionTimestamp !== undefined) return old;
      const finalizers = old.metadata.finalizers ?? [];
      const conditions = withCondition(
        (old as CustomResourceDefinition).status?.conditions,
        {
          type: 'Terminating',
          status: 'True',
          reason: 'InstanceDeletionPending',
          message: 'CustomResourceDefinition marked for deletion; CustomResource deletion will begin soon',
        },
        nowMs,
      );
      return {
        ...old,
        metadata: {
          ...old.metadata,
          finalizers: finalizers.includes(CLEANUP_FINALIZER) ? finalizers : [...finalizers, CLEANUP_FINALIZER],
        },
        status: { ...old['status'], conditions },
      };
    },
  };
}

/** Serves what is defined already, follows what changes, and keeps definitions' status. Returns how to end it. */
export async function followCustomResources(
  environment: Environment,
  catalog: CustomResourceCatalog,
  forget: (resource: GroupResource) => void,
): Promise<() => void> {
  const { registry, objects, clock, logger } = environment;
  const { group, version, resource } = CUSTOM_RESOURCE_DEFINITIONS;
  const definition = registry.find('', group, version, resource);
  if (definition === undefined) return () => {};
  const reconciler = new DefinitionReconciler({
    environment,
    catalog,
    definition,
    isBuiltin: (ofGroup, plural) => registry.isBuiltin(ofGroup, plural),
    forget,
  });
  const follow = (cache: WatchCache, onEnd: () => void) => catalog.follow(cache, onEnd);
  const stopFollowing = await keepFollowing({ resource: CUSTOM_RESOURCE_DEFINITIONS, objects, clock, logger, follow });
  return () => {
    reconciler.close();
    stopFollowing();
  };
}
