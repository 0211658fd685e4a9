import type { ResourceDefinition } from '../../../api/resource-definition.ts';

/** Source: ReturnDeletedObject of the stores in Kubernetes' pkg/registry. */
const returned = new Set([
  '/persistentvolumeclaims',
  '/persistentvolumes',
  '/pods',
  '/podtemplates',
  '/resourcequotas',
  '/serviceaccounts',
  '/services',
  'pool.skypod.io/containerinstances',
  'resource.k8s.io/deviceclasses',
  'resource.k8s.io/resourceclaims',
  'resource.k8s.io/resourceclaimtemplates',
  'resource.k8s.io/resourceslices',
  'storage.k8s.io/csidrivers',
  'storage.k8s.io/csinodes',
  'storage.k8s.io/storageclasses',
  'storage.k8s.io/volumeattachments',
  'storage.k8s.io/volumeattributesclasses',
]);

/** Does a DELETE of one answer with the object that is gone, rather than with a Status? So OpenAPI says too. */
export const returnsDeleted = ({ group, resource }: ResourceDefinition): boolean =>
  returned.has(`${group}/${resource}`);

/** The same of what is answered in truth: of namespaces, upstream's OpenAPI speaks of a Status that it never sends. */
export const answersWithDeleted = (definition: ResourceDefinition): boolean =>
  returnsDeleted(definition) || (definition.group === '' && definition.resource === 'namespaces');
