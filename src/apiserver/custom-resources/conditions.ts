import type {
  CustomResourceDefinition,
  CustomResourceDefinitionCondition,
} from '../../api/generated/apiextensions-v1.ts';
import { formatTime } from '../../api/object.ts';

export type Condition = Omit<CustomResourceDefinitionCondition, 'lastTransitionTime'>;

export const conditionOf = (crd: CustomResourceDefinition, type: string) =>
  crd.status?.conditions?.find((condition) => condition.type === type);

export const isConditionTrue = (crd: CustomResourceDefinition, type: string): boolean =>
  conditionOf(crd, type)?.status === 'True';

/** A copy of the list with the condition as given; its time moves only with its status. */
export function withCondition(
  conditions: CustomResourceDefinitionCondition[] | undefined,
  condition: Condition,
  nowMs: number,
): CustomResourceDefinitionCondition[] {
  const list = [...(conditions ?? [])];
  const index = list.findIndex(({ type }) => type === condition.type);
  const before = list[index];
  const isSame = before?.status === condition.status && before.lastTransitionTime;
  const lastTransitionTime = isSame ? before.lastTransitionTime! : formatTime(nowMs);
  const { type, status, reason, message } = condition;
  const next = { ...before, type, status, lastTransitionTime, reason, message } as CustomResourceDefinitionCondition;
  if (index < 0) list.push(next);
  else list[index] = next;
  return list;
}
