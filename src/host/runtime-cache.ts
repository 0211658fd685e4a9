import { sleep } from '../base/abort.ts';
import type { Clock } from '../base/clock.ts';
import type { Logger } from '../base/log.ts';
import type { ContainerState, PodSandbox, SandboxRuntime } from '../runtime/sandbox-runtime.ts';
import type { PodObservation } from './worker/state.ts';

const RELIST_INTERVAL_MS = 1000;
/** A relist may take this share of the time at most, however many pods there are. */
const RELIST_SHARE = 20;
const nothing: PodObservation = { sandboxes: [], containers: new Map() };

/**
 * What the runtime runs, by pod. Truth comes from a relist every second; in between, the agent's own operations and the
 * runtime's events refresh single pods, so that the work follows the changes and not the number of pods.
 */
export class RuntimeCache {
  readonly #runtime: SandboxRuntime;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #pods = new Map<string, PodObservation>();
  /** Pod uid -> number of the change that last touched it here; a relist that began before must not undo it. */
  readonly #touched = new Map<string, number>();
  readonly #dirty = new Set<string>();
  #changes = 0;
  #flushing = false;
  #onChange: (podUid: string) => void = () => {};
  #failure: string | undefined;

  constructor(runtime: SandboxRuntime, clock: Clock, logger: Logger) {
    this.#runtime = runtime;
    this.#clock = clock;
    this.#logger = logger;
  }

  onChange(listener: (podUid: string) => void): void {
    this.#onChange = listener;
  }

  get(podUid: string): PodObservation {
    return this.#pods.get(podUid) ?? nothing;
  }

  podUids(): IterableIterator<string> {
    return this.#pods.keys();
  }

  /** Why the last relist failed; undefined while the runtime answers. */
  get failure(): string | undefined {
    return this.#failure;
  }

  async run(signal: AbortSignal): Promise<void> {
    const unsubscribe = this.#runtime.onEvent(({ podUid }) => this.refresh(podUid));
    try {
      while (!signal.aborted) {
        const began = performance.now();
        await this.relist().catch(() => {});
        const took = performance.now() - began;
        await sleep(Math.max(RELIST_INTERVAL_MS, took * RELIST_SHARE), signal);
      }
    } finally {
      unsubscribe();
    }
  }

  /** A look that began after this call; many who ask at once share one. */
  lookAgain(): Promise<void> {
    this.#nextLook ??= (this.#look ?? Promise.resolve()).then(() => {
      this.#nextLook = undefined;
      this.#look = this.relist().catch(() => {});
      return this.#look;
    });
    return this.#nextLook;
  }
  #look: Promise<void> | undefined;
  #nextLook: Promise<void> | undefined;

  async relist(): Promise<void> {
    const before = this.#changes;
    let sandboxes: PodSandbox[];
    let containers: ContainerState[];
    try {
      [sandboxes, containers] = await Promise.all([this.#runtime.listPodSandboxes(), this.#runtime.listContainers()]);
    } catch (error) {
      if (this.#failure === undefined) this.#logger.error({ error }, 'the sandbox runtime does not answer');
      this.#failure = (error as Error).message;
      throw error;
    }
    if (this.#failure !== undefined) this.#logger.info({}, 'the sandbox runtime answers again');
    this.#failure = undefined;
    const fresh = new Map<string, { sandboxes: PodSandbox[]; containers: ContainerState[] }>();
    const podOf = (uid: string) => {
      let pod = fresh.get(uid);
      if (pod === undefined) fresh.set(uid, (pod = { sandboxes: [], containers: [] }));
      return pod;
    };
    for (const sandbox of sandboxes) podOf(sandbox.metadata.uid).sandboxes.push(sandbox);
    for (const container of containers) podOf(container.podUid).containers.push(container);
    for (const [uid, pod] of fresh) {
      if ((this.#touched.get(uid) ?? 0) > before || this.#isKnown(uid, pod.sandboxes, pod.containers)) continue;
      this.#replace(uid, pod.sandboxes, pod.containers);
    }
    for (const uid of [...this.#pods.keys()]) {
      if (!fresh.has(uid) && (this.#touched.get(uid) ?? 0) <= before) this.#replace(uid, [], []);
    }
    for (const [uid, change] of this.#touched) if (change <= before) this.#touched.delete(uid);
  }

  /** Looks at the pod's live containers soon; many calls at once cost one look. */
  refresh(podUid: string): void {
    this.#dirty.add(podUid);
    if (this.#flushing) return;
    this.#flushing = true;
    this.#clock.schedule(0, () => {
      this.#flushing = false;
      const uids = [...this.#dirty];
      this.#dirty.clear();
      for (const uid of uids) void this.#refreshPod(uid);
    });
  }

  async #refreshPod(podUid: string): Promise<void> {
    const live = [...this.get(podUid).containers.values()].flat().filter(({ state }) => state !== 'exited');
    await Promise.all(live.map(({ id }) => this.refreshContainer(podUid, id).catch(() => {})));
  }

  /** Learns one container's present state; forgets it when the runtime does not know it. */
  async refreshContainer(podUid: string, containerId: string): Promise<void> {
    const began = this.#changes;
    const state = await this.#runtime.containerStatus(containerId);
    const all = [...this.get(podUid).containers.values()].flat();
    const known = all.find(({ id }) => id === containerId);
    // Two looks may overtake one another: an end is never taken back.
    if (state !== undefined && known?.state === 'exited' && state.state !== 'exited' && began < this.#changes) return;
    const others = all.filter(({ id }) => id !== containerId);
    this.#touch(podUid);
    this.#replace(podUid, this.get(podUid).sandboxes, state === undefined ? others : [...others, state]);
  }

  sandboxCreated(sandbox: PodSandbox): void {
    const uid = sandbox.metadata.uid;
    const { sandboxes, containers } = this.get(uid);
    this.#touch(uid);
    this.#replace(uid, [sandbox, ...sandboxes.filter(({ id }) => id !== sandbox.id)], [...containers.values()].flat());
  }

  sandboxStopped(podUid: string, sandboxId: string): void {
    const { sandboxes, containers } = this.get(podUid);
    this.#touch(podUid);
    this.#replace(
      podUid,
      sandboxes.map((sandbox) => (sandbox.id === sandboxId ? { ...sandbox, state: 'notReady' as const } : sandbox)),
      [...containers.values()].flat(),
    );
  }

  containerRemoved(podUid: string, containerId: string): void {
    const { sandboxes, containers } = this.get(podUid);
    this.#touch(podUid);
    this.#replace(
      podUid,
      sandboxes,
      [...containers.values()].flat().filter(({ id }) => id !== containerId),
    );
  }

  podRemoved(podUid: string): void {
    this.#touch(podUid);
    this.#replace(podUid, [], []);
  }

  #touch(podUid: string): void {
    this.#touched.set(podUid, ++this.#changes);
  }

  /** Whether it is a pod as nearly all are, one sandbox and containers that ran once, just as it was at the last look. */
  #isKnown(uid: string, sandboxes: PodSandbox[], containers: ContainerState[]): boolean {
    const known = this.#pods.get(uid);
    if (known?.sandboxes.length !== 1 || sandboxes.length !== 1 || known.containers.size !== containers.length)
      return false;
    if (!sameSandbox(known.sandboxes[0]!, sandboxes[0]!)) return false;
    for (const container of containers) {
      const records = known.containers.get(container.name);
      if (records?.length !== 1 || !sameContainer(records[0]!, container)) return false;
    }
    return true;
  }

  #replace(uid: string, sandboxes: PodSandbox[], containers: ContainerState[]): void {
    const before = this.#pods.get(uid);
    if (sandboxes.length === 0 && containers.length === 0) {
      if (this.#pods.delete(uid)) this.#onChange(uid);
      return;
    }
    sandboxes.sort((a, b) => b.createdAt - a.createdAt || b.metadata.attempt - a.metadata.attempt);
    const byName = new Map<string, ContainerState[]>();
    for (const container of containers) {
      const records = byName.get(container.name);
      if (records === undefined) byName.set(container.name, [container]);
      else records.push(container);
    }
    for (const records of byName.values()) {
      if (records.length > 1) records.sort((a, b) => b.attempt - a.attempt || b.createdAt - a.createdAt);
    }
    const after = { sandboxes, containers: byName };
    if (before !== undefined && sameObservation(before, after)) return;
    this.#pods.set(uid, after);
    this.#onChange(uid);
  }
}

function sameObservation(a: PodObservation, b: PodObservation): boolean {
  if (a.sandboxes.length !== b.sandboxes.length || a.containers.size !== b.containers.size) return false;
  if (!a.sandboxes.every((sandbox, index) => sameSandbox(sandbox, b.sandboxes[index]!))) return false;
  for (const [name, records] of a.containers) {
    const others = b.containers.get(name);
    if (others === undefined || others.length !== records.length) return false;
    if (!records.every((record, index) => sameContainer(record, others[index]!))) return false;
  }
  return true;
}

const sameSandbox = (a: PodSandbox, b: PodSandbox) => a.id === b.id && a.state === b.state;
const sameContainer = (a: ContainerState, b: ContainerState) =>
  a.id === b.id &&
  a.state === b.state &&
  a.startedAt === b.startedAt &&
  a.finishedAt === b.finishedAt &&
  a.exitCode === b.exitCode &&
  a.reason === b.reason;
