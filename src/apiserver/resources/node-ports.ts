import { randomUUID } from 'node:crypto';
import { formatTime, type KubeObject } from '../../api/object.ts';
import { SERVICES } from '../../api/resources.ts';
import { StatusError } from '../../api/status.ts';
import type { ObjectChange } from '../object-change.ts';
import type { Objects } from '../objects.ts';
import type { WriteScope } from './hooks.ts';

const first = 30_000;
const last = 32_767;

/** In the store only: no API shows them. One a port number of a tenant, written and deleted with its service. */
const claims = { group: 'skypod.internal', resource: 'nodeportclaims' };

interface Port {
  port: number;
  nodePort?: number;
}

export type Refuse = (field: string, value: unknown, why: string) => Error;

export const wantsNodePorts = (service: KubeObject): boolean => {
  const { type, allocateLoadBalancerNodePorts } = service['spec'];
  return type === 'NodePort' || (type === 'LoadBalancer' && allocateLoadBalancerNodePorts !== false);
};

const mayHaveNodePorts = ({ spec }: KubeObject): boolean => spec.type === 'NodePort' || spec.type === 'LoadBalancer';

/** A load balancer that prefers nodes with endpoints asks for them at a port of its own. */
const needsHealthCheck = ({ spec }: KubeObject): boolean =>
  spec.type === 'LoadBalancer' && spec.externalTrafficPolicy === 'Local';

/** Ports this process chose, so that a second try (the claim was lost) chooses anew. */
const chosen = new WeakMap<object, number>();

/**
 * Node ports are unique in a tenant, whatever their protocols; only ports of one service share one. A port is taken
 * when it is claimed, or stands in another service (one of before there were claims). Returns the claims that must be
 * made with the service, or not at all. Source: pkg/registry/core/service/storage/alloc.go.
 */
export async function claimNodePorts(
  objects: Objects,
  service: KubeObject,
  old: KubeObject | undefined,
  scope: WriteScope,
  nowMs: number,
  refuse: Refuse,
): Promise<ObjectChange[]> {
  const held = new Set(old === undefined ? [] : portsOf(old));
  if (old === undefined) forgetChosen(service);
  const wantsHealthCheck = needsHealthCheck(service) && (old === undefined || !needsHealthCheck(old));
  if (mayHaveNodePorts(service) && ((service['spec'].ports ?? []).length > 0 || wantsHealthCheck)) {
    const ports = new Ports(await takenPorts(objects, scope, held));
    if (old === undefined) fillNew(service, ports, refuse);
    else fillUpdated(service, held, ports, refuse);
    if (wantsHealthCheck) fillHealthCheck(service, ports);
  }
  const wanted = new Set(portsOf(service));
  const made = [...wanted].filter((port) => !held.has(port)).map((port) => claim(port, scope, nowMs));
  return [...made, ...(await releases(objects, [...held.difference(wanted)], scope))];
}

export function releaseNodePorts(objects: Objects, service: KubeObject, scope: WriteScope): Promise<ObjectChange[]> {
  return releases(objects, portsOf(service), scope);
}

function portsOf(service: KubeObject): number[] {
  const ports: number[] = (service['spec'].ports ?? []).map((port: Port) => port.nodePort);
  if (needsHealthCheck(service)) ports.push(service['spec'].healthCheckNodePort);
  return ports.filter(Boolean);
}

/** Only a new service is surely its writer's own copy. */
function forgetChosen(service: KubeObject): void {
  const { spec } = service;
  for (const port of spec.ports ?? []) if (chosen.get(port) === port.nodePort) delete port.nodePort;
  if (chosen.get(service) === spec.healthCheckNodePort) delete spec.healthCheckNodePort;
}

async function takenPorts(objects: Objects, scope: WriteScope, held: Set<number>): Promise<Set<number>> {
  const taken = new Set<number>();
  for (const entry of await objects.entries(claims, { tenant: scope.tenant })) {
    const port = Number.parseInt(entry.name, 10);
    if (!held.has(port)) taken.add(port);
  }
  for (const entry of await objects.entries(SERVICES, { tenant: scope.tenant })) {
    if (entry.namespace === scope.namespace && entry.name === scope.name) continue;
    for (const port of portsOf(entry.object)) taken.add(port);
  }
  return taken;
}

class Ports {
  readonly #taken: Set<number>;

  constructor(taken: Set<number>) {
    this.#taken = taken;
  }

  /** @returns why not, if it cannot be had */
  take(port: number): string | undefined {
    if (port < first || port > last) {
      return `provided port is not in the valid range. The range of valid ports is ${first}-${last}`;
    }
    if (this.#taken.has(port)) return 'provided port is already allocated';
    this.#taken.add(port);
    return undefined;
  }

  takeAny(what: string): number {
    const span = last - first + 1;
    const offset = Math.floor(Math.random() * span);
    for (let step = 0; step < span; step++) {
      const port = first + ((offset + step) % span);
      if (this.take(port) === undefined) return port;
    }
    throw new StatusError(500, 'InternalError', `Internal error occurred: failed to allocate a ${what}: range is full`);
  }
}

/** Ports of the same number (of two protocols) get the same node port. */
function fillNew(service: KubeObject, available: Ports, refuse: Refuse): void {
  const ports: Port[] = service['spec'].ports ?? [];
  const byNumber = new Map<number, number>();
  /** The first of each number that asks for one. */
  const asking = new Map<number, Port>();
  for (const port of ports) if (port.nodePort && !asking.has(port.port)) asking.set(port.port, port);
  for (const [index, port] of ports.entries()) {
    if (!port.nodePort && !wantsNodePorts(service)) continue;
    const known = byNumber.get(port.port);
    const asked = known === undefined ? asking.get(port.port) : port;
    const number = asked?.nodePort || known;
    if (number === undefined) choose(port, available);
    else if (number !== known) {
      const problem = available.take(number);
      if (problem !== undefined) throw refuse(`spec.ports[${index}].nodePort`, number, problem);
      port.nodePort = number;
    } else if (port.nodePort !== number) {
      port.nodePort = number;
      chosen.set(port, number);
    }
    if (known === undefined) byNumber.set(port.port, port.nodePort!);
  }
}

function fillUpdated(service: KubeObject, held: Set<number>, available: Ports, refuse: Refuse): void {
  const mine = new Set(held);
  for (const [index, port] of ((service['spec'].ports ?? []) as Port[]).entries()) {
    if (!port.nodePort) {
      if (wantsNodePorts(service)) choose(port, available);
      continue;
    }
    if (mine.has(port.nodePort)) continue;
    const problem = available.take(port.nodePort);
    if (problem !== undefined) throw refuse(`spec.ports[${index}].nodePort`, port.nodePort, problem);
    mine.add(port.nodePort);
  }
}

function choose(port: Port, available: Ports): void {
  port.nodePort = available.takeAny('nodePort');
  chosen.set(port, port.nodePort);
}

function fillHealthCheck(service: KubeObject, available: Ports): void {
  const asked: number = service['spec'].healthCheckNodePort ?? 0;
  if (asked === 0) {
    const port = available.takeAny('HealthCheck NodePort 0');
    service['spec'].healthCheckNodePort = port;
    chosen.set(service, port);
    return;
  }
  const problem = available.take(asked);
  if (problem === undefined) return;
  const message = `Internal error occurred: failed to allocate requested HealthCheck NodePort ${asked}: ${problem}`;
  throw new StatusError(500, 'InternalError', message);
}

function claim(port: number, { tenant, ...service }: WriteScope, nowMs: number): ObjectChange {
  const name = String(port);
  const after: KubeObject = {
    kind: 'NodePortClaim',
    apiVersion: `${claims.group}/v1`,
    metadata: { name, uid: randomUUID(), creationTimestamp: formatTime(nowMs) } as KubeObject['metadata'],
    spec: { parentRef: { resource: 'services', namespace: service.namespace, name: service.name } },
  };
  return { resource: claims, tenant, namespace: '', name, before: undefined, after };
}

async function releases(objects: Objects, ports: number[], scope: WriteScope): Promise<ObjectChange[]> {
  const changes: ObjectChange[] = [];
  // Claims once were per protocol.
  const names = [...new Set(ports)].flatMap((port) => [
    port,
    ...['tcp', 'udp', 'sctp'].map((each) => `${port}-${each}`),
  ]);
  for (const name of names.map(String)) {
    const before = await objects.get(claims, scope.tenant, '', name);
    const parent = before?.object['spec'].parentRef;
    if (before === undefined || parent.name !== scope.name || parent.namespace !== scope.namespace) continue;
    changes.push({ resource: claims, tenant: scope.tenant, namespace: '', name, before, after: undefined });
  }
  return changes;
}
