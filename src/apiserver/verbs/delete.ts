import type { KubeObject } from '../../api/object.ts';
import type { ResourceDefinition } from '../../api/resource-definition.ts';
import type { Answer } from '../answer.ts';
import type { Environment } from '../environment.ts';
import { deleteObject } from './delete-object.ts';
import { type DeleteOptions, readDeleteOptions } from './delete-options.ts';
import type { ResourceRequest } from './scope.ts';

/** Kinds whose deletion answers with the object; others answer with a Status. Source: ReturnDeletedObject upstream. */
const returnsObject = new Set([
  '/namespaces',
  '/persistentvolumeclaims',
  '/persistentvolumes',
  '/pods',
  '/podtemplates',
  '/resourcequotas',
  '/serviceaccounts',
  '/services',
  'pool.skypod.io/containerinstances',
  'resource.k8s.io/deviceclasses',
  'resource.k8s.io/resourceclaims',
  'resource.k8s.io/resourceclaimtemplates',
  'resource.k8s.io/resourceslices',
  'storage.k8s.io/csidrivers',
  'storage.k8s.io/csinodes',
  'storage.k8s.io/storageclasses',
  'storage.k8s.io/volumeattachments',
  'storage.k8s.io/volumeattributesclasses',
]);

/** DELETE of one object. */
export async function remove(environment: Environment, request: ResourceRequest): Promise<Answer> {
  const { context, definition, tenant, namespace, name } = request;
  const { options, dryRun } = await readDeleteOptions(context);
  const { identity, warnings } = context;
  warnOfOrphans(definition, options, warnings);
  const result = await deleteObject(environment, {
    definition,
    tenant,
    namespace,
    name,
    identity,
    dryRun,
    warnings,
    options,
    ...(request.view !== undefined && { view: request.view }),
  });
  if (result.gone && !returnsObject.has(`${definition.group}/${definition.resource}`)) {
    return { type: 'object', code: 200, object: deletedStatus(request.view ?? definition, result.object) };
  }
  return result.entry !== undefined
    ? { type: 'entry', code: 200, definition, entry: result.entry }
    : { type: 'object', code: 200, definition, object: result.object };
}

export function deletedStatus(definition: ResourceDefinition, object: KubeObject): object {
  return {
    kind: 'Status',
    apiVersion: 'v1',
    metadata: {},
    status: 'Success',
    details: {
      name: object.metadata.name,
      ...(definition.group !== '' && { group: definition.group }),
      kind: definition.resource,
      uid: object.metadata.uid,
    },
  };
}

/** What a job leaves behind surprises people. Source: pkg/registry/batch/job/storage. */
export function warnOfOrphans(
  { group, resource }: ResourceDefinition,
  options: DeleteOptions,
  warnings: string[],
): void {
  if (group !== 'batch' || resource !== 'jobs') return;
  if (options.propagationPolicy !== undefined || options.orphanDependents !== undefined) return;
  warnings.push(
    'child pods are preserved by default when jobs are deleted; set propagationPolicy=Background to remove them or set propagationPolicy=Orphan to suppress this warning',
  );
}
