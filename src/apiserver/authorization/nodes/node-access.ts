import type { GroupResource, KubeObject } from '../../../api/object.ts';
import { PODS } from '../../../api/resources.ts';
import { exactFieldValue } from '../../../api/selectors/field-selectors.ts';
import { type Pace, runInTurns, type Steps } from '../../../base/steps.ts';
import type { Identity } from '../../identity/identity.ts';
import type { Objects } from '../../objects.ts';
import type { Attributes } from '../attributes.ts';
import { bootstrapObjects } from '../bootstrap/policy.ts';
import type { Decision, HeldRules } from '../decision.ts';
import { type PolicyRule, ruleAllows } from '../rbac/rules.ts';
import { nodeSecretsOfVolume, podRefersTo, type Referenced } from './pod-references.ts';

const USER_PREFIX = 'system:node:';
const NODES_GROUP = 'system:nodes';
const LEASE_NAMESPACE = 'kube-node-lease';
/** So many pods are looked at between two steps. */
const podsAtOnce = 50;

const allow: Decision = { allowed: true, reason: '' };
const noOpinion = (reason = ''): Decision => ({ allowed: false, reason });
const unrelated = (nodeName: string) => noOpinion(`no relationship found between node '${nodeName}' and this object`);

const volumes: GroupResource = { group: '', resource: 'persistentvolumes' };

/** What names its node in its own spec. */
const ofNode = new Set(['volumeattachments.storage.k8s.io', 'resourceslices.resource.k8s.io']);

/**
 * What a tenant's node may do as itself: read what its pods need, and little else. No node of Skypod's uses it; who
 * asks is a user of the tenant's who has a node's certificate or impersonates one.
 *
 * Nothing is kept: related is what the pods that are bound to the node name at the moment. Of what it may write, the
 * admission plug-in NodeRestriction sees to it that it is its own. Source: plugin/pkg/auth/authorizer/node.
 */
export class NodeAccess {
  readonly #objects: Pick<Objects, 'get' | 'entries'>;
  readonly #rules: PolicyRule[] = bootstrapObjects['clusterroles.rbac.authorization.k8s.io']!.find(
    ({ metadata }) => metadata.name === 'system:node',
  )!['rules'];

  constructor(objects: Pick<Objects, 'get' | 'entries'>) {
    this.#objects = objects;
  }

  /** Undefined: the user is no node, and this has nothing to say. */
  static nodeOf({ name, groups }: Identity): string | undefined {
    return name.startsWith(USER_PREFIX) && groups.includes(NODES_GROUP) ? name.slice(USER_PREFIX.length) : undefined;
  }

  authorize(identity: Identity, attributes: Attributes, pace?: Pace): Decision | Promise<Decision> {
    const nodeName = NodeAccess.nodeOf(identity);
    if (nodeName === undefined) return noOpinion();
    if (nodeName === '') return noOpinion(`unknown node for user ${JSON.stringify(identity.name)}`);
    if (!attributes.isResourceRequest) return this.#byRules(attributes);
    const { group, resource, subresource, verb, name } = attributes;
    const isReading = verb === 'get' || verb === 'list' || verb === 'watch';
    const qualified = group === '' ? resource : `${resource}.${group}`;
    switch (qualified) {
      case 'secrets':
      case 'configmaps':
        return this.#readNamespaced(nodeName, attributes, pace);
      case 'serviceaccounts':
        if (verb === 'get' && subresource === '') return this.#readNamespaced(nodeName, attributes, pace);
        if (verb !== 'create' || name === '')
          return noOpinion('can only create tokens for individual service accounts');
        if (subresource !== 'token') return noOpinion('can only create token subresource of serviceaccount');
        return this.#related(nodeName, attributes, pace);
      case 'persistentvolumeclaims':
        if (subresource === 'status') {
          if (verb === 'update' || verb === 'patch') return this.#related(nodeName, attributes, pace);
          return noOpinion('can only get/update/patch this type');
        }
        return this.#get(nodeName, attributes, pace);
      case 'persistentvolumes':
      case 'resourceclaims.resource.k8s.io':
      case 'volumeattachments.storage.k8s.io':
        return this.#get(nodeName, attributes, pace);
      case 'leases.coordination.k8s.io':
        return lease(nodeName, attributes);
      case 'csinodes.storage.k8s.io':
        return csiNode(nodeName, attributes);
      case 'resourceslices.resource.k8s.io':
        if (subresource !== '') return noOpinion('cannot authorize ResourceSlice subresources');
        if (verb === 'list' || verb === 'watch' || verb === 'deletecollection') {
          if (exactFieldValue(attributes.fieldSelector, 'spec.nodeName') === nodeName) return allow;
          return noOpinion('can only list/watch/deletecollection resourceslices with nodeName field selector');
        }
        if (verb === 'create') return allow;
        if (touching.has(verb)) return this.#related(nodeName, attributes, pace);
        return noOpinion(
          'only the following verbs are allowed for a ResourceSlice: get, watch, list, create, update, patch, delete, deletecollection',
        );
      // Their feature is off by default.
      case 'podcertificaterequests.certificates.k8s.io':
        return noOpinion();
      case 'nodes':
        if (!isReading || subresource !== '') return granted(nodeWrites, attributes);
        if (name === nodeName) return allow;
        return noOpinion(
          name === ''
            ? `node '${nodeName}' cannot read all nodes, only its own Node object`
            : `node '${nodeName}' cannot read '${name}', only its own Node object`,
        );
      case 'pods':
        if (!isReading || subresource !== '') return granted(podWrites, attributes);
        if (verb === 'get') return this.#get(nodeName, attributes, pace);
        if (exactFieldValue(attributes.fieldSelector, 'spec.nodeName') === nodeName) return allow;
        if (name !== '') return this.#related(nodeName, attributes, pace);
        return noOpinion('can only list/watch pods with spec.nodeName field selector');
      default:
        return this.#byRules(attributes);
    }
  }

  rules(identity: Identity): HeldRules {
    if (NodeAccess.nodeOf(identity) === undefined) return { rules: [], errors: [] };
    return { rules: [], errors: ['node authorizer does not support user rule resolution'], incomplete: true };
  }

  #byRules(attributes: Attributes): Decision {
    return this.#rules.some((rule) => ruleAllows(rule, attributes)) ? allow : noOpinion();
  }

  #readNamespaced(nodeName: string, attributes: Attributes, pace: Pace | undefined) {
    const { verb, subresource, namespace } = attributes;
    if (verb !== 'get' && verb !== 'list' && verb !== 'watch') return noOpinion('can only read resources of this type');
    if (subresource !== '') return noOpinion('cannot read subresource');
    if (namespace === '') return noOpinion('can only read namespaced object of this type');
    return this.#related(nodeName, attributes, pace);
  }

  #get(nodeName: string, attributes: Attributes, pace: Pace | undefined): Decision | Promise<Decision> {
    if (attributes.verb !== 'get') return noOpinion('can only get individual resources of this type');
    if (attributes.subresource !== '') return noOpinion('cannot get subresource');
    return this.#related(nodeName, attributes, pace);
  }

  async #related(nodeName: string, attributes: Attributes, pace: Pace | undefined): Promise<Decision> {
    const { tenant, group, resource, namespace, name } = attributes;
    if (name === '') return noOpinion('No Object name found');
    const isRelated = await this.#leadsTo(nodeName, tenant, { group, resource }, namespace, name, pace);
    return isRelated ? allow : unrelated(nodeName);
  }

  async #leadsTo(
    nodeName: string,
    tenant: string,
    what: GroupResource,
    namespace: string,
    name: string,
    pace: Pace | undefined,
  ): Promise<boolean> {
    const qualified = what.group === '' ? what.resource : `${what.resource}.${what.group}`;
    if (qualified === 'pods' || ofNode.has(qualified)) {
      const entry = await this.#objects.get(what, tenant, namespace, name);
      return entry?.object['spec']?.nodeName === nodeName;
    }
    const claimOf = ({ spec }: any) =>
      spec?.claimRef === undefined
        ? false
        : this.#podsLeadTo(
            nodeName,
            tenant,
            'persistentvolumeclaims',
            spec.claimRef.namespace,
            spec.claimRef.name,
            pace,
          );
    if (qualified === 'persistentvolumes') {
      const volume = await this.#objects.get(volumes, tenant, '', name);
      return volume !== undefined && (await claimOf(volume.object));
    }
    if (await this.#podsLeadTo(nodeName, tenant, what.resource as Referenced, namespace, name, pace)) return true;
    if (qualified !== 'secrets') return false;
    const wanted = `${namespace}/${name}`;
    const attachedBy = (object: KubeObject) => [...nodeSecretsOfVolume(object)].includes(wanted);
    for (const { object } of await this.#objects.entries(volumes, { tenant }, { matches: attachedBy })) {
      if (await claimOf(object)) return true;
    }
    return false;
  }

  async #podsLeadTo(
    nodeName: string,
    tenant: string,
    what: Referenced,
    namespace: string,
    name: string,
    pace: Pace | undefined,
  ): Promise<boolean> {
    const filter = {
      matches: (object: KubeObject) => object['spec']?.nodeName === nodeName,
      exactFields: { 'spec.nodeName': nodeName },
    };
    const pods = await this.#objects.entries(PODS, { tenant, namespace }, filter);
    return runInTurns(
      anyPod(pods, ({ object }) => podRefersTo(object, what, name)),
      pace,
    );
  }
}

function* anyPod<T>(pods: readonly T[], matches: (pod: T) => boolean): Steps<boolean> {
  for (const [index, pod] of pods.entries()) {
    if (matches(pod)) return true;
    if (index % podsAtOnce === podsAtOnce - 1) yield;
  }
  return false;
}

/** By subresource: what admission narrows to the node's own. */
const nodeWrites: Record<string, readonly string[]> = {
  '': ['create', 'update', 'patch'],
  status: ['update', 'patch'],
};
const podWrites: Record<string, readonly string[]> = {
  '': ['create', 'delete'],
  status: ['update', 'patch'],
  eviction: ['create'],
};

function granted(writes: Record<string, readonly string[]>, { verb, subresource }: Attributes): Decision {
  return Object.hasOwn(writes, subresource) && writes[subresource]!.includes(verb) ? allow : noOpinion();
}

const touching = new Set(['get', 'create', 'update', 'patch', 'delete']);

function lease(nodeName: string, { verb, namespace, name }: Attributes): Decision {
  if (!touching.has(verb)) return noOpinion('can only get, create, update, patch, or delete a node lease');
  if (namespace !== LEASE_NAMESPACE) {
    return noOpinion(`can only access leases in the "${LEASE_NAMESPACE}" system namespace`);
  }
  if (verb === 'create') return allow;
  return name === nodeName ? allow : noOpinion('can only access node lease with the same name as the requesting node');
}

function csiNode(nodeName: string, { verb, subresource, name }: Attributes): Decision {
  if (!touching.has(verb)) return noOpinion('can only get, create, update, patch, or delete a CSINode');
  if (subresource !== '') return noOpinion('cannot authorize CSINode subresources');
  if (verb === 'create') return allow;
  return name === nodeName ? allow : noOpinion('can only access CSINode with the same name as the requesting node');
}
