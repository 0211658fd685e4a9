import { semanticEqual } from '../../../api/equality.ts';
import type { ParamKind } from '../../../api/generated/admissionregistration-v1.ts';
import { type KubeObject, parseApiVersion } from '../../../api/object.ts';
import { invalid } from '../../../api/status.ts';
import { resourceAttributes } from '../../authorization/attributes.ts';
import { type Identity, SYSTEM_MASTERS } from '../../identity/identity.ts';
import type { AdmissionPlugin, AdmissionRequest } from '../admission.ts';
import { definitionOfParams } from './params.ts';
import type { PolicyOptions } from './policies.ts';

const group = 'admissionregistration.k8s.io';
const policyOf: Record<string, string> = {
  validatingadmissionpolicybindings: 'validatingadmissionpolicies',
  mutatingadmissionpolicybindings: 'mutatingadmissionpolicies',
};
const guarded = new Set([...Object.keys(policyOf), ...Object.values(policyOf)]);

/**
 * Nobody has a policy read parameters for them that they may not read themselves. Source: authz.go of upstream's
 * admissionregistration registries, which stands in the same place of a write.
 */
export function policyParamsAccess({ objects, registry, authorizer }: PolicyOptions): AdmissionPlugin {
  const may = async ({ identity, tenant, pace }: AdmissionRequest, access: Parameters<typeof resourceAttributes>[1]) =>
    (await authorizer.authorize(identity, resourceAttributes(tenant, access), pace)).allowed;

  /** What is needed at least: everything where it is unknown which kind is meant. */
  const resourceOf = (tenant: string, kind: ParamKind | undefined) => {
    if (kind === undefined) return { group: '*', version: '*', resource: '*', isUnknown: false };
    const definition = definitionOfParams(registry, tenant, kind);
    const resource = typeof definition === 'string' ? '*' : definition.resource;
    return { ...parseApiVersion(kind.apiVersion ?? ''), resource, isUnknown: typeof definition === 'string' };
  };

  async function refusedPolicy(request: AdmissionRequest, { paramKind }: KubeObject['spec']) {
    const { isUnknown: _, ...resource } = resourceOf(request.tenant, paramKind);
    if (await may(request, { verb: 'get', namespace: '*', name: '*', ...resource })) return undefined;
    return `user ${shown(request.identity)} must have "get" permission on all objects of the referenced paramKind (kind=${paramKind.kind}, apiVersion=${paramKind.apiVersion})`;
  }

  async function refusedBinding(request: AdmissionRequest, { paramRef, policyName }: KubeObject['spec']) {
    const { tenant, definition } = request;
    const policies = registry.find(tenant, group, definition.version, policyOf[definition.resource]!);
    const policy = policies && (await objects.get(policies, tenant, '', policyName))?.object;
    const { isUnknown, ...resource } = resourceOf(tenant, policy?.['spec'].paramKind ?? undefined);
    const verb = paramRef.name ? 'get' : 'list';
    const place = { namespace: paramRef.namespace ?? '', name: paramRef.name ?? '' };
    if (await may(request, { verb, ...place, ...resource })) return undefined;
    const refused = `user ${shown(request.identity)} does not have "${verb}" permission`;
    const everything = `to determine minimum required permissions and ${refused} for all groups, versions and resources`;
    if (policy === undefined) return `unable to get policy ${policyName} ${everything}`;
    if (isUnknown) {
      const { apiVersion, kind } = policy['spec'].paramKind;
      return `unable to resolve paramKind &ParamKind{APIVersion:${apiVersion},Kind:${kind},} ${everything}`;
    }
    return `${refused} on the object referenced by paramRef`;
  }

  return {
    name: 'PolicyParamsAccess',
    handles: ({ operation, definition, subresource, identity }) =>
      definition.group === group &&
      guarded.has(definition.resource) &&
      subresource === '' &&
      (operation === 'CREATE' || operation === 'UPDATE') &&
      identity.kind !== 'platform' &&
      !identity.groups.includes(SYSTEM_MASTERS),
    async validate(request) {
      const { definition, object, oldObject } = request;
      const isBinding = policyOf[definition.resource] !== undefined;
      const spec = object!['spec'];
      const field = isBinding ? 'paramRef' : 'paramKind';
      if (!spec[field] || isSame(spec, oldObject?.['spec'], field)) return;
      const refusal = await (isBinding ? refusedBinding(request, spec) : refusedPolicy(request, spec));
      if (refusal === undefined) return;
      throw invalid(definition, object!.metadata.name, [
        { reason: 'FieldValueForbidden', field: `spec.${field}`, message: `Forbidden: ${refusal}` },
      ]);
    },
  };
}

const isSame = (spec: KubeObject['spec'], old: KubeObject['spec'], field: string) =>
  old !== undefined && semanticEqual(spec[field], old[field]) && spec.policyName === old.policyName;

/** As Go prints a user. */
function shown({ name, uid, groups, extra }: Identity): string {
  const more = Object.entries(extra ?? {}).sort(([a], [b]) => (a < b ? -1 : 1));
  return `&{${name} ${uid ?? ''} [${groups.join(' ')}] map[${more.map(([key, values]) => `${key}:[${values.join(' ')}]`).join(' ')}]}`;
}
