import type { Pod } from '../../api/generated/core-v1.ts';
import type { RuntimeClass } from '../../api/generated/node-v1.ts';
import { type ContainerInstance, type InstancePlacer, METERING_FINALIZER } from '../../api/pool.ts';
import { CONTAINER_INSTANCES, RUNTIME_CLASSES } from '../../api/resources.ts';
import { isAlreadyExists, isNotFound } from '../../api/status.ts';
import type { Clock } from '../../base/clock.ts';
import { type Client, SYSTEM_TENANT } from '../../client/client.ts';
import { type Resolution, resolvePod } from '../resolve/resolve.ts';
import { gatherLookups } from './gather.ts';
import { issueTokens, TOKENS_DUE_ANNOTATION } from './tokens.ts';
import type { World } from './world.ts';

export type StartOutcome =
  /** Undefined instance: it existed already. */
  | { resolution: Resolution; instance: ContainerInstance | undefined; isBlocked: false }
  /** Volumes cannot be filled yet, or the pod's RuntimeClass has gone: nothing was created. */
  | { resolution: Resolution; isBlocked: true; sandboxError?: string };

/** Resolves a bound pod and writes its instance. */
export async function startPod(
  pod: Pod,
  zone: string,
  world: World,
  client: Client,
  clock: Clock,
  placer: InstancePlacer | undefined,
): Promise<StartOutcome> {
  const issued = await issueTokens(pod, client, clock);
  const resolution = resolvePod(pod, zone, await gatherLookups(pod, world, client, issued.tokens));
  if (resolution.volumeErrors.size > 0) return { resolution, isBlocked: true };
  const tenant = pod.metadata.clusterName!;
  const handler = await runtimeHandlerOf(pod, client);
  if (handler.error !== undefined) return { resolution, isBlocked: true, sandboxError: handler.error };
  const draft = {
    apiVersion: 'pool.skypod.io/v1alpha1',
    kind: 'ContainerInstance',
    metadata: {
      name: pod.metadata.uid,
      namespace: tenant,
      finalizers: [METERING_FINALIZER],
      ...(issued.dueMs !== undefined && {
        annotations: { [TOKENS_DUE_ANNOTATION]: new Date(issued.dueMs).toISOString() },
      }),
    },
    spec: { ...resolution.spec, ...(handler.name !== undefined && { runtimeHandler: handler.name }) },
  };
  const instances = client.resource<ContainerInstance>(SYSTEM_TENANT, CONTAINER_INSTANCES, tenant);
  const placement = placer?.place(draft);
  if (placement !== undefined) draft.spec = { ...draft.spec, hostName: placement.hostName };
  try {
    const instance = await instances.create(draft);
    placement?.settle(instance);
    return { resolution, instance, isBlocked: false };
  } catch (error) {
    placement?.settle(undefined);
    // A local copy may not show it yet.
    if (isAlreadyExists(error)) return { resolution, instance: undefined, isBlocked: false };
    throw error;
  }
}

/** Looked up once: the handler of a class never changes, and the pod's class neither. */
async function runtimeHandlerOf({ metadata, spec }: Pod, client: Client): Promise<{ name?: string; error?: string }> {
  if (!spec.runtimeClassName) return {};
  try {
    const classes = client.resource<RuntimeClass>(metadata.clusterName!, RUNTIME_CLASSES);
    return { name: (await classes.get(spec.runtimeClassName)).handler };
  } catch (error) {
    if (!isNotFound(error)) throw error;
    return { error: `runtimeclass.node.k8s.io ${JSON.stringify(spec.runtimeClassName)} not found` };
  }
}
