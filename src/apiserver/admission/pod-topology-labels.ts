import { ZONE_LABEL } from '../../api/well-known.ts';
import type { Objects } from '../objects.ts';
import type { AdmissionPlugin } from './admission.ts';

const NODES = { group: '', resource: 'nodes' };
const copied = [ZONE_LABEL, 'topology.kubernetes.io/region'];

/**
 * A pod carries the topology labels of its node, so that the downward API can show them: put on the binding, which hands
 * its labels on, or on a pod that comes with its node. Source: PodTopologyLabels upstream.
 */
export const podTopologyLabels = (objects: Objects): AdmissionPlugin => ({
  name: 'PodTopologyLabels',
  handles: ({ operation, subresource, definition }) =>
    operation === 'CREATE' &&
    definition.group === '' &&
    definition.resource === 'pods' &&
    (subresource === '' || subresource === 'binding'),
  async admit({ object, subresource, tenant }) {
    const isBinding = subresource === 'binding';
    if (isBinding && object!['target']?.kind !== 'Node') return;
    const nodeName: unknown = isBinding ? object!['target'].name : object!['spec']?.nodeName;
    if (typeof nodeName !== 'string' || nodeName === '') return;
    const labels = (await objects.get(NODES, tenant, '', nodeName))?.object.metadata.labels ?? {};
    const found = copied.flatMap((key) => (labels[key] === undefined ? [] : [[key, labels[key]] as const]));
    if (found.length === 0) return;
    object!.metadata.labels = { ...object!.metadata.labels, ...Object.fromEntries(found) };
  },
});
