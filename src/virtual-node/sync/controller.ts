import type { Pod, PodCondition } from '../../api/generated/core-v1.ts';
import { formatTime, type KubeObject } from '../../api/object.ts';
import type { ContainerInstance, Host, InstancePlacer } from '../../api/pool.ts';
import { PODS } from '../../api/resources.ts';
import { isNotFound } from '../../api/status.ts';
import type { Clock } from '../../base/clock.ts';
import { type Client, SYSTEM_TENANT } from '../../client/client.ts';
import { type Controller, type ControllerQueue, type ReconcileTools, watchKeys } from '../../client/controller.ts';
import type { EventRecorder } from '../../client/event-recorder.ts';
import { type Informer, keyOf, type ObjectKey } from '../../client/informer.ts';
import { isFinishedPhase, type OwnedStatus, podStatusFrom, unplaced, waitingStatus } from '../status/pod-status.ts';
import { statusPatch } from '../status/status-patch.ts';
import { admitPod } from './admit-pod.ts';
import { DueList } from './due-list.ts';
import { deleteInstance, endPod, removeInstance } from './end-pod.ts';
import { hasMutableChange, refreshInstance } from './refresh-instance.ts';
import { asksForResize, judgeResize, type PendingResize, resizeSummary } from './resize.ts';
import { startPod } from './start-pod.ts';
import { tokensDueMs } from './tokens.ts';
import { BY_HOST, BY_POD, BY_SOURCE, instanceKey, podKeyOf, sourceKey, type World } from './world.ts';

export interface PodControllerOptions {
  world: World;
  client: Client;
  clock: Clock;
  events(nodeName: string): EventRecorder;
  /** Zone by virtual node's name. */
  zones: ReadonlyMap<string, string>;
  workers: number;
  placer?: InstancePlacer | undefined;
}

/** First wait after a volume could not be filled, doubling to the longest, as the kubelet's. */
const FIRST_RETRY_MS = 500;
const LONGEST_RETRY_MS = 122_000;
/** How often a resize that waits for room is looked at again. */
const DEFERRED_RESIZE_MS = 5_000;
/** Tokens that could not be renewed, since their service account is not there, are tried again after this. */
const TOKEN_RETRY_MS = 60_000;
/** A pod whose grace or object was taken away by force: what is left for its containers. */
const FORCED_GRACE_SECONDS = 1;

/**
 * Pods <-> instances, one key a pod: creates, refreshes and deletes the instance, and copies its status to the pod.
 * The informers' objects are the only state that matters; what is kept here beside them only saves work.
 */
export function podController(options: PodControllerOptions): Controller & { close(): void } {
  const { world, client, clock, zones } = options;
  /** Created here and not yet seen by the informer, by uid. */
  const unseen = new Map<string, ContainerInstance>();
  /** Pods whose volumes or containers may have to change. */
  const dirty = new Set<ObjectKey>();
  /** What was last told of a resize, by uid: the local copy of the pod may lag behind. */
  const told = new Map<string, string>();
  /** What a pod was found, or left, in agreement with: its own writes come back to be looked at. */
  const settled = new WeakMap<Pod, { instance: ContainerInstance; isHostReady: boolean }>();
  /** Statuses on their way: the state they are written upon, and what became of that very one. */
  const patching = new Map<ObjectKey, { from: Pod; became?: Pod }>();
  /** Pods whose instance is being written, and that instance as the informer first showed it. */
  const starting = new Map<ObjectKey, { became?: ContainerInstance }>();
  const blocked = new Map<ObjectKey, { uid: string; failures: number }>();
  let queue: ControllerQueue | undefined;
  const tokensDue = new DueList(clock, (key) => {
    dirty.add(key);
    queue?.add(key);
  });

  const isOurs = (pod: Pod): boolean => zones.has(pod.spec.nodeName ?? '');

  async function reconcile(key: ObjectKey, tools: ReconcileTools): Promise<void> {
    const pod = world.pods.get(key);
    for (const stray of world.instances.byIndex(BY_POD, key)) {
      // The pod went by force, or another took its name.
      if (stray.metadata.name !== pod?.metadata.uid) await deleteInstance(stray, FORCED_GRACE_SECONDS, client);
    }
    if (pod === undefined || !isOurs(pod)) return forget(key);
    const instance = world.instances.get(instanceKey(pod)) ?? unseen.get(pod.metadata.uid);
    if (instance !== undefined && isHostRemoved(instance)) {
      // Nobody will ever report its end: the operator said so by removing the Host.
      if (pod.metadata.deletionTimestamp === undefined) await patchStatus(pod, lostStatus(instance));
      await removeInstance(instance, client);
      return;
    }
    if (pod.metadata.deletionTimestamp !== undefined) {
      if (instance !== undefined) await writeStatus(pod, instance, tools.now());
      await endPod(pod, instance, client);
      return;
    }
    if (instance === undefined) {
      if (!isFinishedPhase(pod.status?.phase)) await start(key, pod, tools);
      return;
    }
    const before = settled.get(pod);
    if (before?.instance === instance && before.isHostReady === isHostReady(instance.spec.hostName) && !dirty.has(key))
      return;
    let pending: PendingResize | undefined;
    let started: number | undefined;
    if (instance.metadata.deletionTimestamp === undefined && !isFinishedPhase(instance.status?.phase)) {
      const isAsked = asksForResize(pod, instance);
      pending = isAsked ? judgeResize(pod, instance, world, tools.now()) : undefined;
      const mayResize = pending === undefined;
      if (dirty.delete(key) || hasMutableChange(pod, instance, mayResize)) {
        try {
          await refreshInstance(pod, instance, world, client, clock, mayResize);
        } catch (error) {
          dirty.add(key);
          throw error;
        }
        watchTokens(key, pod, instance, clock.now());
        if (isAsked && mayResize) {
          started = pod.metadata.generation;
          announce(pod, 'Normal', 'ResizeStarted', 'started');
        }
      }
    }
    // Others may leave the host.
    if (pending?.reason === 'Deferred') tools.queue.addAfter(key, DEFERRED_RESIZE_MS);
    await writeStatus(pod, instance, tools.now(), { ...(pending && { pending }), started });
  }

  async function start(key: ObjectKey, pod: Pod, tools: ReconcileTools): Promise<void> {
    if (hasRun(pod)) {
      // Its instance is gone though nobody asked the pod to go: it must not start a second life under the same uid.
      await patchStatus(pod, lostStatus(undefined));
      return;
    }
    // Once taken, it only waits for its volumes.
    const isTaken = blocked.get(key)?.uid === pod.metadata.uid;
    const refusal = isTaken ? undefined : await admitPod(pod, world, client);
    if (refusal !== undefined) {
      const message = `Pod was rejected: ${refusal.message}`;
      const target = { apiVersion: 'v1', kind: 'Pod', metadata: pod.metadata };
      options.events(pod.spec.nodeName!).event(target, 'Warning', refusal.reason, refusal.message);
      const { generation } = pod.metadata;
      const observed = generation !== undefined && { observedGeneration: generation };
      const startTime = formatTime(tools.now());
      await patchStatus(pod, { ...observed, phase: 'Failed', reason: refusal.reason, message, startTime });
      return;
    }
    const zone = zones.get(pod.spec.nodeName!)!;
    // What changes from here on marks it again.
    dirty.delete(key);
    const own: { became?: ContainerInstance } = {};
    starting.set(key, own);
    const outcome = await startPod(pod, zone, world, client, clock, options.placer).finally(() => {
      starting.delete(key);
    });
    // What it wrote need not be looked at again, unless that is not what was seen.
    const written = outcome.isBlocked ? undefined : outcome.instance;
    if (own.became !== undefined && own.became !== written) tools.queue.add(key);
    const events = options.events(pod.spec.nodeName!);
    const target = { apiVersion: 'v1', kind: 'Pod', metadata: pod.metadata };
    for (const name of outcome.resolution.missingPullSecrets) {
      const message = `Unable to retrieve some image pull secrets (${name}); attempting to pull the image may not succeed.`;
      events.event(target, 'Warning', 'FailedToRetrieveImagePullSecret', message);
    }
    if (!outcome.isBlocked) {
      blocked.delete(key);
      const { instance } = outcome;
      if (instance !== undefined) {
        if (world.instances.get(instanceKey(pod)) === undefined) unseen.set(pod.metadata.uid, instance);
        settled.set(pod, { instance, isHostReady: isHostReady(instance.spec.hostName) });
      }
      return;
    }
    for (const [volume, why] of outcome.resolution.volumeErrors) {
      events.event(target, 'Warning', 'FailedMount', `MountVolume.SetUp failed for volume "${volume}" : ${why}`);
    }
    if (outcome.sandboxError !== undefined) {
      events.event(
        target,
        'Warning',
        'FailedCreatePodSandBox',
        `Failed to create pod sandbox: ${outcome.sandboxError}`,
      );
    }
    const before = blocked.get(key);
    const failures = before?.uid === pod.metadata.uid ? before.failures + 1 : 0;
    blocked.set(key, { uid: pod.metadata.uid, failures });
    tools.queue.addAfter(key, Math.min(FIRST_RETRY_MS * 2 ** failures, LONGEST_RETRY_MS));
    await patchStatus(pod, waitingStatus(pod, tools.now()));
  }

  async function writeStatus(
    pod: Pod,
    instance: ContainerInstance,
    nowMs: number,
    resize: { pending?: PendingResize; started?: number | undefined } = {},
  ): Promise<void> {
    const { hostName } = instance.spec;
    const noRoom = unplaced(instance);
    // Until the host has said anything there is nothing to tell that the binding did not.
    if (noRoom === undefined && instance.status?.startTime === undefined) return;
    const isReady = isHostReady(hostName);
    const wanted = podStatusFrom(pod, instance, isReady, nowMs, resize);
    announceResize(pod, wanted);
    if (noRoom !== undefined) {
      const told = pod.status?.conditions?.find(({ type }) => type === 'PodReadyToStartContainers')?.message;
      if (told !== noRoom) {
        const target = { apiVersion: 'v1', kind: 'Pod', metadata: pod.metadata };
        const message = `the pool has no room in zone ${instance.spec.zone} for ${instance.spec.resources.cpu} CPU and ${instance.spec.resources.memory} memory: ${noRoom}`;
        options.events(pod.spec.nodeName!).event(target, 'Warning', 'OutOfCapacity', message);
      }
    }
    const isLasting = noRoom === undefined && resize.pending === undefined && resize.started === undefined;
    const written = await patchStatus(pod, wanted, isLasting);
    if (written !== undefined && isLasting) settled.set(written, { instance, isHostReady: isReady });
  }

  /** Told once each, by what the pod's conditions said before. Source: the kubelet's allocation and status managers. */
  function announceResize(pod: Pod, wanted: OwnedStatus): void {
    const of = (conditions: PodCondition[] | undefined, type: string) =>
      conditions?.find((condition) => condition.type === type);
    const pending = of(wanted.conditions, 'PodResizePending');
    if (pending !== undefined) {
      const before = of(pod.status?.conditions, 'PodResizePending');
      if (before?.reason !== pending.reason || before?.observedGeneration !== pending.observedGeneration)
        announce(pod, 'Warning', `Resize${pending.reason}`, pending.reason!, pending.message);
    }
    const before = of(pod.status?.conditions, 'PodResizeInProgress');
    const now = of(wanted.conditions, 'PodResizeInProgress');
    const generation = now?.observedGeneration ?? before?.observedGeneration;
    if (now === undefined && before !== undefined) {
      announce(pod, 'Normal', 'ResizeCompleted', 'completed', undefined, generation);
    } else if (now?.reason === 'Error' && (before?.reason !== now.reason || before.message !== now.message)) {
      announce(pod, 'Warning', 'ResizeError', 'error', now.message, generation);
    }
  }

  function announce(
    pod: Pod,
    type: 'Normal' | 'Warning',
    reason: string,
    what: string,
    error?: string,
    generation = pod.metadata.generation,
  ): void {
    const target = { apiVersion: 'v1', kind: 'Pod', metadata: pod.metadata };
    const message = `Pod resize ${what}: ${resizeSummary(pod, generation, error)}`;
    if (told.get(pod.metadata.uid) === message) return;
    told.set(pod.metadata.uid, message);
    options.events(pod.spec.nodeName!).event(target, type, reason, message);
  }

  /**
   * The pod as it is now, if that is known to be the one given with nothing but this status changed: that one is not
   * looked at again where it agrees with its instance for good.
   */
  async function patchStatus(pod: Pod, wanted: OwnedStatus, isLasting = false): Promise<Pod | undefined> {
    const patch = statusPatch(pod, wanted);
    if (patch === undefined) return pod;
    const key = keyOf(pod);
    const own: { from: Pod; became?: Pod } = { from: pod };
    patching.set(key, own);
    let agreed: Pod | undefined;
    try {
      const written = await client.for(PODS, pod).patch(pod.metadata.name, 'strategic', patch, 'status');
      if (own.became === written) agreed = own.became;
      return agreed;
    } catch (error) {
      if (!isNotFound(error)) throw error;
      return undefined;
    } finally {
      patching.delete(key);
      if (own.became !== undefined && !(isLasting && agreed !== undefined)) queue?.add(key);
    }
  }

  function isHostRemoved({ spec }: ContainerInstance): boolean {
    return Boolean(spec.hostName) && world.hosts.get(`${SYSTEM_TENANT}//${spec.hostName}`) === undefined;
  }

  function isHostReady(hostName: string | undefined): boolean {
    if (!hostName) return true;
    const ready = world.hosts
      .get(`${SYSTEM_TENANT}//${hostName}`)
      ?.status?.conditions?.find(({ type }) => type === 'Ready');
    // A host that has not said a word yet has only just come.
    return ready === undefined || ready.status === 'True';
  }

  function forget(key: ObjectKey): void {
    dirty.delete(key);
    blocked.delete(key);
    tokensDue.delete(key);
  }

  /** Whoever was due has left the list: until its renewal is seen, or when there was none, it is asked again. */
  function watchTokens(key: ObjectKey, pod: Pod, refreshed: ContainerInstance, nowMs: number): void {
    const dueMs = tokensDueMs(world.instances.get(instanceKey(pod)) ?? refreshed);
    if (dueMs !== undefined) tokensDue.set(key, dueMs > nowMs ? dueMs : nowMs + TOKEN_RETRY_MS);
  }

  const instanceSeen = (instance: ContainerInstance) => {
    unseen.delete(instance.metadata.name);
    const dueMs = tokensDueMs(instance);
    if (dueMs !== undefined) tokensDue.set(podKeyOf(instance), dueMs);
  };

  return {
    name: 'virtual-node',
    workers: options.workers,
    watches: [
      {
        informer: world.pods,
        handlers: (controllerQueue) => {
          queue = controllerQueue;
          const enqueue = (pod: Pod) => {
            if (isOurs(pod)) controllerQueue.add(keyOf(pod));
          };
          return {
            added: (pod: Pod) => {
              // After a restart: sources may have changed while nobody looked.
              if (isOurs(pod)) dirty.add(keyOf(pod));
              enqueue(pod);
            },
            updated: (before: Pod, after: Pod) => {
              const own = patching.get(keyOf(after));
              const isOwn = own?.from === before;
              if (isOwn) own.became = after;
              const { labels, annotations } = before.metadata;
              // The downward API shows them.
              if (labels !== after.metadata.labels || annotations !== after.metadata.annotations) {
                if (!isSameMap(labels, after.metadata.labels) || !isSameMap(annotations, after.metadata.annotations)) {
                  if (isOurs(after)) dirty.add(keyOf(after));
                }
              }
              // Its writer looks again if need be.
              if (!isOwn) enqueue(after);
            },
            deleted: (pod: Pod) => {
              unseen.delete(pod.metadata.uid);
              told.delete(pod.metadata.uid);
              enqueue(pod);
            },
          };
        },
      },
      {
        informer: world.instances,
        handlers: (controllerQueue) => {
          const enqueue = (instance: ContainerInstance) => {
            instanceSeen(instance);
            controllerQueue.add(podKeyOf(instance));
          };
          return {
            added: (instance: ContainerInstance) => {
              const own = starting.get(podKeyOf(instance));
              if (own === undefined || own.became !== undefined) return enqueue(instance);
              instanceSeen(instance);
              own.became = instance;
            },
            updated: (_: unknown, after: ContainerInstance) => enqueue(after),
            deleted: enqueue,
          };
        },
      },
      sourceWatch(world.configMaps, 'configmap'),
      sourceWatch(world.secrets, 'secret'),
      watchHosts(),
    ],
    reads: [world.services, world.nodes],
    reconcile,
    close: () => tokensDue.close(),
  };

  function sourceWatch(informer: Informer<any>, kind: 'configmap' | 'secret') {
    return watchKeys(informer, (object: KubeObject) => {
      const keys: ObjectKey[] = [];
      for (const pod of world.pods.byIndex(BY_SOURCE, sourceKey(kind, object))) {
        if (!isOurs(pod)) continue;
        const key = keyOf(pod);
        dirty.add(key);
        keys.push(key);
      }
      return keys;
    });
  }

  function watchHosts() {
    const enqueueAll = ({ metadata }: Host, to: ControllerQueue) => {
      for (const instance of world.instances.byIndex(BY_HOST, metadata.name)) to.add(podKeyOf(instance));
    };
    const ready = (host: Host) => host.status?.conditions?.find(({ type }) => type === 'Ready')?.status;
    return {
      informer: world.hosts,
      handlers: (controllerQueue: ControllerQueue) => ({
        updated: (before: Host, after: Host) => {
          if (ready(before) !== ready(after)) enqueueAll(after, controllerQueue);
        },
        deleted: (host: Host) => enqueueAll(host, controllerQueue),
      }),
    };
  }
}

/** The pod is over though it did not end by itself; what has finished stays as it finished. */
function lostStatus(instance: ContainerInstance | undefined): OwnedStatus {
  if (isFinishedPhase(instance?.status?.phase)) return {};
  const message =
    instance === undefined
      ? 'The container instance of this pod is gone.'
      : `The host that ran this pod (${instance.spec.hostName}) was removed from the pool.`;
  return { phase: 'Failed', reason: 'InstanceLost', message };
}

/** Did containers of this pod ever start? */
function hasRun(pod: Pod): boolean {
  const { containerStatuses = [], initContainerStatuses = [], podIP } = pod.status ?? {};
  return (
    podIP !== undefined ||
    [...containerStatuses, ...initContainerStatuses].some(({ containerID }) => Boolean(containerID))
  );
}

function isSameMap(a: Readonly<Record<string, string>> = {}, b: Readonly<Record<string, string>> = {}): boolean {
  const keys = Object.keys(a);
  return keys.length === Object.keys(b).length && keys.every((key) => a[key] === b[key]);
}
