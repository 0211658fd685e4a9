import type { KubeObject } from '../../api/object.ts';
import { IP_ADDRESSES } from '../../api/resources.ts';
import { type FieldError, invalid, StatusError } from '../../api/status.ts';
import type { Clock } from '../../base/clock.ts';
import type { ObjectChange } from '../object-change.ts';
import type { Objects } from '../objects.ts';
import { VirtualEntry } from '../tenants/virtual-entry.ts';
import type { ResourceHooks, WriteScope } from './hooks.ts';
import { claim, inServiceRange, pickAddress, serviceRanges } from './ip-addresses.ts';
import { fillFamilies } from './ip-families.ts';
import { claimNodePorts, releaseNodePorts, wantsNodePorts } from './node-ports.ts';

const serviceKind = { group: '', kind: 'Service' };

const isHeadless = (service: KubeObject) => service['spec'].clusterIP === 'None';
const hasAddress = (service: KubeObject) => service['spec'].type !== 'ExternalName' && !isHeadless(service);
/** The address a service holds, '' when it holds none. */
const addressOf = (service: KubeObject): string => (hasAddress(service) ? (service['spec'].clusterIP ?? '') : '');

/**
 * A service's address and node ports. The address is claimed by an IPAddress in the very transaction that writes the
 * service, a node port likewise (`node-ports.ts`), so none is ever lost or held twice.
 */
export function serviceHooks(objects: Objects, clock: Clock): ResourceHooks {
  async function claimAddress(service: KubeObject, scope: WriteScope): Promise<ObjectChange[]> {
    const { spec } = service;
    const asked: string = spec.clusterIP ?? '';
    const ranges = await serviceRanges(objects, scope.tenant);
    const cache = await objects.cache(IP_ADDRESSES);
    const isTaken = (address: string) => cache.get(scope.tenant, '', address) !== undefined;
    if (asked !== '') {
      if (!inServiceRange(ranges, asked)) {
        // Upstream tries a dry run in the first range alone.
        const first = ranges[0]?.prefix.text;
        const why =
          scope.dryRun && first !== undefined
            ? `the provided IP (${asked}) is not in the valid range. The range of valid IPs is ${first}`
            : 'the provided network does not match the current range';
        throw invalidField(scope, 'spec.clusterIPs', [asked], `failed to allocate IP ${asked}: ${why}`);
      }
      if ((await objects.get(IP_ADDRESSES, scope.tenant, '', asked)) !== undefined) {
        throw invalidField(
          scope,
          'spec.clusterIPs',
          [asked],
          `failed to allocate IP ${asked}: provided IP is already allocated`,
        );
      }
    }
    const address = asked !== '' ? asked : pickAddress(ranges, isTaken);
    if (address === undefined) {
      const forService = `for Service ${JSON.stringify(scope.name)}`;
      throw new StatusError(
        500,
        'InternalError',
        `Internal error occurred: failed to allocate a serviceIP ${forService}: range is full`,
      );
    }
    setAddress(service, address);
    return [claim(scope.tenant, address, scope, clock.now())];
  }

  async function release(service: KubeObject, scope: WriteScope): Promise<ObjectChange[]> {
    const address = addressOf(service);
    if (address === '') return [];
    const before = await objects.get(IP_ADDRESSES, scope.tenant, '', address);
    const parent = before?.object['spec']?.parentRef;
    if (before === undefined || before instanceof VirtualEntry) return [];
    if (parent?.name !== scope.name || parent?.namespace !== scope.namespace) return [];
    return [{ resource: IP_ADDRESSES, tenant: scope.tenant, namespace: '', name: address, before, after: undefined }];
  }

  const nodePorts = (service: KubeObject, old: KubeObject | undefined, scope: WriteScope) =>
    claimNodePorts(objects, service, old, scope, clock.now(), (...problem) => invalidField(scope, ...problem));

  const hooks: ResourceHooks = {
    async prepareCreate(service, found, scope) {
      if (service['spec'] === undefined) return;
      // Upstream looks at these alone before it claims anything, and tells of nothing else where one is wrong.
      const ofAddress = found.filter(isOfAddress);
      if (service['spec'].type !== 'ExternalName') mustHold(ofAddress, scope);
      if (found.some(({ field }) => claimed.test(field))) return;
      await hooks.onCreate!(found.length === 0 ? service : structuredClone(service), scope);
    },
    prepareUpdate(service, old) {
      if (hasAddress(service) && hasAddress(old) && !service['spec'].clusterIP) {
        setAddress(service, old['spec'].clusterIP);
      }
      keepNodePorts(service, old);
      normalize(service);
    },
    async onCreate(service, scope) {
      mustHold(normalize(service), scope);
      const ports = await nodePorts(service, undefined, scope);
      if (!hasAddress(service)) return ports;
      // A second try (the claim was lost) picks anew, unless the writer asked for this very address.
      const picked = pickedByUs.get(service);
      if (picked !== undefined && service['spec'].clusterIP === picked) setAddress(service, '');
      const asked = service['spec'].clusterIP;
      const changes = await claimAddress(service, scope);
      if (!asked) pickedByUs.set(service, service['spec'].clusterIP);
      return [...ports, ...changes];
    },
    async onUpdate(service, old, scope) {
      mustHold(normalize(service), scope);
      const ports = await nodePorts(service, old, scope);
      const before = addressOf(old);
      const after = addressOf(service);
      if (hasAddress(service) && after !== '' && after === before) return ports;
      const changes = [...ports, ...(before === '' ? [] : await release(old, scope))];
      return hasAddress(service) ? [...changes, ...(await claimAddress(service, scope))] : changes;
    },
    async onDelete(old, scope) {
      return [...(await release(old, scope)), ...(await releaseNodePorts(objects, old, scope))];
    },
  };
  return hooks;
}

/** What is wrong with these is told before anything is claimed. */
const claimed = /^spec\.(clusterIP|ipFamil|healthCheckNodePort|type)/;

const isOfAddress = ({ field, message }: FieldError): boolean =>
  /^spec\.(clusterIP|ipFamil)/.test(field) && !message.includes("may not be set to 'None' for");

/** Addresses this process chose, so that a lost claim can be told from an address the writer wants. */
const pickedByUs = new WeakMap<KubeObject, string>();

function setAddress(service: KubeObject, address: string): void {
  const { spec } = service;
  if (address === '') {
    delete spec.clusterIP;
    delete spec.clusterIPs;
    return;
  }
  spec.clusterIP = address;
  spec.clusterIPs = [address];
}

/** clusterIP and clusterIPs say the same; families are those of the one range there is. */
function normalize(service: KubeObject): FieldError[] {
  const { spec } = service;
  if (spec.type === 'ExternalName') {
    for (const field of ['clusterIP', 'clusterIPs', 'ipFamilies', 'ipFamilyPolicy', 'internalTrafficPolicy'])
      delete spec[field];
    return [];
  }
  if (!spec.clusterIP && spec.clusterIPs?.length > 0) spec.clusterIP = spec.clusterIPs[0];
  if (spec.clusterIP) spec.clusterIPs ??= [spec.clusterIP];
  if (spec.type === 'ClusterIP') for (const port of spec.ports ?? []) delete port.nodePort;
  return fillFamilies(spec);
}

/** A writer that leaves node ports out means the ones there are. */
function keepNodePorts(service: KubeObject, old: KubeObject): void {
  if (!wantsNodePorts(service)) return;
  const keyOf = (port: any) => `${port.port}/${port.protocol ?? 'TCP'}/${port.name ?? ''}`;
  const known = new Map<string, number>();
  for (const port of old['spec'].ports ?? []) if (port.nodePort) known.set(keyOf(port), port.nodePort);
  for (const port of service['spec'].ports ?? []) {
    if (port.nodePort) continue;
    const before = known.get(keyOf(port));
    if (before !== undefined) port.nodePort = before;
  }
}

function mustHold(found: FieldError[], { name }: WriteScope): void {
  if (found.length > 0) throw invalid(serviceKind, name, found);
}

function invalidField(scope: WriteScope, field: string, value: unknown, why: string): StatusError {
  const error: FieldError = {
    reason: 'FieldValueInvalid',
    field,
    message: `Invalid value: ${JSON.stringify(value)}: ${why}`,
  };
  return invalid(serviceKind, scope.name, [error]);
}
