import type { Pod } from '../../api/generated/core-v1.ts';
import { type ContainerInstance, type InstancePlacer, METERING_FINALIZER } from '../../api/pool.ts';
import { CONTAINER_INSTANCES } from '../../api/resources.ts';
import { isAlreadyExists } from '../../api/status.ts';
import type { Clock } from '../../base/clock.ts';
import { type Client, SYSTEM_TENANT } from '../../client/client.ts';
import { type Resolution, resolvePod } from '../resolve/resolve.ts';
import { gatherLookups } from './gather.ts';
import { issueTokens, TOKENS_DUE_ANNOTATION } from './tokens.ts';
import type { World } from './world.ts';

export type StartOutcome =
  /** Undefined instance: it existed already. */
  | { resolution: Resolution; instance: ContainerInstance | undefined; isBlocked: false }
  /** Volumes cannot be filled yet: nothing was created. */
  | { resolution: Resolution; isBlocked: true };

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
    spec: resolution.spec,
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
