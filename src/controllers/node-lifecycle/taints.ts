import type { Node, Taint } from '../../api/generated/core-v1.ts';

const prefix = 'node.kubernetes.io';

/** Condition, its status, and the taint that keeps new pods away while it is so. */
const byCondition: [type: string, status: string, key: string][] = [
  ['Ready', 'False', `${prefix}/not-ready`],
  ['Ready', 'Unknown', `${prefix}/unreachable`],
  ['MemoryPressure', 'True', `${prefix}/memory-pressure`],
  ['DiskPressure', 'True', `${prefix}/disk-pressure`],
  ['NetworkUnavailable', 'True', `${prefix}/network-unavailable`],
  ['PIDPressure', 'True', `${prefix}/pid-pressure`],
];
const unschedulable = `${prefix}/unschedulable`;
const ours = new Set([...byCondition.map(([, , key]) => key), unschedulable]);

const isOurs = ({ key, effect }: Taint): boolean => effect === 'NoSchedule' && ours.has(key);

/**
 * The node's taints as they ought to be; undefined when they are so already. Source: doNoScheduleTaintingPass of the node
 * lifecycle controller.
 */
export function taintsFor({ spec, status }: Node, now: string): Taint[] | undefined {
  const wanted = byCondition
    .filter(([type, value]) => status?.conditions?.some((each) => each.type === type && each.status === value))
    .map(([, , key]) => key);
  if (spec?.unschedulable === true) wanted.push(unschedulable);
  const taints = spec?.taints ?? [];
  const present = new Set(taints.filter(isOurs).map(({ key }) => key));
  if (wanted.length === present.size && wanted.every((key) => present.has(key))) return undefined;
  return [
    ...taints.filter((taint) => !isOurs(taint) || wanted.includes(taint.key)),
    ...wanted.filter((key) => !present.has(key)).map((key) => ({ key, effect: 'NoSchedule', timeAdded: now })),
  ];
}
