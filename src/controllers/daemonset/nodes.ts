import type { DaemonSet } from '../../api/generated/apps-v1.ts';
import type { Node, NodeSelectorTerm, Pod, PodSpec, Toleration } from '../../api/generated/core-v1.ts';
import { containsLabels } from '../common/label-selector.ts';
import { tolerates } from '../common/tolerations.ts';

const EVERYTHING = 'Exists';

/** What nodes may suffer without a daemon having to leave or stay away. */
const daemonTolerations: Toleration[] = [
  { key: 'node.kubernetes.io/not-ready', operator: EVERYTHING, effect: 'NoExecute' },
  { key: 'node.kubernetes.io/unreachable', operator: EVERYTHING, effect: 'NoExecute' },
  { key: 'node.kubernetes.io/disk-pressure', operator: EVERYTHING, effect: 'NoSchedule' },
  { key: 'node.kubernetes.io/memory-pressure', operator: EVERYTHING, effect: 'NoSchedule' },
  { key: 'node.kubernetes.io/pid-pressure', operator: EVERYTHING, effect: 'NoSchedule' },
  { key: 'node.kubernetes.io/unschedulable', operator: EVERYTHING, effect: 'NoSchedule' },
];
const hostNetworkToleration: Toleration = {
  key: 'node.kubernetes.io/network-unavailable',
  operator: EVERYTHING,
  effect: 'NoSchedule',
};

function tolerationsOf(spec: PodSpec): Toleration[] {
  const added = spec.hostNetwork === true ? [...daemonTolerations, hostNetworkToleration] : daemonTolerations;
  const own = spec.tolerations ?? [];
  const isThere = (wanted: Toleration) =>
    own.some(
      ({ key, operator, effect }) => key === wanted.key && operator === wanted.operator && effect === wanted.effect,
    );
  return [...own, ...added.filter((toleration) => !isThere(toleration))];
}

/** The pod's spec, pinned to one node by its name; the scheduler does the rest. */
export function specForNode(spec: PodSpec, nodeName: string): PodSpec {
  const pin = { key: 'metadata.name', operator: 'In', values: [nodeName] };
  const required = spec.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution;
  // As upstream: the set's own terms are checked when it chooses nodes, only the name is left to the scheduler.
  const terms = required?.nodeSelectorTerms ?? [];
  const nodeSelectorTerms =
    terms.length === 0 ? [{ matchFields: [pin] }] : terms.map((term) => ({ ...term, matchFields: [pin] }));
  return {
    ...spec,
    tolerations: tolerationsOf(spec),
    affinity: {
      ...spec.affinity,
      nodeAffinity: {
        ...spec.affinity?.nodeAffinity,
        requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms },
      },
    },
  };
}

/** The node a daemon pod runs on, or is pinned to. */
export function nodeOf(pod: Pod): string | undefined {
  if ((pod.spec?.nodeName ?? '') !== '') return pod.spec!.nodeName;
  const required = pod.spec?.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution;
  for (const term of required?.nodeSelectorTerms ?? []) {
    const pin = term.matchFields?.find(({ key, operator }) => key === 'metadata.name' && operator === 'In');
    if (pin?.values?.length === 1) return pin.values[0];
  }
  return undefined;
}

/** Whether a pod of the set belongs on the node, and whether one that is there may stay. */
export function fitsNode(set: DaemonSet, node: Node): { shouldRun: boolean; mayStay: boolean } {
  const spec = set.spec.template.spec!;
  const isNamed = (spec.nodeName ?? '') === '' || spec.nodeName === node.metadata.name;
  const terms =
    spec.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution?.nodeSelectorTerms ?? undefined;
  const isSelected =
    containsLabels(node.metadata.labels, spec.nodeSelector) &&
    (terms === undefined || terms.some((term) => matchesTerm(term, node)));
  if (!isNamed || !isSelected) return { shouldRun: false, mayStay: false };
  const tolerations = tolerationsOf(spec);
  const untolerated = (node.spec?.taints ?? []).filter(
    (taint) => taint.effect !== 'PreferNoSchedule' && !tolerations.some((toleration) => tolerates(toleration, taint)),
  );
  return {
    shouldRun: untolerated.length === 0,
    mayStay: !untolerated.some((taint) => taint.effect === 'NoExecute'),
  };
}

function matchesTerm(term: NodeSelectorTerm, node: Node): boolean {
  const labels = node.metadata.labels ?? {};
  const expressions = term.matchExpressions ?? [];
  const fields = term.matchFields ?? [];
  if (expressions.length === 0 && fields.length === 0) return false;
  const holds = (value: string | undefined, operator: string, values: string[] = []): boolean => {
    switch (operator) {
      case 'In':
        return value !== undefined && values.includes(value);
      case 'NotIn':
        return value === undefined || !values.includes(value);
      case 'Exists':
        return value !== undefined;
      case 'DoesNotExist':
        return value === undefined;
      case 'Gt':
        return value !== undefined && Number(value) > Number(values[0]);
      case 'Lt':
        return value !== undefined && Number(value) < Number(values[0]);
      default:
        return false;
    }
  };
  return (
    expressions.every(({ key, operator, values }) => holds(labels[key], operator, values)) &&
    fields.every(({ operator, values }) => holds(node.metadata.name, operator, values))
  );
}
