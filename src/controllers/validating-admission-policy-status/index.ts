import type { ExpressionWarning, ValidatingAdmissionPolicy } from '../../api/generated/admissionregistration-v1.ts';
import type { CustomResourceDefinition } from '../../api/generated/apiextensions-v1.ts';
import type { GroupVersionResource } from '../../api/object.ts';
import { isNotFound } from '../../api/status.ts';
import { ALL_TENANTS, type Client } from '../../client/client.ts';
import type { Controller, ControllerQueue } from '../../client/controller.ts';
import { keyOf } from '../../client/informer.ts';
import type { ControllerDependencies } from '../common/dependencies.ts';
import type { ResourceInfo } from '../common/resources.ts';
import { checkPolicy, type TypeSource } from './check-policy.ts';
import { builtinType, customType } from './known-types.ts';

const POLICIES: GroupVersionResource = {
  group: 'admissionregistration.k8s.io',
  version: 'v1',
  resource: 'validatingadmissionpolicies',
};
const DEFINITIONS: GroupVersionResource = {
  group: 'apiextensions.k8s.io',
  version: 'v1',
  resource: 'customresourcedefinitions',
};

const isDue = ({ metadata, status }: ValidatingAdmissionPolicy) =>
  (metadata.generation ?? 0) > (status?.observedGeneration ?? 0);

/** A merge patch: only null removes the warnings of an earlier generation. */
export const statusPatch = ({ metadata }: ValidatingAdmissionPolicy, warnings: ExpressionWarning[]) => ({
  observedGeneration: metadata.generation!,
  typeChecking: { expressionWarnings: warnings.length === 0 ? null : warnings },
});

/** Tells in a policy's status what its expressions get wrong about the kinds it is for. */
export function createValidatingAdmissionPolicyStatusController(
  { informers, client }: ControllerDependencies,
  resources: ResourceInfo[],
): Controller {
  const policies = informers.informer<ValidatingAdmissionPolicy>(POLICIES, { tenant: ALL_TENANTS });
  const kinds = new Map(resources.map((one) => [`${one.group}/${one.version}/${one.resource}`, one.kind]));
  const add = (policy: ValidatingAdmissionPolicy, queue: ControllerQueue) => {
    if (isDue(policy)) queue.add(keyOf(policy));
  };
  return {
    name: 'validatingadmissionpolicy-status-controller',
    workers: 2,
    watches: [
      {
        informer: policies,
        handlers: (queue) => ({
          added: (policy: ValidatingAdmissionPolicy) => add(policy, queue),
          updated: (_: ValidatingAdmissionPolicy, policy: ValidatingAdmissionPolicy) => add(policy, queue),
        }),
      },
    ],
    async reconcile(key) {
      const policy = policies.get(key);
      if (policy === undefined || !isDue(policy)) return;
      const warnings = await checkPolicy(policy, typeSource(client, policy.metadata.clusterName!, kinds));
      const patch = { metadata: { uid: policy.metadata.uid }, status: statusPatch(policy, warnings) };
      try {
        await client.for(POLICIES, policy).patch(policy.metadata.name, 'merge', patch, 'status');
      } catch (error) {
        if (!isNotFound(error)) throw error;
      }
    },
  };
}

/** Kubernetes' own kinds and one tenant's custom ones. */
function typeSource(client: Client, tenant: string, kinds: ReadonlyMap<string, string>): TypeSource {
  const definitions = client.resource<CustomResourceDefinition>(tenant, DEFINITIONS);
  const find = async (
    group: string,
    isMeant: (definition: CustomResourceDefinition) => boolean,
  ): Promise<CustomResourceDefinition | undefined> => {
    if (!group.includes('.')) return undefined;
    const { items } = await definitions.list();
    return items.find((definition) => definition.spec!.group === group && isMeant(definition));
  };
  return {
    async kindOf(group, version, resource) {
      const builtin = kinds.get(`${group}/${version}/${resource}`);
      if (builtin !== undefined) return builtin;
      const definition = await find(group, ({ spec }) => spec!.names!.plural === resource);
      const versions = definition?.spec?.versions ?? [];
      const isServed = versions.some(({ name, served }) => served && name === version);
      return isServed ? definition?.spec?.names?.kind : undefined;
    },
    async typeOf(kind) {
      const builtin = builtinType(kind);
      if (builtin !== undefined) return builtin;
      const definition = await find(kind.group, ({ spec }) => spec!.names!.kind === kind.kind);
      return definition === undefined ? undefined : customType(definition, kind.version);
    },
  };
}
