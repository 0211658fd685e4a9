import type { ContainerInstance } from '../api/pool.ts';
import { SYSTEM_TENANT } from '../client/client.ts';
import type { EventRecorder } from '../client/event-recorder.ts';
import type { PodEvent } from './worker/state.ts';

/** Records an event about the instance; virtual-node/ carries it to the tenant's pod. */
export function recordInstanceEvent(recorder: EventRecorder, instance: ContainerInstance, event: PodEvent): void {
  const { name, namespace, uid, resourceVersion } = instance.metadata;
  const fieldPath = event.container === undefined ? undefined : fieldPathOf(instance, event.container);
  recorder.event(
    {
      apiVersion: 'pool.skypod.io/v1alpha1',
      kind: 'ContainerInstance',
      metadata: {
        name,
        ...(namespace !== undefined && { namespace }),
        uid,
        resourceVersion,
        clusterName: SYSTEM_TENANT,
      },
      ...(fieldPath !== undefined && { fieldPath }),
    },
    event.type,
    event.reason,
    event.message,
  );
}

function fieldPathOf({ spec }: ContainerInstance, container: string): string {
  const has = (list: { name: string }[] | undefined) => list?.some(({ name }) => name === container) ?? false;
  if (has(spec.pod.initContainers)) return `spec.initContainers{${container}}`;
  if (has(spec.pod.ephemeralContainers)) return `spec.ephemeralContainers{${container}}`;
  return `spec.containers{${container}}`;
}
