import type { PersistentVolume, PersistentVolumeClaim, Pod } from '../../api/generated/core-v1.ts';
import type { GroupVersionResource, KubeObject } from '../../api/object.ts';
import { PERSISTENT_VOLUME_CLAIMS, PODS } from '../../api/resources.ts';
import { isNotFound } from '../../api/status.ts';
import { ALL_TENANTS } from '../../client/client.ts';
import { type Controller, type Watch, watchKeys } from '../../client/controller.ts';
import { type Informer, keyOf } from '../../client/informer.ts';
import type { ControllerDependencies } from '../common/dependencies.ts';
import { controllerOf } from '../common/owner.ts';

const PERSISTENT_VOLUMES: GroupVersionResource = { group: '', version: 'v1', resource: 'persistentvolumes' };
const ATTRIBUTES_CLASSES: GroupVersionResource = {
  group: 'storage.k8s.io',
  version: 'v1',
  resource: 'volumeattributesclasses',
};

interface Protection<T extends KubeObject> {
  name: string;
  resource: GroupVersionResource;
  /** Put on by admission (StorageObjectInUseProtection). */
  finalizer: string;
  informer: Informer<T>;
  /** Wake objects whose users changed. */
  watches: Watch[];
  isUsed(object: T): boolean | Promise<boolean>;
}

/** Lets an object that is being deleted go when nobody uses it any more. */
function protectionController<T extends KubeObject>(
  { client }: ControllerDependencies,
  protection: Protection<T>,
): Controller {
  const { name, resource, finalizer, informer, watches, isUsed } = protection;
  return {
    name,
    workers: 4,
    watches: [
      watchKeys(informer, (object) => (object.metadata.deletionTimestamp === undefined ? [] : [keyOf(object)])),
      ...watches,
    ],
    async reconcile(key) {
      const object = informer.get(key);
      const { deletionTimestamp, finalizers = [], uid, resourceVersion } = object?.metadata ?? {};
      if (object === undefined || deletionTimestamp === undefined || !finalizers.includes(finalizer)) return;
      if (await isUsed(object)) return;
      const rest = finalizers.filter((other) => other !== finalizer);
      const metadata = { uid, resourceVersion, finalizers: rest.length === 0 ? null : rest };
      try {
        await client.for(resource, object).patch(object.metadata.name, 'merge', { metadata });
      } catch (error) {
        if (!isNotFound(error)) throw error;
      }
    },
  };
}

/** Keys of the claims that the pod names, its generic ephemeral volumes' included. */
function claimsOf({ metadata, spec }: Pod): string[] {
  const names = (spec.volumes ?? []).flatMap(({ name, persistentVolumeClaim, ephemeral }) =>
    persistentVolumeClaim !== undefined
      ? [persistentVolumeClaim.claimName]
      : ephemeral !== undefined
        ? [`${metadata.name}-${name}`]
        : [],
  );
  return names.map((name) => `${metadata.clusterName}/${metadata.namespace}/${name}`);
}

/** Source: podUsesPVCForDeletion. A pod that has no node yet will not be started with a claim that is on its way out. */
export function usesClaim(pod: Pod, claim: PersistentVolumeClaim): boolean {
  if (!pod.spec.nodeName) return false;
  const { deletionTimestamp, deletionGracePeriodSeconds, name, uid } = pod.metadata;
  const isShutDown = deletionTimestamp !== undefined && deletionGracePeriodSeconds === 0;
  return (pod.spec.volumes ?? []).some((volume) => {
    if (volume.persistentVolumeClaim !== undefined)
      return volume.persistentVolumeClaim.claimName === claim.metadata.name;
    if (volume.ephemeral === undefined || isShutDown) return false;
    return `${name}-${volume.name}` === claim.metadata.name && controllerOf(claim)?.uid === uid;
  });
}

const classKey = ({ metadata }: KubeObject, name: string) => `${metadata.clusterName}//${name}`;

function classesOfClaim(claim: PersistentVolumeClaim): string[] {
  const { spec, status } = claim;
  return [
    spec?.volumeAttributesClassName,
    status?.currentVolumeAttributesClassName,
    status?.modifyVolumeStatus?.targetVolumeAttributesClassName,
  ].flatMap((name) => (name ? [classKey(claim, name)] : []));
}

function classesOfVolume(volume: PersistentVolume): string[] {
  const name = volume.spec?.volumeAttributesClassName;
  return name ? [classKey(volume, name)] : [];
}

/** Claims stay while pods use them, volumes while they are bound, attributes classes while anything names them. */
export function createVolumeProtectionControllers(dependencies: ControllerDependencies): Controller[] {
  const { informers, client } = dependencies;
  const indexes = { 'by-claim': claimsOf };
  const pods = informers.informer<Pod>(PODS, { tenant: ALL_TENANTS, indexes });
  const claims = informers.informer<PersistentVolumeClaim>(PERSISTENT_VOLUME_CLAIMS, {
    tenant: ALL_TENANTS,
    indexes: { 'by-attributes-class': classesOfClaim },
  });
  const volumes = informers.informer<PersistentVolume>(PERSISTENT_VOLUMES, {
    tenant: ALL_TENANTS,
    indexes: { 'by-attributes-class': classesOfVolume },
  });
  const classes = informers.informer<KubeObject>(ATTRIBUTES_CLASSES, { tenant: ALL_TENANTS });

  const podsWatch: Watch = {
    informer: pods,
    handlers: (queue) => {
      const wake = (pod: Pod) => {
        for (const key of claimsOf(pod)) if (claims.get(key)?.metadata.deletionTimestamp !== undefined) queue.add(key);
      };
      return { updated: (_: Pod, after: Pod) => wake(after), deleted: wake };
    },
  };
  const classUsers = (informer: Informer<any>, classesOf: (object: any) => string[]): Watch => ({
    informer,
    handlers: (queue) => {
      const wake = (object: KubeObject) => {
        for (const key of classesOf(object))
          if (classes.get(key)?.metadata.deletionTimestamp !== undefined) queue.add(key);
      };
      return { updated: (before: KubeObject) => wake(before), deleted: wake };
    },
  });

  return [
    protectionController<PersistentVolumeClaim>(dependencies, {
      name: 'persistentvolumeclaim-protection-controller',
      resource: PERSISTENT_VOLUME_CLAIMS,
      finalizer: 'kubernetes.io/pvc-protection',
      informer: claims,
      watches: [podsWatch],
      async isUsed(claim) {
        if (pods.byIndex('by-claim', keyOf(claim)).some((pod) => usesClaim(pod, claim))) return true;
        // The copy may lag behind a pod that was bound just now: only the server's word lets the claim go.
        const { clusterName, namespace } = claim.metadata;
        const { items } = await client.resource<Pod>(clusterName!, PODS, namespace).list();
        return items.some((pod) => usesClaim(pod, claim));
      },
    }),
    protectionController<PersistentVolume>(dependencies, {
      name: 'persistentvolume-protection-controller',
      resource: PERSISTENT_VOLUMES,
      finalizer: 'kubernetes.io/pv-protection',
      informer: volumes,
      watches: [],
      isUsed: ({ status }) => status?.phase === 'Bound',
    }),
    protectionController(dependencies, {
      name: 'volumeattributesclass-protection-controller',
      resource: ATTRIBUTES_CLASSES,
      finalizer: 'kubernetes.io/vac-protection',
      informer: classes,
      watches: [classUsers(claims, classesOfClaim), classUsers(volumes, classesOfVolume)],
      isUsed: (attributesClass) =>
        claims.byIndex('by-attributes-class', keyOf(attributesClass)).length > 0 ||
        volumes.byIndex('by-attributes-class', keyOf(attributesClass)).length > 0,
    }),
  ];
}
