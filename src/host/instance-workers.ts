import type { ContainerInstance } from '../api/pool.ts';
import type { Logger } from '../base/log.ts';
import { Semaphore } from '../base/semaphore.ts';
import type { Informer } from '../client/informer.ts';
import type { WorkerDependencies } from './worker/context.ts';
import { PodWorker } from './worker/pod-worker.ts';
import { removePod } from './worker/remove-pod.ts';

/** Pods without an instance are removed this many at once. */
const PARALLEL_REMOVALS = 8;

/** One worker an instance of this host: made with it, told of its changes, gone with it. */
export class InstanceWorkers {
  readonly #dependencies: WorkerDependencies;
  readonly #logger: Logger;
  readonly #workers = new Map<string, PodWorker>();
  /** Pods being removed that no worker cares for. */
  readonly #orphans = new Set<string>();
  readonly #removals = new Semaphore(PARALLEL_REMOVALS);
  #instances: Informer<ContainerInstance> | undefined;
  #observe: (instance: ContainerInstance) => void = () => {};
  readonly #onDone: (podUid: string) => void;

  /** `onDone` hears of every instance that nothing is left of on this host. */
  constructor(dependencies: WorkerDependencies, onDone: (podUid: string) => void = () => {}) {
    this.#dependencies = dependencies;
    this.#onDone = onDone;
    this.#logger = dependencies.logger;
    dependencies.cache.onChange((podUid) => this.#changed(podUid));
  }

  /** Starts when the instances and the runtime's containers are both known: then what belongs to nobody can be told. */
  start(instances: Informer<ContainerInstance>, observe: (instance: ContainerInstance) => void): void {
    this.#instances = instances;
    this.#observe = observe;
    instances.addHandlers({
      added: (instance) => this.#set(instance),
      updated: (_before, instance) => this.#set(instance),
      deleted: (instance) => this.#workers.get(instance.metadata.name)?.setGone(),
    });
    for (const instance of instances.values()) this.#set(instance);
    for (const podUid of [...this.#dependencies.cache.podUids()]) this.#changed(podUid);
    void this.#removeLeftovers();
  }

  get(podUid: string): PodWorker | undefined {
    return this.#workers.get(podUid);
  }

  values(): IterableIterator<PodWorker> {
    return this.#workers.values();
  }

  get size(): number {
    return this.#workers.size;
  }

  detach(): void {
    for (const worker of this.#workers.values()) worker.detach();
  }

  #set(instance: ContainerInstance): void {
    this.#observe(instance);
    const uid = instance.metadata.name;
    const worker = this.#workers.get(uid);
    if (worker !== undefined) {
      worker.setInstance(instance);
      return;
    }
    if (this.#isOver(instance)) return;
    const fresh = new PodWorker(instance, this.#dependencies, (done) => {
      this.#workers.delete(done);
      this.#onDone(done);
    });
    this.#workers.set(uid, fresh);
    fresh.changed();
  }

  /** Deleted and reported, only held by a finalizer (metering's): nothing is left to do for it here. */
  #isOver({ metadata, status }: ContainerInstance): boolean {
    return (
      metadata.deletionTimestamp !== undefined &&
      metadata.deletionGracePeriodSeconds === 0 &&
      (status?.phase === 'Succeeded' || status?.phase === 'Failed') &&
      (status.meteredFrom === undefined || status.meteredTo !== undefined) &&
      this.#dependencies.cache.get(metadata.name).sandboxes.length === 0
    );
  }

  #changed(podUid: string): void {
    const worker = this.#workers.get(podUid);
    if (worker !== undefined) {
      worker.changed();
      return;
    }
    if (this.#instances === undefined) return;
    const { sandboxes, containers } = this.#dependencies.cache.get(podUid);
    if (sandboxes.length === 0 && containers.size === 0) return;
    this.#removeOrphan(podUid, sandboxes[0]?.metadata.tenant ?? '');
  }

  /** Namespaces and directories whose pod the runtime does not know any more. */
  async #removeLeftovers(): Promise<void> {
    const { network, files } = this.#dependencies;
    try {
      const attached = await network.list();
      for (const { uid, tenant } of attached) if (!this.#workers.has(uid)) this.#removeOrphan(uid, tenant);
      for (const uid of await files.list()) if (!this.#workers.has(uid)) this.#removeOrphan(uid, '');
    } catch (error) {
      this.#logger.error({ error }, 'what a crash may have left behind could not be listed');
    }
  }

  #removeOrphan(podUid: string, tenant: string): void {
    if (this.#orphans.has(podUid)) return;
    this.#orphans.add(podUid);
    this.#logger.info({ instance: podUid }, 'removing a pod that has no instance');
    void this.#removals
      .run(async () => {
        if (!this.#workers.has(podUid)) await removePod(this.#dependencies, tenant, podUid);
      })
      .catch((error) => {
        this.#logger.warn({ error, instance: podUid }, 'a pod without an instance could not be removed; trying again');
        this.#dependencies.clock.schedule(10_000, () => this.#changed(podUid));
      })
      .finally(() => this.#orphans.delete(podUid));
  }
}
