import type { KubeObject } from '../../api/object.ts';
import { compareQuantities } from '../../api/quantity.ts';
import type { Objects } from '../objects.ts';
import type { AdmissionPlugin } from './admission.ts';
import { forbid } from './forbid.ts';

const STORAGE_CLASSES = { group: 'storage.k8s.io', resource: 'storageclasses' };

const classOf = ({ metadata, spec }: KubeObject): string =>
  metadata.annotations?.['volume.beta.kubernetes.io/storage-class'] ?? spec.storageClassName ?? '';
const sizeOf = ({ spec }: KubeObject): string => spec.resources?.requests?.storage ?? '0';

/** A claim grows only when it is bound, and of a class that can. Source: PersistentVolumeClaimResize upstream. */
export const claimResize = (objects: Objects): AdmissionPlugin => ({
  name: 'PersistentVolumeClaimResize',
  handles: ({ operation, subresource, definition }) =>
    operation === 'UPDATE' &&
    subresource === '' &&
    definition.group === '' &&
    definition.resource === 'persistentvolumeclaims',
  async validate(request) {
    const [claim, old] = [request.object!, request.oldObject!];
    if (compareQuantities(sizeOf(claim), sizeOf(old)) <= 0) return;
    if (old['status']?.phase !== 'Bound') throw forbid(request, 'Only bound persistent volume claims can be expanded');
    const name = classOf(claim);
    const storageClass =
      name === '' || name !== classOf(old) ? undefined : await objects.get(STORAGE_CLASSES, request.tenant, '', name);
    if (storageClass?.object['allowVolumeExpansion'] === true) return;
    throw forbid(
      request,
      'only dynamically provisioned pvc can be resized and the storageclass that provisions the pvc must support resize',
    );
  },
});
