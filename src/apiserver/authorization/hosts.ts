import { HOST_LEASE_NAMESPACE } from '../../api/pool.ts';
import { exactFieldValue } from '../../api/selectors/field-selectors.ts';
import type { Attributes } from './attributes.ts';
import type { Decision } from './decision.ts';

/** What the host rules need to know of the pool; answered from the watch cache. */
export interface HostFacts {
  /** The host an instance is bound to; undefined when there is no such instance or it is unbound. */
  hostOfInstance(namespace: string, name: string): Promise<string | undefined>;
  /** Whether the host carries an instance of the tenant (= namespace in the system tenant). */
  hasInstancesOf(hostName: string, namespace: string): Promise<boolean>;
}

const allow: Decision = { allowed: true, reason: '' };
const deny = (reason = ''): Decision => ({ allowed: false, reason });
const reading = new Set(['get', 'list', 'watch']);
const ownObjectVerbs = new Set(['get', 'update', 'patch']);

/** A host may do what its own instances need. */
export async function authorizeHost(hostName: string, attributes: Attributes, facts: HostFacts): Promise<Decision> {
  const { group, resource, subresource, verb, namespace, name } = attributes;
  switch (group === '' ? resource : `${resource}.${group}`) {
    case 'containerinstances.pool.skypod.io': {
      if (verb === 'list' || verb === 'watch') {
        const pinned = exactFieldValue(attributes.fieldSelector, 'spec.hostName') === hostName;
        return pinned ? allow : deny(`it may only see instances with fieldSelector spec.hostName=${hostName}`);
      }
      const mayDo =
        (subresource === '' && (verb === 'get' || verb === 'delete')) ||
        (subresource === 'status' && ownObjectVerbs.has(verb));
      if (!mayDo || name === '') return deny();
      return (await facts.hostOfInstance(namespace, name)) === hostName ? allow : deny('the instance is not its own');
    }
    case 'hosts.pool.skypod.io':
      // The name of a new one is in the body: admission's HostRestriction looks at it.
      if (verb === 'create' && subresource === '') return allow;
      if (name !== hostName) return deny('it may only touch its own Host');
      if (subresource === '') return reading.has(verb) || ownObjectVerbs.has(verb) ? allow : deny();
      return subresource === 'status' && ownObjectVerbs.has(verb) ? allow : deny();
    case 'leases.coordination.k8s.io':
      if (namespace !== HOST_LEASE_NAMESPACE || subresource !== '') return deny();
      if (verb === 'create') return allow;
      return name === hostName && (reading.has(verb) || ownObjectVerbs.has(verb)) ? allow : deny();
    case 'vpcservices.network.skypod.io':
      if (!reading.has(verb) || namespace === '') return deny();
      return (await facts.hasInstancesOf(hostName, namespace)) ? allow : deny('it carries no instance of that tenant');
    case 'events':
    case 'events.events.k8s.io':
      if ((verb !== 'create' && verb !== 'patch') || namespace === '') return deny();
      return (await facts.hasInstancesOf(hostName, namespace)) ? allow : deny('it carries no instance of that tenant');
    default:
      return deny();
  }
}
