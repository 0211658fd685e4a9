import type { GroupVersionKind, KubeObject } from '../../api/object.ts';
import type { Environment } from '../environment.ts';
import { writeOptionsOf } from '../verbs/options/write-options.ts';
import type { ResourceRequest } from '../verbs/scope.ts';
import type { AdmissionRequest } from './admission.ts';

/** Is asked whether what a POST brought, which is answered and not stored as such, may pass; it may be changed in place. */
export async function admitPosted(
  environment: Environment,
  request: ResourceRequest,
  object: KubeObject,
  { kind, dryRun = false }: { kind?: GroupVersionKind; dryRun?: boolean } = {},
): Promise<void> {
  const { context } = request;
  if (request.namespace !== '' && !object.metadata?.namespace)
    object.metadata = { ...object.metadata, namespace: request.namespace };
  await admit(environment, {
    ...placeOf(request),
    operation: 'CREATE',
    object,
    dryRun,
    name: request.name || (object.metadata?.name ?? ''),
    options: writeOptionsOf(context, 'CreateOptions'),
    ...(kind !== undefined && { kind }),
  });
}

/** Is asked whether a connection (exec, attach, portforward, proxy) may be made; `options` is what it was asked with. */
export function admitConnection(environment: Environment, request: ResourceRequest, options: KubeObject) {
  const version = options.apiVersion!;
  return admit(environment, {
    ...placeOf(request),
    operation: 'CONNECT',
    object: options,
    dryRun: false,
    kind: { group: '', version, kind: options.kind! },
  });
}

function placeOf({ context, definition, subresource, tenant, namespace, name }: ResourceRequest) {
  const { identity, warnings } = context;
  return { definition, subresource: subresource?.name ?? '', tenant, namespace, name, identity, warnings };
}

async function admit(environment: Environment, admission: AdmissionRequest): Promise<void> {
  await environment.admission.mutate(admission);
  await environment.admission.validate(admission);
}
