import { NAMESPACES } from '../../api/resources.ts';
import { forbidden, notFound, StatusError } from '../../api/status.ts';
import { SYSTEM_TENANT } from '../../api/tenants.ts';
import type { Objects } from '../objects.ts';
import type { TenantDirectory } from '../tenants/tenant-directory.ts';
import type { AdmissionPlugin, AdmissionRequest } from './admission.ts';
import { forbid } from './forbid.ts';

/** Every tenant has these from the shared layer; upstream keeps kube-node-lease by creating it again. */
const immortalNamespaces = new Set(['default', 'kube-system', 'kube-public', 'kube-node-lease']);

/** Nothing is created where there is no namespace, or where one is going. Source: NamespaceLifecycle upstream. */
export function namespaceLifecycle(objects: Objects, tenants: TenantDirectory): AdmissionPlugin {
  return {
    name: 'NamespaceLifecycle',
    handles: ({ operation, definition, subresource, namespace }) =>
      operation === 'DELETE'
        ? definition.resource === 'namespaces' && definition.group === ''
        : operation === 'CREATE' && subresource === '' && namespace !== '' && definition.namespaced,
    async admit(request) {
      const { tenant, namespace } = request;
      if (request.operation === 'DELETE') return;
      // A review says nothing about whether its namespace exists.
      if (request.definition.resource === 'localsubjectaccessreviews') return;
      const entry = await objects.get(NAMESPACES, tenant, '', namespace);
      if (entry === undefined) {
        // The system tenant's namespaces are the tenants' names; they need no objects.
        if (tenant === SYSTEM_TENANT && (await tenants.exists(namespace))) return;
        throw notFound(NAMESPACES, namespace);
      }
      if (entry.object['status']?.phase !== 'Terminating') return;
      throw terminating(request);
    },
    validate(request) {
      if (request.operation !== 'DELETE' || !immortalNamespaces.has(request.name)) return;
      throw forbidden(request.definition, request.name, 'this namespace may not be deleted');
    },
  };
}

function terminating(request: AdmissionRequest): StatusError {
  const { namespace } = request;
  const error = forbid(
    request,
    `unable to create new content in namespace ${namespace} because it is being terminated`,
  );
  return new StatusError(error.code, error.reason, error.message, {
    ...error.details,
    causes: [
      {
        reason: 'NamespaceTerminating',
        message: `namespace ${namespace} is being terminated`,
        field: 'metadata.namespace',
      },
    ],
  });
}
