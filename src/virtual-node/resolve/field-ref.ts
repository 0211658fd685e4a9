import type { Container, Pod, ResourceFieldSelector } from '../../api/generated/core-v1.ts';
import { containerResources } from '../../api/pods/pod-resources.ts';
import { quantityMilliValue, quantityNumber, quantityValue } from '../../api/quantity.ts';
import { type Lookups, ResolveError } from './lookups.ts';

/** Fields of an environment variable that only the host knows; it fills them in. */
export const hostFields = new Set(['status.podIP', 'status.podIPs', 'status.hostIP', 'status.hostIPs']);

const subscripted = /^metadata\.(labels|annotations)\['(.+)'\]$/;

/** A fieldRef's value, as upstream's fieldpath.ExtractFieldPathAsString. */
export function fieldValue(pod: Pod, path: string): string {
  const { metadata, spec } = pod;
  const match = subscripted.exec(path);
  if (match !== null) return metadata[match[1] as 'labels' | 'annotations']?.[match[2]!] ?? '';
  switch (path) {
    case 'metadata.name':
      return metadata.name;
    case 'metadata.namespace':
      return metadata.namespace ?? '';
    case 'metadata.uid':
      return metadata.uid;
    case 'metadata.labels':
      return formatMap(metadata.labels);
    case 'metadata.annotations':
      return formatMap(metadata.annotations);
    case 'spec.nodeName':
      return spec.nodeName ?? '';
    case 'spec.serviceAccountName':
      return spec.serviceAccountName ?? '';
    default:
      throw new ResolveError(`unsupported fieldPath: ${path}`);
  }
}

/** `key="escaped value"`, one a line, sorted. */
function formatMap(map: Readonly<Record<string, string>> = {}): string {
  return Object.keys(map)
    .sort()
    .map((key) => `${key}=${JSON.stringify(map[key])}`)
    .join('\n');
}

/**
 * A resourceFieldRef's value in units of its divisor, rounded up. Limits that are not set are the whole pod's, and where
 * it has none either, the node's allocatable. Source: pkg/kubelet/kubelet_resources.go.
 */
export function resourceFieldValue(
  pod: Pod,
  container: Container,
  ref: ResourceFieldSelector,
  lookups: Lookups,
): string {
  const [kind, name = ''] = splitOnce(ref.resource);
  if (kind !== 'limits' && kind !== 'requests') {
    throw new ResolveError(`unsupported container resource : ${ref.resource}`);
  }
  const isSet = ({ resources }: Pick<Container, 'resources'>) => quantityNumber(resources?.[kind]?.[name] ?? '0') !== 0;
  const ofPod = { name: '', resources: pod.spec.resources };
  const isPodLevel = (name === 'cpu' || name === 'memory') && isSet(ofPod);
  const amounts =
    kind === 'requests' || isSet(container)
      ? containerResources(container, kind)
      : isPodLevel
        ? containerResources(ofPod, kind)
        : lookups.allocatable;
  const divisor = ref.divisor === undefined || quantityNumber(ref.divisor) === 0 ? '1' : ref.divisor;
  switch (name) {
    case 'cpu':
      return String(Math.ceil(amounts.cpuMillis / quantityMilliValue(divisor)));
    case 'memory':
      return String(Math.ceil(amounts.memoryBytes / quantityValue(divisor)));
    case 'ephemeral-storage':
      return String(Math.ceil(amounts.ephemeralStorageBytes / quantityValue(divisor)));
    default:
      throw new ResolveError(`unsupported container resource : ${ref.resource}`);
  }
}

function splitOnce(text: string): [string, string] {
  const dot = text.indexOf('.');
  return dot < 0 ? [text, ''] : [text.slice(0, dot), text.slice(dot + 1)];
}
