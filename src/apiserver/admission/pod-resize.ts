import { semanticEqual } from '../../api/equality.ts';
import type { Node, Pod } from '../../api/generated/core-v1.ts';
import { podRequests, resourcesOf } from '../../api/pods/pod-resources.ts';
import { StatusError } from '../../api/status.ts';
import type { Objects } from '../objects.ts';
import type { AdmissionPlugin, AdmissionRequest } from './admission.ts';
import { forbid } from './forbid.ts';

const NODES = { group: '', resource: 'nodes' };

/** A bound pod grows no larger than its node. Source: PodResizeValidator upstream. */
export const podResize = (objects: Objects): AdmissionPlugin => ({
  name: 'PodResizeValidator',
  handles: ({ operation, subresource, definition }) =>
    operation === 'UPDATE' && subresource === 'resize' && definition.group === '' && definition.resource === 'pods',
  async validate(request) {
    const pod = request.object as unknown as Pod;
    const { nodeName } = pod.spec;
    if (!nodeName || semanticEqual(pod.spec, request.oldObject!['spec'])) return;
    const node = (await objects.get(NODES, request.tenant, '', nodeName))?.object as unknown as Node | undefined;
    if (node === undefined) throw forbid(request, `node ${JSON.stringify(nodeName)} not found`);
    const os = node.metadata.labels?.['kubernetes.io/os'] ?? 'linux';
    if (os !== 'linux') {
      const message = `pod resize is only supported on linux nodes, node ${JSON.stringify(nodeName)} is ${JSON.stringify(os)}`;
      throw withCause(request, message, 'UnsupportedPlatform');
    }
    const asked = podRequests(pod.spec);
    const room = resourcesOf(node.status?.allocatable);
    const lacking = [
      ['cpu', asked.cpuMillis, room.cpuMillis] as const,
      ['memory', asked.memoryBytes, room.memoryBytes] as const,
    ].filter(([, requested, allocatable]) => requested > allocatable);
    if (lacking.length === 0) return;
    const parts = lacking.map(
      ([resource, requested, allocatable]) => `${resource}, requested: ${requested}, allocatable: ${allocatable}`,
    );
    const message = `node didn't have enough allocatable resources: ${parts.join('; ')}`;
    throw withCause(request, message, 'NodeCapacity');
  },
});

function withCause(request: AdmissionRequest, message: string, reason: string): StatusError {
  const { code, reason: forbidden, message: text, details } = forbid(request, message);
  return new StatusError(code, forbidden, text, { ...details, causes: [{ reason }] });
}
