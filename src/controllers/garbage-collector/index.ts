import { type KubeObject, type OwnerReference, parseApiVersion } from '../../api/object.ts';
import { isConflict, isNotFound } from '../../api/status.ts';
import { ALL_TENANTS, type DeleteOptions } from '../../client/client.ts';
import type { Controller, ControllerQueue, Watch } from '../../client/controller.ts';
import type { Informer, InformerHandlers } from '../../client/informer.ts';
import { definitionsOf } from '../common/custom-resources.ts';
import type { ControllerDependencies } from '../common/dependencies.ts';
import { FollowedCustomResources } from '../common/followed-custom-resources.ts';
import { garbageCollectable, type ResourceInfo } from '../common/resources.ts';
import {
  DependencyGraph,
  FOREGROUND,
  type NodeKey,
  nodeKeyOf,
  ORPHAN,
  orphansDependents,
  splitNodeKey,
  waitsForDependents,
} from './graph.ts';

/** How many owners are remembered as gone, so that their dependents need not each ask the server. */
const rememberedAbsences = 500;

/** To tell an owner that is elsewhere from one that is nowhere; whoever has more of them hears nothing. */
const ownersLookedAt = 500;
/** When very many owners go at once, most of their dependents are not worth a look for owners elsewhere. */
const looksPerSecond = 10;

interface Watched {
  resource: ResourceInfo;
  informer: Informer<KubeObject>;
}

interface Found extends Watched {
  object: KubeObject;
}

/** How an object stands to one of its owners. `unknown`: of a kind not served here, so nothing may be concluded. */
type OwnerState = 'solid' | 'waiting' | 'dangling' | 'unknown';

/**
 * Deletes what has lost its last owner, in the background or before its owner, or frees it from an owner that goes
 * alone. The graph follows the changes; nothing is ever walked.
 */
export function createGarbageCollector(dependencies: ControllerDependencies, resources: ResourceInfo[]): Controller {
  const { informers, client, clock } = dependencies;
  const watched: Watched[] = garbageCollectable(resources).map((resource) => ({
    resource,
    informer: informers.informer<KubeObject>(resource, { tenant: ALL_TENANTS }),
  }));
  const byName = new Map(watched.map((each) => [`${each.resource.group}/${each.resource.resource}`, each]));
  const byKind = new Map(watched.map((each) => [`${each.resource.group}/${each.resource.kind}`, each]));
  const definitions = definitionsOf(informers);
  const custom = new FollowedCustomResources(informers, definitions);
  const graph = new DependencyGraph();
  const absentOwners = new Set<string>();
  let looks = { second: 0, count: 0 };
  const recorder = dependencies.recorder('garbage-collector-controller');

  function find(key: NodeKey): Found | undefined {
    const { objectKey, group, resource } = splitNodeKey(key);
    const tenant = objectKey.slice(0, objectKey.indexOf('/'));
    const each = byName.get(`${group}/${resource}`) ?? custom.find(tenant, group, resource);
    const object = each?.informer.get(objectKey);
    return each === undefined || object === undefined ? undefined : { ...each, object };
  }

  const resourceOfOwner = ({ metadata }: KubeObject, owner: OwnerReference): Watched | undefined => {
    const { group } = parseApiVersion(owner.apiVersion);
    return byKind.get(`${group}/${owner.kind}`) ?? custom.findKind(metadata.clusterName ?? '', group, owner.kind);
  };

  function cachedOwner(dependent: KubeObject, owner: OwnerReference): KubeObject | undefined {
    const each = resourceOfOwner(dependent, owner);
    if (each === undefined) return undefined;
    const { clusterName = '', namespace = '' } = dependent.metadata;
    const object = each.informer.get(`${clusterName}/${each.resource.namespaced ? namespace : ''}/${owner.name}`);
    return object?.metadata.uid === owner.uid ? object : undefined;
  }

  /** Quick and by the cache alone: nothing to do for an object whose owners all stand. */
  const hasOnlySolidOwners = (object: KubeObject): boolean =>
    (object.metadata.ownerReferences ?? []).every((reference) => {
      const owner = cachedOwner(object, reference);
      return owner !== undefined && !waitsForDependents(owner);
    });

  async function stateOf(dependent: Found, reference: OwnerReference): Promise<OwnerState> {
    const { object } = dependent;
    const cached = cachedOwner(object, reference);
    if (cached !== undefined) return waitsForDependents(cached) ? 'waiting' : 'solid';
    const each = resourceOfOwner(object, reference);
    if (each === undefined) return 'unknown';
    const { clusterName = '', namespace } = object.metadata;
    const identity = identityOf(each.resource, clusterName, namespace, reference);
    if (absentOwners.has(identity)) return 'dangling';
    if (each.resource.namespaced && namespace === undefined) {
      await reportIfElsewhere(dependent, each, reference);
      return 'unknown';
    }
    try {
      // The cache may lag behind the dependent: only the server's word makes an owner absent.
      const fresh = await client
        .resource(clusterName, each.resource, each.resource.namespaced ? namespace : undefined)
        .get(reference.name);
      if (fresh.metadata.uid === reference.uid) return waitsForDependents(fresh) ? 'waiting' : 'solid';
    } catch (error) {
      if (!isNotFound(error)) throw error;
    }
    if (each.resource.namespaced) await reportIfElsewhere(dependent, each, reference);
    rememberAbsence(identity);
    return 'dangling';
  }

  /** An owner is remembered as absent where the reference says it is: another reference to its uid may be right. */
  const identityOf = (
    resource: ResourceInfo,
    tenant: string,
    namespace: string | undefined,
    { name, uid }: { name: string; uid: string },
  ): string => [tenant, resource.namespaced ? namespace : '', resource.group, resource.kind, name, uid].join('/');

  function rememberAbsence(identity: string): void {
    absentOwners.add(identity);
    if (absentOwners.size > rememberedAbsences) absentOwners.delete(absentOwners.values().next().value!);
  }

  /** An owner in another namespace is none: its writer should hear of it. */
  async function reportIfElsewhere(dependent: Found, owners: Watched, reference: OwnerReference): Promise<void> {
    const second = Math.floor(clock.now() / 1000);
    if (looks.second !== second) looks = { second, count: 0 };
    if (++looks.count > looksPerSecond) return;
    const { resource, object } = dependent;
    const { clusterName = '', namespace = '' } = object.metadata;
    const { items } = await client.resource(clusterName, owners.resource).list({ limit: ownersLookedAt });
    if (!items.some(({ metadata }) => metadata.uid === reference.uid && metadata.namespace !== namespace)) return;
    const { apiVersion, kind, name, uid } = reference;
    const identity = `[${apiVersion}/${kind}, namespace: ${namespace}, name: ${name}, uid: ${uid}]`;
    const target = {
      metadata: object.metadata,
      apiVersion: resource.group === '' ? resource.version : `${resource.group}/${resource.version}`,
      kind: resource.kind,
    };
    const message = `ownerRef ${identity} does not exist in namespace ${JSON.stringify(namespace)}`;
    recorder.event(target, 'Warning', 'OwnerRefInvalidNamespace', message);
  }

  async function writeMetadata(each: Watched, object: KubeObject, metadata: object): Promise<void> {
    const { uid, resourceVersion, name } = object.metadata;
    try {
      await client.for(each.resource, object).patch(name, 'merge', { metadata: { uid, resourceVersion, ...metadata } });
    } catch (error) {
      if (!isNotFound(error)) throw error;
    }
  }

  const withoutOwners = (object: KubeObject, uids: Set<string>): OwnerReference[] | null => {
    const rest = (object.metadata.ownerReferences ?? []).filter((reference) => !uids.has(reference.uid));
    return rest.length === 0 ? null : rest;
  };

  const removeFinalizer = (each: Watched, object: KubeObject, finalizer: string): Promise<void> => {
    const rest = (object.metadata.finalizers ?? []).filter((other) => other !== finalizer);
    return writeMetadata(each, object, { finalizers: rest.length === 0 ? null : rest });
  };

  async function remove(
    each: Watched,
    object: KubeObject,
    propagationPolicy: NonNullable<DeleteOptions['propagationPolicy']>,
  ): Promise<void> {
    const { uid, resourceVersion, name } = object.metadata;
    try {
      // The version pins the owners the decision was made on.
      const preconditions = { uid, resourceVersion };
      await client.for(each.resource, object).delete(name, { propagationPolicy, preconditions });
    } catch (error) {
      if (!isNotFound(error)) throw error;
    }
  }

  /** The owner goes alone: its dependents forget it. */
  async function orphan(each: Watched, owner: KubeObject): Promise<void> {
    const uids = new Set([owner.metadata.uid]);
    await Promise.all(
      [...graph.dependentsOf(owner)].map(async (key) => {
        const dependent = find(key);
        if (dependent === undefined) return;
        await writeMetadata(dependent, dependent.object, { ownerReferences: withoutOwners(dependent.object, uids) });
      }),
    );
    await removeFinalizer(each, owner, ORPHAN);
  }

  /** The owner waits for those dependents that block it; when none is left it may go. */
  async function deleteDependentsFirst(each: Watched, owner: KubeObject, queue: ControllerQueue): Promise<void> {
    let isBlocked = false;
    for (const key of graph.dependentsOf(owner)) {
      const dependent = find(key);
      const reference = dependent?.object.metadata.ownerReferences?.find(({ uid }) => uid === owner.metadata.uid);
      if (dependent === undefined || reference === undefined) continue;
      if (reference.blockOwnerDeletion === true) isBlocked = true;
      if (dependent.object.metadata.deletionTimestamp === undefined) queue.add(key);
    }
    if (!isBlocked) await removeFinalizer(each, owner, FOREGROUND);
  }

  async function collect(key: NodeKey, each: Found, queue: ControllerQueue): Promise<void> {
    const { object } = each;
    const references = object.metadata.ownerReferences ?? [];
    if (references.length === 0) return;
    const states = await Promise.all(references.map((reference) => stateOf(each, reference)));
    const uidsIn = (...wanted: OwnerState[]) =>
      new Set(references.filter((_, index) => wanted.includes(states[index]!)).map(({ uid }) => uid));
    if (states.includes('solid') || states.includes('unknown')) {
      const gone = uidsIn('dangling', 'waiting');
      if (gone.size > 0) await writeMetadata(each, object, { ownerReferences: withoutOwners(object, gone) });
      return;
    }
    const dependents = graph.dependentsOf(object);
    if (states.includes('waiting') && dependents.size > 0) {
      // A dependent that waits itself may close a circle: then nobody may block anybody.
      const isCircle = [...dependents].some((other) => {
        const dependent = find(other);
        return dependent !== undefined && waitsForDependents(dependent.object);
      });
      if (isCircle && references.some((reference) => reference.blockOwnerDeletion === true)) {
        const ownerReferences = references.map((reference) => ({ ...reference, blockOwnerDeletion: false }));
        await writeMetadata(each, object, { ownerReferences });
        queue.addAfter(key, 50);
        return;
      }
      return remove(each, object, 'Foreground');
    }
    const finalizers = object.metadata.finalizers ?? [];
    const policy = finalizers.includes(ORPHAN)
      ? 'Orphan'
      : finalizers.includes(FOREGROUND)
        ? 'Foreground'
        : 'Background';
    return remove(each, object, policy);
  }

  /** What changes of a resource's objects mean for the graph and the queue. */
  function handlersOf(resource: ResourceInfo, queue: ControllerQueue): InformerHandlers<KubeObject> {
    const look = (object: KubeObject) => {
      const isDeleting = object.metadata.deletionTimestamp !== undefined;
      const needsWork = isDeleting
        ? orphansDependents(object) || waitsForDependents(object)
        : !hasOnlySolidOwners(object);
      if (needsWork) queue.add(nodeKeyOf(resource, object));
    };
    const wakeOwners = (object: KubeObject) => {
      for (const reference of object.metadata.ownerReferences ?? []) {
        const owner = cachedOwner(object, reference);
        const each = resourceOfOwner(object, reference);
        if (owner === undefined || each === undefined || !waitsForDependents(owner)) continue;
        // Each look walks the dependents that are left.
        const delayMs = Math.min(1000, graph.dependentsOf(owner).size / 20);
        queue.addAfter(nodeKeyOf(each.resource, owner), delayMs);
      }
    };
    return {
      added: (object: KubeObject) => {
        graph.change(nodeKeyOf(resource, object), undefined, object.metadata.ownerReferences);
        look(object);
      },
      updated: (before: KubeObject, after: KubeObject) => {
        const owners = before.metadata.ownerReferences;
        const changed = JSON.stringify(owners) !== JSON.stringify(after.metadata.ownerReferences);
        if (changed) {
          graph.change(nodeKeyOf(resource, after), owners, after.metadata.ownerReferences);
          wakeOwners(before);
        }
        if (changed || after.metadata.deletionTimestamp !== undefined) look(after);
      },
      deleted: (object: KubeObject) => {
        graph.change(nodeKeyOf(resource, object), object.metadata.ownerReferences, undefined);
        const dependents = graph.dependentsOf(object);
        const { clusterName = '', namespace } = object.metadata;
        if (dependents.size > 0) rememberAbsence(identityOf(resource, clusterName, namespace, object.metadata));
        for (const key of dependents) queue.add(key);
        wakeOwners(object);
      },
    };
  }

  const watches: Watch[] = watched.map(({ resource, informer }) => ({
    informer,
    handlers: (queue) => handlersOf(resource, queue),
  }));
  watches.push({
    informer: definitions,
    handlers: (queue) => custom.handlers((resource) => handlersOf(resource, queue)),
  });

  return {
    name: 'garbage-collector-controller',
    workers: 40,
    watches,
    async reconcile(key, tools) {
      const found = find(key);
      if (found === undefined) return;
      const { object } = found;
      try {
        if (orphansDependents(object)) await orphan(found, object);
        else if (waitsForDependents(object)) await deleteDependentsFirst(found, object, tools.queue);
        else if (object.metadata.deletionTimestamp === undefined) await collect(key, found, tools.queue);
      } catch (error) {
        // The object changed since: look at it as it is now.
        if (!isConflict(error)) throw error;
        tools.queue.addAfter(key, 20);
      }
    },
  };
}
