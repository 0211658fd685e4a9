import { HOST_LEASE_NAMESPACE } from '../../api/pool.ts';
import type { AdmissionPlugin } from './admission.ts';
import { forbid } from './forbid.ts';

/** What a host creates bears its own name: paths say nothing of it. Source: the idea of NodeRestriction upstream. */
export const hostRestriction: AdmissionPlugin = {
  name: 'HostRestriction',
  handles: ({ operation, identity }) => operation === 'CREATE' && identity.kind === 'host',
  validate(request) {
    const { definition, identity, object } = request;
    if (definition.resource === 'events') return;
    const own = object!.metadata.name === identity.hostName;
    if (definition.resource === 'hosts' && own) return;
    if (definition.resource === 'leases' && own && request.namespace === HOST_LEASE_NAMESPACE) return;
    throw forbid(request, `host ${JSON.stringify(identity.hostName)} may only create objects of its own name`);
  },
};
