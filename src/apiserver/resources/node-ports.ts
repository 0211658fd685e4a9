import { randomUUID } from 'node:crypto';
import { formatTime, type KubeObject } from '../../api/object.ts';
import { SERVICES } from '../../api/resources.ts';
import { StatusError } from '../../api/status.ts';
import type { ObjectChange, Objects } from '../objects.ts';
import type { WriteScope } from './hooks.ts';

const first = 30_000;
const last = 32_767;

/** In the store only: no API shows them. One a port and protocol of a tenant, written and deleted with its service. */
const claims = { group: 'skypod.internal', resource: 'nodeportclaims' };

interface Port {
  nodePort?: number;
  protocol?: string;
}

export type Refuse = (field: string, value: unknown, why: string) => Error;

export const wantsNodePorts = (service: KubeObject): boolean => {
  const { type, allocateLoadBalancerNodePorts } = service['spec'];
  return type === 'NodePort' || (type === 'LoadBalancer' && allocateLoadBalancerNodePorts !== false);
};

const nameOf = (port: Port) => `${port.nodePort}-${(port.protocol ?? 'TCP').toLowerCase()}`;

/** Ports this process chose, so that a second try (the claim was lost) chooses anew. */
const chosen = new WeakMap<Port, number>();

/**
 * Node ports are unique in a tenant. A port is taken when it is claimed, or stands in another service (one of before
 * there were claims). Returns the claims that must be made with the service, or not at all.
 */
export async function claimNodePorts(
  objects: Objects,
  service: KubeObject,
  old: KubeObject | undefined,
  scope: WriteScope,
  nowMs: number,
  refuse: Refuse,
): Promise<ObjectChange[]> {
  const ports: Port[] = wantsNodePorts(service) ? (service['spec'].ports ?? []) : [];
  const held = new Set(old === undefined ? [] : portsOf(old).map(nameOf));
  if (ports.length > 0) {
    // Only a new service's ports are surely its writer's own copy.
    if (old === undefined) for (const port of ports) if (chosen.get(port) === port.nodePort) delete port.nodePort;
    fill(ports, await takenPorts(objects, scope, held), refuse);
  }
  const wanted = new Set(ports.map(nameOf));
  const made = [...wanted].filter((name) => !held.has(name)).map((name) => claim(name, scope, nowMs));
  return [...made, ...(await releases(objects, [...held.difference(wanted)], scope))];
}

export function releaseNodePorts(objects: Objects, service: KubeObject, scope: WriteScope): Promise<ObjectChange[]> {
  return releases(objects, portsOf(service).map(nameOf), scope);
}

const portsOf = (service: KubeObject): Port[] => (service['spec'].ports ?? []).filter((port: Port) => port.nodePort);

async function takenPorts(objects: Objects, scope: WriteScope, held: Set<string>): Promise<Set<string>> {
  const taken = new Set<string>();
  for (const entry of await objects.entries(claims, { tenant: scope.tenant })) {
    if (!held.has(entry.name)) taken.add(entry.name);
  }
  for (const entry of await objects.entries(SERVICES, { tenant: scope.tenant })) {
    if (entry.namespace === scope.namespace && entry.name === scope.name) continue;
    for (const port of portsOf(entry.object)) taken.add(nameOf(port));
  }
  return taken;
}

/** Checks the ports that are asked for, and chooses the rest. */
function fill(ports: Port[], taken: Set<string>, refuse: Refuse): void {
  for (const [index, port] of ports.entries()) {
    if (!port.nodePort) continue;
    const field = `spec.ports[${index}].nodePort`;
    if (port.nodePort < first || port.nodePort > last) {
      const why = `provided port is not in the valid range. The range of valid ports is ${first}-${last}`;
      throw refuse(field, port.nodePort, why);
    }
    if (taken.has(nameOf(port))) throw refuse(field, port.nodePort, 'provided port is already allocated');
    taken.add(nameOf(port));
  }
  const span = last - first + 1;
  for (const port of ports) {
    if (port.nodePort) continue;
    const offset = Math.floor(Math.random() * span);
    for (let step = 0; step < span && !port.nodePort; step++) {
      const nodePort = first + ((offset + step) % span);
      const name = nameOf({ ...port, nodePort });
      if (taken.has(name)) continue;
      taken.add(name);
      port.nodePort = nodePort;
      chosen.set(port, nodePort);
    }
    if (!port.nodePort) {
      const message = 'Internal error occurred: failed to allocate a nodePort: range is full';
      throw new StatusError(500, 'InternalError', message);
    }
  }
}

function claim(name: string, { tenant, ...service }: WriteScope, nowMs: number): ObjectChange {
  const after: KubeObject = {
    kind: 'NodePortClaim',
    apiVersion: `${claims.group}/v1`,
    metadata: { name, uid: randomUUID(), creationTimestamp: formatTime(nowMs) } as KubeObject['metadata'],
    spec: { parentRef: { resource: 'services', namespace: service.namespace, name: service.name } },
  };
  return { resource: claims, tenant, namespace: '', name, before: undefined, after };
}

async function releases(objects: Objects, names: string[], scope: WriteScope): Promise<ObjectChange[]> {
  const changes: ObjectChange[] = [];
  for (const name of names) {
    const before = await objects.get(claims, scope.tenant, '', name);
    const parent = before?.object['spec'].parentRef;
    if (before === undefined || parent.name !== scope.name || parent.namespace !== scope.namespace) continue;
    changes.push({ resource: claims, tenant: scope.tenant, namespace: '', name, before, after: undefined });
  }
  return changes;
}
