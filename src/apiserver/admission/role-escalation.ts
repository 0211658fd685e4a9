import { semanticEqual } from '../../api/equality.ts';
import type { KubeObject } from '../../api/object.ts';
import { forbidden, notFound } from '../../api/status.ts';
import { runInTurns } from '../../base/steps.ts';
import { resourceAttributes } from '../authorization/attributes.ts';
import type { Authorizer } from '../authorization/authorizer.ts';
import { describeRules, missingRules, quotedList } from '../authorization/rbac/cover.ts';
import { aggregate, type RoleBasedAccess } from '../authorization/rbac/role-based-access.ts';
import type { PolicyRule } from '../authorization/rbac/rules.ts';
import { SYSTEM_MASTERS } from '../identity/identity.ts';
import type { AdmissionPlugin, AdmissionRequest } from './admission.ts';

const group = 'rbac.authorization.k8s.io';
const fullAuthority: PolicyRule[] = [
  { verbs: ['*'], apiGroups: ['*'], resources: ['*'] },
  { verbs: ['*'], nonResourceURLs: ['*'] },
];

/**
 * Nobody gives away more than they hold, unless they may `escalate` roles or `bind` the one at hand. Source: the
 * policybased storages of upstream's rbac registry, which stand in the same place of a write.
 */
export function roleEscalation(authorizer: Authorizer, access: RoleBasedAccess): AdmissionPlugin {
  const may = async (
    { identity, tenant, pace }: AdmissionRequest,
    verb: string,
    place: { resource: string; namespace: string; name: string },
  ) => (await authorizer.authorize(identity, resourceAttributes(tenant, { verb, group, ...place }), pace)).allowed;

  /** What stands against giving `wanted` away; undefined when nothing does. */
  async function escalation(request: AdmissionRequest, wanted: PolicyRule[]): Promise<string | undefined> {
    const { identity, tenant, namespace, pace } = request;
    const held = await authorizer.rules(identity, tenant, namespace, pace);
    const missing = await runInTurns(missingRules(held.rules, wanted), pace);
    if (missing.length === 0) return undefined;
    const groups = quotedList(identity.groups);
    const errors = held.errors.length === 0 ? '' : `; resolution errors: [${aggregate(held.errors)}]`;
    return `user ${JSON.stringify(identity.name)} (groups=${groups}) is attempting to grant RBAC permissions not currently held:\n${describeRules(missing)}${errors}`;
  }

  async function validateRole(request: AdmissionRequest, role: KubeObject): Promise<void> {
    const { definition, namespace, operation } = request;
    const { resource } = definition;
    const name = operation === 'CREATE' ? '' : request.name;
    if (await may(request, 'escalate', { resource, namespace, name })) return;
    const refusal = await escalation(request, role['rules'] ?? []);
    if (refusal !== undefined) throw forbidden(definition, role.metadata.name, refusal);
    const aggregates = (one: KubeObject | undefined) => one?.['aggregationRule']?.clusterRoleSelectors?.length > 0;
    if (!aggregates(role) && !aggregates(request.oldObject)) return;
    if ((await escalation(request, fullAuthority)) === undefined) return;
    throw forbidden(definition, role.metadata.name, 'must have cluster-admin privileges to use the aggregationRule');
  }

  async function validateBinding(request: AdmissionRequest, binding: KubeObject): Promise<void> {
    const { definition, namespace, tenant } = request;
    const { kind, name } = binding['roleRef'];
    const resource = kind === 'ClusterRole' ? 'clusterroles' : 'roles';
    if (await may(request, 'bind', { resource, namespace, name })) return;
    const rules = await access.rulesOfRole(tenant, kind, namespace, name);
    // As upstream: what is missing is said to be of the resource that was asked for.
    if (rules === undefined) throw notFound(definition, name);
    const refusal = await escalation(request, rules);
    if (refusal !== undefined) throw forbidden(definition, binding.metadata.name, refusal);
  }

  return {
    name: 'RoleEscalation',
    handles: ({ operation, definition, subresource, identity }) =>
      definition.group === group &&
      subresource === '' &&
      (operation === 'CREATE' || operation === 'UPDATE') &&
      identity.kind !== 'platform' &&
      !identity.groups.includes(SYSTEM_MASTERS),
    async validate(request) {
      const object = request.object!;
      if (request.oldObject !== undefined && changesOnlyItsEnd(object, request.oldObject)) return;
      if (request.definition.resource.endsWith('bindings')) await validateBinding(request, object);
      else await validateRole(request, object);
    },
  };
}

/** Owners and finalizers may be taken away by who holds nothing: the garbage collector's work must not stop at roles. */
function changesOnlyItsEnd(object: KubeObject, old: KubeObject): boolean {
  const rest = ({ metadata, ...fields }: KubeObject) => {
    const { ownerReferences: _o, finalizers: _f, managedFields: _m, resourceVersion: _r, ...others } = metadata;
    const { clusterName: _c, ...shown } = others;
    return { ...fields, metadata: shown };
  };
  return semanticEqual(rest(object), rest(old));
}
