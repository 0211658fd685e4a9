import type { IPAddress, ServiceCIDR } from '../../api/generated/networking-v1.ts';
import { containsPrefix, overlaps } from '../../api/ip-prefix.ts';
import { formatTime } from '../../api/object.ts';
import { SERVICE_CIDRS } from '../../api/resources.ts';
import { DEFAULT_SERVICE_CIDR_NAME, SERVICE_CIDR_FINALIZER } from '../../api/service-addresses.ts';
import { isNotFound } from '../../api/status.ts';
import type { Controller, ControllerQueue } from '../../client/controller.ts';
import { keyOf } from '../../client/informer.ts';
import type { ControllerDependencies } from '../common/dependencies.ts';
import { isAllocated, ServiceRanges } from '../common/service-ranges.ts';

const component = 'service-cidr-controller';

/** So long every API server gets to hear of the deletion before the last one may have given an address. */
const deletionGraceMs = 10_000;

type Condition = NonNullable<NonNullable<ServiceCIDR['status']>['conditions']>[number];

/**
 * Tells that a ServiceCIDR is ready, and keeps one that goes until no address is of it alone.
 * Source: pkg/controller/servicecidrs.
 */
export function createServiceCidrController(dependencies: ControllerDependencies): Controller {
  const { informers, client, clock } = dependencies;
  const ranges = new ServiceRanges(informers);
  const recorder = dependencies.recorder(component);

  const wakeOverlapping = (cidr: ServiceCIDR, queue: ControllerQueue) => {
    queue.add(keyOf(cidr));
    const tenant = cidr.metadata.clusterName!;
    for (const mine of ranges.rangesOf(cidr)) {
      for (const other of ranges.of(tenant)) {
        if (overlaps(mine.prefix, other.prefix)) queue.add(`${tenant}//${other.name}`);
      }
    }
  };
  const wakeContaining = (address: IPAddress, queue: ControllerQueue) => {
    if (!isAllocated(address)) return;
    const tenant = address.metadata.clusterName!;
    for (const name of ranges.containing(tenant, address.metadata.name)) queue.add(`${tenant}//${name}`);
  };

  /** Whether every range lies in another's too, or no address that was given is in this ServiceCIDR alone. */
  function mayGo(cidr: ServiceCIDR): boolean {
    const { name, clusterName: tenant = '' } = cidr.metadata;
    const others = ranges.of(tenant).filter((range) => range.name !== name);
    const mine = ranges.rangesOf(cidr);
    if (mine.every(({ prefix }) => others.some((other) => containsPrefix(other.prefix, prefix)))) return true;
    return ranges.allocated(tenant).every((address) => {
      const holders = ranges.containing(tenant, address);
      return !(holders.length === 1 && holders[0] === name);
    });
  }

  async function setReady(cidr: ServiceCIDR, ready: Omit<Condition, 'type' | 'lastTransitionTime'>): Promise<void> {
    const conditions = cidr.status?.conditions ?? [];
    const known = conditions.find(({ type }) => type === 'Ready');
    const isSame = (['status', 'reason', 'message'] as const).every((field) => (known?.[field] ?? '') === ready[field]);
    if (known !== undefined && isSame) return;
    const { uid, resourceVersion } = cidr.metadata;
    const condition = { type: 'Ready', ...ready, lastTransitionTime: formatTime(clock.now()) };
    const all = [...conditions.filter(({ type }) => type !== 'Ready'), condition];
    const patch = { metadata: { uid, resourceVersion }, status: { conditions: all } };
    await client.for<ServiceCIDR>(SERVICE_CIDRS, cidr).patch(cidr.metadata.name, 'merge', patch, 'status');
  }

  async function setFinalizers(cidr: ServiceCIDR, finalizers: string[]): Promise<ServiceCIDR | undefined> {
    const { uid, resourceVersion, name } = cidr.metadata;
    const metadata = { uid, resourceVersion, finalizers: finalizers.length === 0 ? null : finalizers };
    try {
      return await client.for<ServiceCIDR>(SERVICE_CIDRS, cidr).patch(name, 'merge', { metadata });
    } catch (error) {
      if (isNotFound(error)) return undefined;
      throw error;
    }
  }

  return {
    name: component,
    workers: 5,
    watches: [
      {
        informer: ranges.cidrs,
        handlers: (queue) => ({
          added: (cidr: ServiceCIDR) => wakeOverlapping(cidr, queue),
          updated: (_: ServiceCIDR, cidr: ServiceCIDR) => queue.add(keyOf(cidr)),
          deleted: (cidr: ServiceCIDR) => {
            // The default one is there again at once.
            if (cidr.metadata.name === DEFAULT_SERVICE_CIDR_NAME) wakeOverlapping(cidr, queue);
          },
        }),
      },
      {
        informer: ranges.addresses,
        handlers: (queue) => ({
          added: (address: IPAddress) => wakeContaining(address, queue),
          deleted: (address: IPAddress) => wakeContaining(address, queue),
        }),
      },
    ],
    async reconcile(key, { queue, now }) {
      const cidr = ranges.cidrs.get(key);
      if (cidr === undefined) return;
      const { deletionTimestamp, finalizers = [] } = cidr.metadata;
      if (deletionTimestamp !== undefined) {
        if (!mayGo(cidr)) {
          await setReady(cidr, {
            status: 'False',
            reason: 'Terminating',
            message:
              'There are still IPAddresses referencing the ServiceCIDR, please remove them or create a new ServiceCIDR',
          });
          return;
        }
        const remainingMs = Date.parse(deletionTimestamp) + deletionGraceMs - now();
        if (remainingMs > 0) queue.addAfter(key, remainingMs);
        else if (finalizers.includes(SERVICE_CIDR_FINALIZER)) {
          await setFinalizers(
            cidr,
            finalizers.filter((finalizer) => finalizer !== SERVICE_CIDR_FINALIZER),
          );
        }
        return;
      }
      const current = finalizers.includes(SERVICE_CIDR_FINALIZER)
        ? cidr
        : await setFinalizers(cidr, [...finalizers, SERVICE_CIDR_FINALIZER]);
      if (current === undefined) return;
      // The API server's own word for its default range stands.
      const isTold = cidr.metadata.name === DEFAULT_SERVICE_CIDR_NAME && isReady(current);
      if (isTold) return;
      try {
        await setReady(
          { ...current, metadata: { ...current.metadata, clusterName: cidr.metadata.clusterName! } },
          { status: 'True', reason: '', message: 'Kubernetes Service CIDR is ready' },
        );
      } catch (error) {
        const target = { apiVersion: 'networking.k8s.io/v1', kind: 'ServiceCIDR', metadata: cidr.metadata };
        const message = 'The ServiceCIDR Status can not be set to Ready=True';
        recorder.event(target, 'Warning', 'KubernetesServiceCIDRError', message);
        throw error;
      }
    },
  };
}

const isReady = ({ status }: ServiceCIDR): boolean =>
  status?.conditions?.some((condition) => condition.type === 'Ready' && condition.status === 'True') === true;
