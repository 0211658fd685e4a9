import type { AdmissionPlugin } from './admission.ts';

const notReady = { key: 'node.kubernetes.io/not-ready', effect: 'NoSchedule' };

/** No pod comes to a new node before the node's controller has looked at it. Source: TaintNodesByCondition upstream. */
export const nodeTaint: AdmissionPlugin = {
  name: 'TaintNodesByCondition',
  handles: ({ operation, definition, subresource }) =>
    operation === 'CREATE' && subresource === '' && definition.group === '' && definition.resource === 'nodes',
  admit({ object }) {
    const spec = (object!['spec'] ??= {});
    const taints: { key?: string; effect?: string }[] = spec.taints ?? [];
    if (taints.some(({ key, effect }) => key === notReady.key && effect === notReady.effect)) return;
    spec.taints = [...taints, { ...notReady }];
  },
};
