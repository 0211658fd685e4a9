import type {
  CustomResourceDefinition,
  CustomResourceDefinitionNames,
  CustomResourceDefinitionStatus,
} from '../../api/generated/apiextensions-v1.ts';
import { type Approval, approvalOf, isProtectedGroup } from '../../api/structural-schema/definition/approval.ts';
import { type Condition, conditionOf, isConditionTrue, withCondition } from './conditions.ts';

/**
 * The status a definition's names earn it beside the others of its group: names nobody else has are accepted, and once
 * all are, the resource is served. Source: apiextensions' naming, establishing and API approval controllers.
 */
export function statusOf(
  crd: CustomResourceDefinition,
  others: CustomResourceDefinition[],
  nowMs: number,
): CustomResourceDefinitionStatus {
  const { acceptedNames, condition } = acceptNames(crd, others);
  let conditions = withCondition(crd.status?.conditions, condition, nowMs);
  conditions = withCondition(conditions, establishedCondition(crd, condition.status === 'True'), nowMs);
  const approval = approvalCondition(crd);
  if (approval !== undefined) conditions = withCondition(conditions, approval, nowMs);
  return { ...crd.status!, conditions, acceptedNames };
}

function establishedCondition(crd: CustomResourceDefinition, namesAccepted: boolean): Condition {
  const before = conditionOf(crd, 'Established');
  if (before?.status === 'True') return before;
  if (!namesAccepted) {
    return (
      before ?? {
        type: 'Established',
        status: 'False',
        reason: 'NotAccepted',
        message: 'not all names are accepted',
      }
    );
  }
  return {
    type: 'Established',
    status: 'True',
    reason: 'InitialNamesAccepted',
    message: 'the initial names have been accepted',
  };
}

function acceptNames(crd: CustomResourceDefinition, others: CustomResourceDefinition[]) {
  const asked = crd.spec.names;
  const held = crd.status?.acceptedNames ?? ({ plural: '', kind: '' } as CustomResourceDefinitionNames);
  const accepted: CustomResourceDefinitionNames = { ...held };
  const resources = new Set<string>();
  const kinds = new Set<string>();
  for (const { status } of others) {
    const names = status?.acceptedNames;
    for (const name of [names?.plural, names?.singular, ...(names?.shortNames ?? [])]) if (name) resources.add(name);
    for (const name of [names?.kind, names?.listKind]) if (name) kinds.add(name);
  }
  const taken = (name: string | undefined, mine: string | undefined, used: Set<string>) =>
    name !== mine && name !== undefined && used.has(name);
  let condition: Condition | undefined;
  const conflict = (reason: string, ...names: string[]) => {
    const messages = names.map((name) => `${JSON.stringify(name)} is already in use`);
    const message = messages.length === 1 ? messages[0]! : `[${messages.join(', ')}]`;
    condition = { type: 'NamesAccepted', status: 'False', reason, message };
  };
  const single = (field: 'plural' | 'singular' | 'kind' | 'listKind', reason: string, used: Set<string>) => {
    if (taken(asked[field], held[field], used)) conflict(reason, asked[field]!);
    else if (asked[field] === undefined) delete accepted[field];
    else accepted[field] = asked[field]!;
  };
  single('plural', 'PluralConflict', resources);
  single('singular', 'SingularConflict', resources);
  const shortNames = (asked.shortNames ?? []).filter(
    (name) => !(held.shortNames ?? []).includes(name) && resources.has(name),
  );
  if (shortNames.length > 0) conflict('ShortNamesConflict', ...shortNames);
  else if (asked.shortNames === undefined) delete accepted.shortNames;
  else accepted.shortNames = asked.shortNames;
  single('kind', 'KindConflict', kinds);
  single('listKind', 'ListKindConflict', kinds);
  if (asked.categories === undefined) delete accepted.categories;
  else accepted.categories = asked.categories;
  condition ??= { type: 'NamesAccepted', status: 'True', reason: 'NoConflicts', message: 'no conflicts found' };
  return { acceptedNames: accepted, condition };
}

const approvalReasons: Record<Approval['state'], string> = {
  Missing: 'MissingAnnotation',
  Bypassed: 'UnapprovedAnnotation',
  Approved: 'ApprovedAnnotation',
  Invalid: 'InvalidAnnotation',
};

function approvalCondition(crd: CustomResourceDefinition): Condition | undefined {
  if (!isProtectedGroup(crd.spec.group)) return undefined;
  const { state, reason } = approvalOf(crd.metadata.annotations);
  return {
    type: 'KubernetesAPIApprovalPolicyConformant',
    status: state === 'Approved' ? 'True' : 'False',
    reason: approvalReasons[state],
    message: reason,
  };
}

export const isEstablished = (crd: CustomResourceDefinition): boolean => isConditionTrue(crd, 'Established');
