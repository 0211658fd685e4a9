import type { KubeObject } from '../../../api/object.ts';
import { NAMESPACES } from '../../../api/resources.ts';
import { notFound } from '../../../api/status.ts';
import { SYSTEM_TENANT } from '../../../api/tenants.ts';
import type { AdmissionRequest } from '../admission.ts';
import { type CompiledVariable, Evaluation } from '../expressions/index.ts';
import { type MatchedForm, requestedForm } from '../webhooks/forms.ts';
import { withoutTenant } from '../webhooks/review.ts';
import type { PolicyOptions } from './policies.ts';

/** Of the request's namespace; undefined for what is in none, namespaces included. */
export async function namespaceObjectOf(
  { objects }: PolicyOptions,
  { tenant, namespace, definition }: AdmissionRequest,
): Promise<KubeObject | undefined> {
  if (namespace === '' || (definition.group === '' && definition.resource === 'namespaces')) return undefined;
  const entry = await objects.get(NAMESPACES, tenant, '', namespace);
  if (entry !== undefined) return withoutTenant(entry.object);
  // The system tenant's namespaces are the tenants' names; they need no objects.
  if (tenant === SYSTEM_TENANT)
    return { kind: 'Namespace', apiVersion: 'v1', metadata: { name: namespace } } as KubeObject;
  throw notFound(NAMESPACES, namespace);
}

export interface Situation {
  request: AdmissionRequest;
  form: MatchedForm;
  /** Both in the form's version. */
  object: KubeObject | undefined;
  oldObject: KubeObject | undefined;
  namespace: KubeObject | undefined;
  params: KubeObject | undefined;
  variables: readonly CompiledVariable[];
}

export function evaluationOf({ authorizer }: PolicyOptions, situation: Situation): Evaluation {
  const { request, form, object, oldObject, namespace, params, variables } = situation;
  const requested = requestedForm(request);
  return new Evaluation({
    request,
    authorizer,
    object: object === undefined ? undefined : withoutTenant(object),
    oldObject: oldObject === undefined ? undefined : withoutTenant(oldObject),
    kind: form.kind,
    resource: form.resource,
    requestKind: requested.kind,
    requestResource: requested.resource,
    namespace,
    ...(params !== undefined && { params }),
    variables,
  });
}
