/** Labels that a kubelet may give its own Node. Source: k8s.io/kubelet/pkg/apis/well_known_labels.go. */
const kubeletLabels = new Set([
  'kubernetes.io/hostname',
  'topology.kubernetes.io/zone',
  'topology.kubernetes.io/region',
  'failure-domain.beta.kubernetes.io/zone',
  'failure-domain.beta.kubernetes.io/region',
  'beta.kubernetes.io/instance-type',
  'node.kubernetes.io/instance-type',
  'kubernetes.io/os',
  'kubernetes.io/arch',
  'beta.kubernetes.io/os',
  'beta.kubernetes.io/arch',
]);
const kubeletDomains = ['kubelet.kubernetes.io', 'node.kubernetes.io'];
const kubernetesDomains = ['kubernetes.io', 'k8s.io'];
const restrictedDomain = 'node-restriction.kubernetes.io';

type Labels = Record<string, string> | undefined;

/** Keys whose values differ, or that only one has. */
export function modifiedLabels(one: Labels = {}, other: Labels = {}): string[] {
  const keys = new Set([...Object.keys(one), ...Object.keys(other)]);
  return [...keys].filter((key) => one[key] !== other[key]);
}

/** Those that would let a node draw pods to itself that others are to have. Sorted. */
export function forbiddenNodeLabels(keys: string[]): string[] {
  return keys
    .filter((key) => isIn(key, [restrictedDomain]) || (isIn(key, kubernetesDomains) && !isKubelets(key)))
    .sort();
}

const isKubelets = (key: string) => kubeletLabels.has(key) || isIn(key, kubeletDomains);

function isIn(key: string, domains: string[]): boolean {
  const slash = key.indexOf('/');
  const domain = slash < 0 ? '' : key.slice(0, slash);
  return domains.some((one) => domain === one || domain.endsWith(`.${one}`));
}
