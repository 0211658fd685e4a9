import type { KubeObject } from '../../api/object.ts';
import { NAMESPACES } from '../../api/resources.ts';
import type { FieldError } from '../../api/status.ts';
import type { Authorizer } from '../authorization/authorizer.ts';
import type { Objects } from '../objects.ts';
import { statusRights } from './device-status.ts';
import type { ResourceHooks, WriteScope } from './hooks.ts';

const label = 'resource.kubernetes.io/admin-access';

interface DeviceRequest {
  exactly?: { adminAccess?: boolean };
}

/**
 * Who monitors devices may have those that others hold, in namespaces that say so: the label is for those to give who
 * may write namespaces. Source: AuthorizedForAdmin and AuthorizedForAdminStatus in pkg/registry/resource.
 *
 * `requestsOf`: of a claim's spec, or of that which a template holds. Both never change, so only new ones are asked.
 */
export function deviceClaimHooks(
  objects: Objects,
  authorizer: Authorizer,
  requestsOf: (object: KubeObject) => DeviceRequest[] | undefined,
): ResourceHooks {
  /** First of all that is wrong, as upstream tells it. */
  const mustBeLabelled = async (field: string, found: FieldError[], { tenant, namespace }: WriteScope) => {
    const holder = await objects.get(NAMESPACES, tenant, '', namespace);
    if (holder?.object.metadata.labels?.[label] === 'true') return;
    const message = `Forbidden: admin access to devices requires the \`${label}: true\` label on the containing namespace`;
    found.unshift({ reason: 'FieldValueForbidden', field, message });
  };
  return {
    async prepareCreate(object, found, scope) {
      const index = requestsOf(object)?.findIndex(({ exactly }) => exactly?.adminAccess === true) ?? -1;
      if (index >= 0) await mustBeLabelled(`spec.devices.requests[${index}].adminAccess`, found, scope);
    },
    async checkStatusUpdate(object, old, found, scope) {
      found.unshift(...(await statusRights(authorizer, object, old, scope)));
      if (grantedAt(old) >= 0) return;
      const index = grantedAt(object);
      if (index >= 0) await mustBeLabelled(`status.allocation.devices.results[${index}].adminAccess`, found, scope);
    },
  };
}

function grantedAt(claim: KubeObject): number {
  const results: { adminAccess?: boolean }[] = claim['status']?.allocation?.devices?.results ?? [];
  return results.findIndex(({ adminAccess }) => adminAccess === true);
}
