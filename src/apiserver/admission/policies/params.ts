import type { ParamKind, ParamRef } from '../../../api/generated/admissionregistration-v1.ts';
import { type KubeObject, parseApiVersion } from '../../../api/object.ts';
import type { ResourceDefinition } from '../../../api/resource-definition.ts';
import { selectorFromLabelSelector } from '../../../api/selectors/label-selectors.ts';
import type { Objects } from '../../objects.ts';
import type { ResourceRegistry } from '../../registry.ts';
import { withoutTenant } from '../webhooks/review.ts';

/** What a policy's paramKind names; a text: why there is none. */
export function definitionOfParams(
  registry: ResourceRegistry,
  tenant: string,
  kind: ParamKind,
): ResourceDefinition | string {
  const { group, version } = parseApiVersion(kind.apiVersion ?? '');
  const found = registry
    .definitions(tenant)
    .find((one) => one.kind === kind.kind && one.group === group && one.version === version);
  return found ?? `failed to find resource referenced by paramKind: '${kind.apiVersion}, Kind=${kind.kind}'`;
}

/**
 * What a policy is evaluated with for one binding: once for each object here. `[undefined]`: once, without parameters.
 * Throws an Error that tells what is wrong with the binding. Source: generic.CollectParams.
 */
export async function paramsOf(
  objects: Objects,
  tenant: string,
  definition: ResourceDefinition | undefined,
  reference: ParamRef | undefined | null,
  requestNamespace: string,
): Promise<(KubeObject | undefined)[]> {
  if (definition === undefined || reference === undefined || reference === null) return [undefined];
  if (reference.namespace && !definition.namespaced) {
    throw new Error('paramRef.namespace must not be provided for a cluster-scoped `paramKind`');
  }
  const namespace = definition.namespaced ? reference.namespace || requestNamespace : '';
  if (definition.namespaced && namespace === '') {
    throw new Error('cannot use namespaced paramRef in policy binding that matches cluster-scoped resources');
  }
  const found = await find(objects, tenant, definition, namespace, reference);
  if (found.length === 0 && reference.parameterNotFoundAction === 'Deny') {
    throw new Error('no params found for policy binding with `Deny` parameterNotFoundAction');
  }
  return found.map(withoutTenant);
}

async function find(
  objects: Objects,
  tenant: string,
  definition: ResourceDefinition,
  namespace: string,
  { name, selector }: ParamRef,
): Promise<KubeObject[]> {
  if (name) {
    if (selector) throw new Error('paramRef.name and paramRef.selector are mutually exclusive');
    const entry = await objects.get(definition, tenant, namespace, name);
    return entry === undefined ? [] : [entry.object];
  }
  if (!selector) throw new Error('one of name or selector must be provided');
  const compiled = selectorFromLabelSelector(selector);
  const entries = await objects.entries(definition, { tenant, namespace });
  return entries.map(({ object }) => object).filter(({ metadata }) => compiled.matches(metadata.labels));
}
