import type { Logger } from '../../base/log.ts';
import type { ContainerState } from '../sandbox-runtime.ts';
import { type CriClient, CriError, criStatus } from './cri-client.ts';
import type { CriContainer, CriContainerStatus, TaskEvent } from './messages.ts';
import { NOTES, withoutNotes } from './requests.ts';

/** How long containerd may take from a process' end to saying so in the container's status. */
const SETTLE_MS = 5_000;

/**
 * Full container states at the price of one list: a container's status is read again only when the list shows another
 * state than the one it was read in. Events come from containerd's event service; when that stream breaks, everyone
 * is told to look again once it is back.
 */
export class ContainerStates {
  readonly #client: CriClient;
  readonly #logger: Logger;
  readonly #podUids = new Map<string, string>();
  readonly #states = new Map<string, { criState: string; state: ContainerState }>();
  /** Told of by an event; the CRI plug-in notes it in the status only later, perhaps after the end was read. */
  readonly #outOfMemory = new Set<string>();
  readonly #listeners = new Set<(event: { podUid: string }) => void>();
  #unsubscribe = () => {};
  #resubscribe?: NodeJS.Timeout;
  #closed = false;

  constructor(client: CriClient, logger: Logger) {
    this.#client = client;
    this.#logger = logger;
    this.#subscribe();
  }

  addSandbox(sandboxId: string, podUid: string): void {
    this.#podUids.set(sandboxId, podUid);
  }

  forgetSandbox(sandboxId: string): void {
    this.#emit(sandboxId);
    this.#podUids.delete(sandboxId);
  }

  addContainer(containerId: string, podUid: string): void {
    this.#podUids.set(containerId, podUid);
    this.#emit(containerId);
  }

  forgetContainer(containerId: string): void {
    this.#states.delete(containerId);
    this.#outOfMemory.delete(containerId);
    this.#emit(containerId);
    this.#podUids.delete(containerId);
  }

  /** What was known of it no longer holds. */
  changed(containerId: string): void {
    this.#states.delete(containerId);
    this.#emit(containerId);
  }

  async list(): Promise<ContainerState[]> {
    const { containers } = await this.#client.runtime('ListContainers', {});
    const present = new Set(containers.map((container) => container.id));
    for (const id of this.#states.keys()) if (!present.has(id)) this.#states.delete(id);
    const states = await Promise.all(containers.map((container) => this.#stateOf(container)));
    return states.filter((state) => state !== undefined);
  }

  async read(containerId: string): Promise<ContainerState | undefined> {
    const { containers } = await this.#client.runtime('ListContainers', { filter: { id: containerId } });
    return containers.length === 0 ? undefined : this.#stateOf(containers[0]);
  }

  onEvent(listener: (event: { podUid: string }) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#resubscribe);
    this.#unsubscribe();
    this.#listeners.clear();
  }

  async #stateOf(container: CriContainer): Promise<ContainerState | undefined> {
    const known = this.#states.get(container.id);
    if (known?.criState === container.state) return known.state;
    const podUid = container.annotations[NOTES.podUid] ?? '';
    this.#podUids.set(container.id, podUid);
    const status = await this.#status(container.id);
    if (status === undefined) return undefined;
    const state = containerState(status, container.podSandboxId, podUid);
    if (state.exitCode === 137 && this.#outOfMemory.has(container.id)) state.reason = 'OOMKilled';
    this.#states.set(container.id, { criState: status.state, state });
    return state;
  }

  /** Undefined when it was removed since it was listed. */
  async #status(containerId: string): Promise<CriContainerStatus | undefined> {
    try {
      return (await this.#client.runtime('ContainerStatus', { containerId })).status;
    } catch (error) {
      if (error instanceof CriError && error.code === criStatus.NOT_FOUND) return undefined;
      throw error;
    }
  }

  #subscribe(): void {
    this.#unsubscribe = this.#client.subscribe(
      (event) => void this.#handle(event),
      () => {
        if (this.#closed) return;
        this.#logger.debug({}, 'the event stream of containerd broke');
        this.#resubscribe = setTimeout(() => {
          this.#subscribe();
          // Whatever happened in between was missed.
          this.#states.clear();
          for (const podUid of new Set(this.#podUids.values())) this.#notify(podUid);
        }, 200);
      },
    );
  }

  async #handle(event: TaskEvent): Promise<void> {
    if (!this.#podUids.has(event.containerId)) return;
    this.#states.delete(event.containerId);
    if (event.type === 'oom') this.#outOfMemory.add(event.containerId);
    if (event.type === 'exit') await this.waitUntilSettled(event.containerId);
    this.#emit(event.containerId);
  }

  /** containerd publishes the end of a process before its CRI plug-in has written the container's status. */
  async waitUntilSettled(containerId: string): Promise<void> {
    const deadline = Date.now() + SETTLE_MS;
    for (let waitMs = 2; !this.#closed && Date.now() < deadline; waitMs = Math.min(waitMs * 2, 200)) {
      try {
        const { containers } = await this.#client.runtime('ListContainers', { filter: { id: containerId } });
        if (containers[0]?.state !== 'CONTAINER_RUNNING') return;
      } catch {
        return;
      }
      await new Promise((resolve) => setTimeout(resolve, waitMs));
    }
  }

  #emit(id: string): void {
    const podUid = this.#podUids.get(id);
    if (podUid !== undefined) this.#notify(podUid);
  }

  #notify(podUid: string): void {
    for (const listener of this.#listeners) listener({ podUid });
  }
}

function containerState(status: CriContainerStatus, sandboxId: string, podUid: string): ContainerState {
  const state = status.state.slice('CONTAINER_'.length).toLowerCase() as ContainerState['state'];
  const milliseconds = (nanoseconds: string) =>
    nanoseconds === '0' ? undefined : Number(BigInt(nanoseconds) / 1_000_000n);
  return {
    id: status.id,
    sandboxId,
    podUid,
    name: status.metadata.name,
    attempt: status.metadata.attempt,
    state,
    createdAt: milliseconds(status.createdAt) ?? 0,
    startedAt: milliseconds(status.startedAt),
    finishedAt: milliseconds(status.finishedAt),
    ...(state === 'exited'
      ? { exitCode: status.exitCode, reason: status.reason, message: status.message || undefined }
      : {}),
    image: status.image.image,
    imageRef: status.imageRef,
    labels: status.labels,
    annotations: withoutNotes(status.annotations),
    logPath: status.logPath,
  };
}
