import type { AdmissionPlugin } from './admission.ts';

const taints = ['node.kubernetes.io/not-ready', 'node.kubernetes.io/unreachable'];
const tolerationSeconds = 300;

/** Pods stay five minutes on a node that is not well, unless they say otherwise. Source: upstream's of that name. */
export const defaultTolerationSeconds: AdmissionPlugin = {
  name: 'DefaultTolerationSeconds',
  handles: ({ operation, definition, subresource }) =>
    (operation === 'CREATE' || operation === 'UPDATE') &&
    subresource === '' &&
    definition.group === '' &&
    definition.resource === 'pods',
  admit({ object }) {
    const { spec } = object!;
    const tolerations: { key?: string; effect?: string }[] = spec.tolerations ?? [];
    const missing = taints.filter(
      (taint) =>
        !tolerations.some(
          ({ key = '', effect = '' }) => (key === taint || key === '') && (effect === 'NoExecute' || effect === ''),
        ),
    );
    if (missing.length === 0) return;
    spec.tolerations = [
      ...tolerations,
      ...missing.map((key) => ({ key, operator: 'Exists', effect: 'NoExecute', tolerationSeconds })),
    ];
  },
};
