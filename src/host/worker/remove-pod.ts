import type { WorkerDependencies } from './context.ts';
import { releaseImageVolumes } from './image-volumes.ts';

/** Removes every trace of a pod from this host. Also for pods that have no instance (any more). */
export async function removePod(
  { runtime, cache, network, files }: Pick<WorkerDependencies, 'runtime' | 'cache' | 'network' | 'files'>,
  tenant: string,
  uid: string,
): Promise<void> {
  const { sandboxes, containers } = cache.get(uid);
  for (const { id, state } of [...containers.values()].flat()) {
    if (state === 'running') await runtime.stopContainer(id, 2);
    await runtime.removeContainer(id);
  }
  for (const { id } of sandboxes) {
    await runtime.stopPodSandbox(id);
    await runtime.removePodSandbox(id);
  }
  cache.podRemoved(uid);
  await network.tearDown({ tenant, uid });
  await releaseImageVolumes({ runtime, files }, uid);
  await files.remove(uid);
}
