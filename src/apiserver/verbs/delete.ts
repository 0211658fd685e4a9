import type { KubeObject } from '../../api/object.ts';
import type { ResourceDefinition } from '../../api/resource-definition.ts';
import { type Answer, writtenAnswer } from '../answer.ts';
import type { Environment } from '../environment.ts';
import { deleteObject } from './objects/delete-object.ts';
import { answersWithDeleted } from './objects/deleted-answer.ts';
import { type DeleteOptions, readDeleteOptions } from './options/delete-options.ts';
import { type ResourceRequest, writeOf } from './scope.ts';

/** DELETE of one object. */
export async function remove(environment: Environment, request: ResourceRequest): Promise<Answer> {
  const { context, definition } = request;
  const { options, dryRun } = await readDeleteOptions(context);
  warnOfOrphans(definition, options, context.warnings);
  const result = await deleteObject(environment, { ...writeOf(request, dryRun), options });
  if (result.gone && !answersWithDeleted(definition)) {
    return { type: 'object', code: 200, object: deletedStatus(request.view ?? definition, result.object) };
  }
  return writtenAnswer(definition, 200, result);
}

function deletedStatus(definition: ResourceDefinition, object: KubeObject): object {
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
