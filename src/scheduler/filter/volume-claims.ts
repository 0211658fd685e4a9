import type { PodFilter } from './types.ts';

/** A pod waits for its claims, in upstream's words. Generic ephemeral volumes' claims are named `<pod>-<volume>`. */
export const volumeClaims: PodFilter = {
  name: 'VolumeBinding',
  helpedBy: ['related'],
  prepare(pod, view) {
    const namespace = pod.metadata.namespace ?? '';
    for (const volume of pod.spec.volumes ?? []) {
      const name =
        volume.persistentVolumeClaim?.claimName ??
        (volume.ephemeral === undefined ? undefined : `${pod.metadata.name}-${volume.name}`);
      if (name === undefined) continue;
      switch (view.claimState(namespace, name)) {
        case undefined:
          return volume.ephemeral === undefined
            ? `persistentvolumeclaim "${name}" not found`
            : `waiting for ephemeral volume controller to create the persistentvolumeclaim "${name}"`;
        case 'deleting':
          return `persistentvolumeclaim "${name}" is being deleted`;
        case 'unbound':
          return 'pod has unbound immediate PersistentVolumeClaims';
        case 'bound':
      }
    }
    return undefined;
  },
};
