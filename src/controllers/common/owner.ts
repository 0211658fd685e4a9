import type { KubeObject, OwnerReference } from '../../api/object.ts';
import type { ObjectKey } from '../../client/informer.ts';

/** The one owner that manages the object. */
export function controllerOf(object: KubeObject): OwnerReference | undefined {
  return object.metadata.ownerReferences?.find((reference) => reference.controller === true);
}

/** The reference a controller puts on what it creates. */
export function controllerReference(owner: KubeObject, apiVersion: string, kind: string): OwnerReference {
  return {
    apiVersion,
    kind,
    name: owner.metadata.name,
    uid: owner.metadata.uid,
    controller: true,
    blockOwnerDeletion: true,
  };
}

/** The key of another object in the same tenant and namespace. */
export function siblingKey(object: KubeObject, name: string): ObjectKey {
  return `${object.metadata.clusterName ?? ''}/${object.metadata.namespace ?? ''}/${name}`;
}

/** `tenant/namespace`: what objects are indexed by to be looked up per namespace. */
export function namespaceOf(object: KubeObject): string {
  return `${object.metadata.clusterName ?? ''}/${object.metadata.namespace ?? ''}`;
}

export function splitKey(key: ObjectKey): { tenant: string; namespace: string; name: string } {
  const [tenant = '', namespace = '', name = ''] = key.split('/');
  return { tenant, namespace, name };
}

export const byNamespace = { namespace: (object: KubeObject) => [namespaceOf(object)] };

/** Objects by the uid of their controller; those without one under `orphans of tenant/namespace`. */
export const byController = {
  controller: (object: KubeObject) => [controllerOf(object)?.uid ?? orphansOf(object)],
};

export function orphansOf(object: KubeObject): string {
  return `orphans of ${namespaceOf(object)}`;
}
