import { schemaOfKind } from '../../api/generated-schema.ts';
import type { KubeObject } from '../../api/object.ts';
import { applyMergePatch, applyPatch } from '../../api/patch/index.ts';
import { type Scale, scaleOf, withScale } from '../../api/scale.ts';
import { invalid, notFound } from '../../api/status.ts';
import type { Answer } from '../answer.ts';
import { decodeValue, parseBody } from '../decode-body.ts';
import type { Environment } from '../environment.ts';
import { dryRunOf } from './options.ts';
import { readPatch } from './patch.ts';
import type { ResourceRequest } from './scope.ts';
import { checkPlace } from './update.ts';
import { updateObject } from './update-object.ts';

const scaleKind = { group: 'autoscaling', version: 'v1', kind: 'Scale' };

/** GET, PUT and PATCH of the scale subresource. Source: KEP-576, autoscaling/v1 Scale. */
export async function scale(environment: Environment, request: ResourceRequest): Promise<Answer> {
  const { context, definition, tenant, namespace, name } = request;
  const { verb } = context.info;
  if (verb === 'get') {
    const entry = await environment.objects.get(definition, tenant, namespace, name);
    if (entry === undefined) throw notFound(definition, name);
    return { type: 'object', code: 200, object: scaleOf(definition, entry.object) };
  }
  const dryRun = dryRunOf(context, verb === 'patch' ? 'PatchOptions' : 'UpdateOptions');
  const target = { kind: scaleKind, schema: schemaOfKind('autoscaling', 'v1', 'Scale')! };
  const change = await changeOf(request, target);
  const result = await updateObject(environment, {
    definition,
    subresource: 'scale',
    tenant,
    namespace,
    name,
    identity: context.identity,
    dryRun,
    warnings: context.warnings,
    change(old) {
      const wanted = change(old);
      checkPlace(request, wanted);
      const replicas = wanted.spec?.replicas ?? 0;
      if (replicas < 0) {
        throw invalid(scaleKind, name, [
          {
            reason: 'FieldValueInvalid',
            field: 'spec.replicas',
            message: `Invalid value: ${replicas}: must be greater than or equal to 0`,
          },
        ]);
      }
      const scaled = withScale(definition, old, wanted);
      const metadata = { ...scaled.metadata };
      if (wanted.metadata.resourceVersion) metadata.resourceVersion = wanted.metadata.resourceVersion;
      else delete (metadata as Partial<typeof metadata>).resourceVersion;
      if (wanted.metadata.uid) metadata.uid = wanted.metadata.uid;
      return { ...scaled, metadata };
    },
  });
  return { type: 'object', code: 200, object: scaleOf(definition, result.entry?.object ?? result.object!) };
}

async function changeOf(
  request: ResourceRequest,
  target: { kind: typeof scaleKind; schema: NonNullable<ReturnType<typeof schemaOfKind>> },
): Promise<(old: KubeObject) => Scale> {
  const { context, definition } = request;
  if (context.info.verb === 'update') {
    const body = parseBody(await context.readBody(), 'Scale');
    return () => decodeValue(context, body, target) as Scale;
  }
  const { contentType, document } = await readPatch(context);
  return (old) => {
    const current = scaleOf(definition, old);
    const { resourceVersion: _resourceVersion, ...metadata } = current.metadata;
    const before = { ...current, metadata };
    const patched =
      contentType === 'application/merge-patch+json'
        ? applyMergePatch(before, document)
        : applyPatch(contentType, target.schema, before, document);
    return decodeValue(context, { value: patched, duplicates: [], text: '' }, target) as Scale;
  };
}
