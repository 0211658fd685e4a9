import { semanticEqual } from '../../api/equality.ts';
import { type OwnerReference, parseApiVersion } from '../../api/object.ts';
import type { ResourceDefinition } from '../../api/resource-definition.ts';
import { type Attributes, resourceAttributes } from '../authorization/attributes.ts';
import type { Authorizer } from '../authorization/authorizer.ts';
import type { ResourceRegistry } from '../registry.ts';
import type { AdmissionPlugin, AdmissionRequest } from './admission.ts';
import { forbid } from './forbid.ts';

/**
 * Who may not delete an object may not let the garbage collector do it, and who may not change an owner's finalizers
 * may not block its deletion. Source: OwnerReferencesPermissionEnforcement upstream.
 */
export function ownerReferences(
  authorizer: Authorizer,
  definitions: Pick<ResourceRegistry, 'definitions'>,
): AdmissionPlugin {
  const judge = async ({ identity, pace }: AdmissionRequest, attributes: Attributes) =>
    authorizer.authorize(identity, attributes, pace);

  function ownersOf({ apiVersion, kind }: OwnerReference, tenant: string): ResourceDefinition[] {
    const { group, version } = parseApiVersion(apiVersion);
    const all = definitions.definitions(tenant);
    return all.filter((one) => one.group === group && one.version === version && one.kind === kind);
  }

  return {
    name: 'OwnerReferencesPermissionEnforcement',
    handles: ({ operation, definition, subresource, identity, object, oldObject, kind }) =>
      (operation === 'CREATE' || operation === 'UPDATE') &&
      identity.kind !== 'platform' &&
      kind === undefined &&
      !(definition.group === '' && definition.resource === 'pods' && subresource === 'status') &&
      !semanticEqual(object?.metadata?.ownerReferences ?? [], oldObject?.metadata.ownerReferences ?? []),
    async validate(request) {
      const { definition, subresource, tenant, namespace, name, operation, object, oldObject } = request;
      if (operation === 'UPDATE') {
        const { group, version, resource } = definition;
        const place = { group, version, resource, subresource, namespace, name };
        const decision = await judge(request, resourceAttributes(tenant, { verb: 'delete', ...place }));
        if (!decision.allowed) {
          throw forbid(request, `cannot set an ownerRef on a resource you can't delete: ${decision.reason}, <nil>`);
        }
      }
      const before = new Map(oldObject?.metadata.ownerReferences?.map((reference) => [reference.uid, reference]));
      const blocking = (object!.metadata.ownerReferences ?? []).filter(
        ({ blockOwnerDeletion, uid }) => blockOwnerDeletion === true && before.get(uid)?.blockOwnerDeletion !== true,
      );
      if (blocking.length === 0) return;
      const finalize = { verb: 'update', subresource: 'finalizers' };
      const anything = { ...finalize, group: '*', version: '*', resource: '*', name: '*' };
      if ((await judge(request, resourceAttributes(tenant, anything))).allowed) return;
      for (const reference of blocking) {
        if (request.pace?.isDue) await request.pace.rest();
        const owners = ownersOf(reference, tenant);
        if (owners.length === 0) {
          const { apiVersion, kind } = reference;
          throw forbid(
            request,
            `cannot set blockOwnerDeletion in this case because cannot find RESTMapping for APIVersion ${apiVersion} Kind ${kind}: no matches for kind ${JSON.stringify(kind)} in version ${JSON.stringify(apiVersion)}`,
          );
        }
        for (const owner of owners) {
          const { group, version, resource, namespaced } = owner;
          const place = { group, version, resource, name: reference.name, namespace: namespaced ? namespace : '' };
          const decision = await judge(request, resourceAttributes(tenant, { ...finalize, ...place }));
          if (decision.allowed) continue;
          throw forbid(
            request,
            `cannot set blockOwnerDeletion if an ownerReference refers to a resource you can't set finalizers on: ${decision.reason}, <nil>`,
          );
        }
      }
    },
  };
}
