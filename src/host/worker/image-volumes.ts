import type { Container } from '../../api/generated/core-v1.ts';
import type { WorkerContext, WorkerDependencies } from './context.ts';

/** Pulls and mounts the images that the container's volumes are, each once a pod; failures are those of its own image. */
export async function mountImageVolumes(context: WorkerContext, container: Container): Promise<void> {
  const { dependencies, instance, memory } = context;
  const { images, files, runtime } = dependencies;
  const uid = instance.metadata.name;
  for (const { name } of container.volumeMounts ?? []) {
    const source = instance.spec.pod.volumes?.find((volume) => volume.name === name)?.image;
    if (source === undefined || memory.imageVolumes.has(name)) continue;
    const image = await images.ensure({
      image: source.reference ?? '',
      policy: source.pullPolicy ?? 'IfNotPresent',
      credentials: instance.spec.registryCredentials ?? [],
      event: (event) => context.event({ ...event, container: container.name }),
    });
    await runtime.mountImage(image.id, files.imageDirectory(uid, name));
    memory.imageVolumes.add(name);
  }
}

/** No container uses them any more. */
export async function releaseImageVolumes(
  { runtime, files }: Pick<WorkerDependencies, 'runtime' | 'files'>,
  podUid: string,
): Promise<void> {
  for (const directory of await files.imageDirectories(podUid)) await runtime.unmountImage(directory);
}
