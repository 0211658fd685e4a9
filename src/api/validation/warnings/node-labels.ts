import type { NodeSelectorTerm } from '../../generated/core-v1.ts';
import type { LabelSelector } from '../../generated/meta-v1.ts';
import { isLabelValue } from '../../names.ts';

/** Source: pkg/api/node/util.go upstream. */
const deprecated = new Map([
  ['beta.kubernetes.io/arch', 'deprecated since v1.14; use "kubernetes.io/arch" instead'],
  ['beta.kubernetes.io/os', 'deprecated since v1.14; use "kubernetes.io/os" instead'],
  ['failure-domain.beta.kubernetes.io/region', 'deprecated since v1.17; use "topology.kubernetes.io/region" instead'],
  ['failure-domain.beta.kubernetes.io/zone', 'deprecated since v1.17; use "topology.kubernetes.io/zone" instead'],
  ['beta.kubernetes.io/instance-type', 'deprecated since v1.17; use "node.kubernetes.io/instance-type" instead'],
  ['app.kubernetes.io/created-by', 'deprecated since v1.9'],
  ['scheduler.alpha.kubernetes.io/preferAvoidPods', 'deprecated since v1.22; use Taints and Tolerations instead'],
  ['node-role.kubernetes.io/master', 'use "node-role.kubernetes.io/control-plane" instead'],
]);

export const deprecatedNodeLabel = (key: string): string | undefined => deprecated.get(key);

export function warnOfNodeSelectorTerm(
  term: NodeSelectorTerm,
  isPreferred: boolean,
  path: string,
  warnings: string[],
): void {
  term.matchExpressions?.forEach(({ key, values }, index) => {
    const at = `${path}.matchExpressions[${index}]`;
    const why = deprecated.get(key);
    if (why !== undefined) warnings.push(`${at}.key: ${key} is ${why}`);
    if (!isPreferred) return;
    // Those that are required are held to it by validation.
    values?.forEach((value, valueIndex) => {
      for (const finding of isLabelValue(value)) {
        warnings.push(`${at}.values[${valueIndex}]: ${value} is invalid, ${finding}`);
      }
    });
  });
}

export function warnOfNodeSelector(selector: LabelSelector | undefined, path: string, warnings: string[]): void {
  selector?.matchExpressions?.forEach(({ key }, index) => {
    const why = deprecated.get(key);
    if (why !== undefined) warnings.push(`${path}.matchExpressions[${index}].key: ${key} is ${why}`);
  });
  for (const label in selector?.matchLabels) {
    const why = deprecated.get(label);
    if (why !== undefined) warnings.push(`${path}.matchLabels.${label}: ${why}`);
  }
}
