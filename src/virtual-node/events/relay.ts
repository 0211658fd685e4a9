import type { KubeObject } from '../../api/object.ts';
import type { ContainerInstance } from '../../api/pool.ts';
import { EVENTS } from '../../api/resources.ts';
import { isAlreadyExists, isNotFound, StatusError } from '../../api/status.ts';
import { type Client, SYSTEM_TENANT } from '../../client/client.ts';
import { type Controller, watchOwn } from '../../client/controller.ts';
import type { Informer, InformerFactory } from '../../client/informer.ts';
import type { World } from '../sync/world.ts';

/** Events older than this when first seen were relayed by an earlier run. */
const OLDEST_MS = 10 * 60_000;

interface RelayOptions {
  informers: InformerFactory;
  client: Client;
  world: World;
  workers: number;
}

/**
 * What hosts report about instances (events in the system tenant) as events of the tenants' pods, from `kubelet` on the
 * virtual node. An event keeps its name's suffix, so carrying it over twice makes one.
 */
export function eventRelay({ informers, client, world, workers }: RelayOptions): Controller {
  const events: Informer<KubeObject> = informers.informer(EVENTS, {
    tenant: SYSTEM_TENANT,
    fieldSelector: 'involvedObject.kind=ContainerInstance',
  });
  return {
    name: 'virtual-node-events',
    workers,
    watches: [watchOwn(events)],
    reads: [world.instances],
    async reconcile(key, tools) {
      const event = events.get(key);
      if (event === undefined || event['involvedObject']?.kind !== 'ContainerInstance') return;
      const seenMs = Date.parse(event['lastTimestamp'] ?? event.metadata.creationTimestamp);
      if (tools.now() - seenMs > OLDEST_MS) return;
      const { namespace: tenant = '', name } = event['involvedObject'];
      const instance = world.instances.get(`${SYSTEM_TENANT}/${tenant}/${name}`);
      // The instance is gone, and its pod with it.
      if (instance === undefined) return;
      await carryOver(event, tenant, instance, client);
    },
  };
}

async function carryOver(
  event: KubeObject,
  tenant: string,
  instance: ContainerInstance,
  client: Client,
): Promise<void> {
  const { podRef, pod } = instance.spec;
  const suffix = event.metadata.name.slice(event.metadata.name.lastIndexOf('.') + 1);
  const name = `${podRef.name}.${suffix}`;
  const { count, lastTimestamp, message } = event as { count?: number; lastTimestamp?: string; message?: string };
  const host = pod.nodeName ?? '';
  const draft = {
    apiVersion: 'v1',
    kind: 'Event',
    metadata: { name, namespace: podRef.namespace },
    involvedObject: {
      kind: 'Pod',
      namespace: podRef.namespace,
      name: podRef.name,
      uid: podRef.uid,
      apiVersion: 'v1',
      ...(event['involvedObject'].fieldPath !== undefined && { fieldPath: event['involvedObject'].fieldPath }),
    },
    reason: event['reason'],
    message,
    type: event['type'],
    source: { component: 'kubelet', host },
    firstTimestamp: event['firstTimestamp'],
    lastTimestamp,
    count,
    eventTime: event['eventTime'] ?? null,
    reportingComponent: 'kubelet',
    reportingInstance: host,
  };
  const events = client.resource(tenant, EVENTS, podRef.namespace);
  const repeat = () => events.patch(name, 'merge', { count, lastTimestamp, message });
  try {
    // A repetition is already there; a first one is not.
    if ((count ?? 1) > 1) await repeat();
    else await events.create(draft);
  } catch (error) {
    if (isAlreadyExists(error)) return;
    if (!isNotFound(error)) return refused(error);
    await events.create(draft).catch(refused);
  }
}

/** A namespace on its way out takes no events; that loses nothing anybody could read. */
function refused(error: unknown): void {
  if (!(error instanceof StatusError) || error.code >= 500) throw error;
}
