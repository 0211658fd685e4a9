import { qualifiedResource } from '../../api/status.ts';
import type { AdmissionPlugin } from './admission.ts';

const finalizerOf: Readonly<Record<string, string>> = {
  persistentvolumes: 'kubernetes.io/pv-protection',
  persistentvolumeclaims: 'kubernetes.io/pvc-protection',
  'volumeattributesclasses.storage.k8s.io': 'kubernetes.io/vac-protection',
};

/** What holds data stays while it is used; controllers let it go. Source: StorageObjectInUseProtection upstream. */
export const storageInUse: AdmissionPlugin = {
  name: 'StorageObjectInUseProtection',
  handles: ({ operation, subresource, definition }) =>
    operation === 'CREATE' && subresource === '' && finalizerOf[qualifiedResource(definition)] !== undefined,
  async admit({ object, definition }) {
    const finalizer = finalizerOf[qualifiedResource(definition)]!;
    const finalizers = object!.metadata.finalizers ?? [];
    if (!finalizers.includes(finalizer)) object!.metadata.finalizers = [...finalizers, finalizer];
  },
};
