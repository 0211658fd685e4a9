import type { Container, PodSpec } from '../../../api/generated/core-v1.ts';
import type { ObjectMeta } from '../../../api/object.ts';

export interface CheckedPod {
  metadata: Partial<ObjectMeta>;
  spec: PodSpec;
}

/** Why a pod is against a rule; undefined: it is not. */
export interface Violation {
  reason: string;
  detail: string;
}

export type Check = (pod: CheckedPod) => Violation | undefined;

export const containersOf = ({ spec }: CheckedPod): Container[] => [
  ...(spec.initContainers ?? []),
  ...(spec.containers ?? []),
  ...((spec.ephemeralContainers ?? []) as unknown as Container[]),
];

export const quoted = (items: Iterable<string>): string => [...items].map((item) => `"${item}"`).join(', ');
export const sorted = (items: Iterable<string>): string[] => [...new Set(items)].sort();

export const containersNamed = (names: string[]): string =>
  `${names.length === 1 ? 'container' : 'containers'} ${quoted(names)}`;

/** `pod and containers "a", "b"`: who has set something. */
export const setters = (podHas: boolean, names: string[]): string =>
  [...(podHas ? ['pod'] : []), ...(names.length > 0 ? [containersNamed(names)] : [])].join(' and ');

export const namesOf = (pod: CheckedPod, isBad: (container: Container) => boolean): string[] =>
  containersOf(pod)
    .filter(isBad)
    .map(({ name }) => name);
