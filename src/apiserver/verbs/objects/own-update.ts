import type { KubeObject } from '../../../api/object.ts';
import type { ResourceDefinition } from '../../../api/resource-definition.ts';
import type { Environment } from '../../environment.ts';
import type { Identity } from '../../identity/identity.ts';
import { type UpdateResult, updateObject } from './update-object.ts';

export interface OwnUpdate {
  definition: ResourceDefinition;
  subresource: '' | 'status';
  tenant: string;
  name: string;
  identity: Identity;
  /** The new state out of the old, which is shared: never mutate. */
  change(old: KubeObject): KubeObject;
}

/** A change that the API server itself makes to an object without a namespace: nobody is asked, and nothing is checked. */
export function updateOwn(environment: Environment, update: OwnUpdate): Promise<UpdateResult> {
  return updateObject(environment, {
    ...update,
    namespace: '',
    dryRun: false,
    warnings: [],
    trusted: true,
    // Metadata is written to, so it must not be the old state's.
    change: (old) => {
      const changed = update.change(old);
      return { ...changed, metadata: { ...changed.metadata } };
    },
  });
}
