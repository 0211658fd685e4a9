import { deepEqual } from '../../api/equality.ts';
import type { ContainerInstance, ContainerInstanceStatus } from '../../api/pool.ts';
import { PodProbes, type ProbedContainer } from '../probes/pod-probes.ts';
import { runProbe } from '../probes/run-probe.ts';
import { instanceStatus } from '../status/instance-status.ts';
import { adopt, initialMemory } from './adoption.ts';
import { podRefusal } from './containers/security.ts';
import { readTerminationMessage } from './containers/termination-message.ts';
import type { WorkerContext, WorkerDependencies } from './context.ts';
import { type OperationHooks, operationOf } from './operations.ts';
import { VolumeError } from './pod-files.ts';
import { containersOf, latest, type PodObservation, type WorkerMemory } from './state.ts';
import { DEADLINE_EXCEEDED, deadline, isTerminating, terminationGraceSeconds } from './steps/ending.ts';
import { isOnItsWay } from './steps/on-its-way.ts';
import { step } from './steps/step.ts';

const FIRST_RETRY_MS = 1000;
const LONGEST_RETRY_MS = 10_000;
/** Of a pod on its way up: a quick start is told once, when it is done. */
const REPORT_DELAY_MS = 20;

/**
 * One instance's worker: looks, decides (step.ts), acts, and looks again whenever something changed. Operations run
 * beside one another; `memory.busy` says which, so that a decision never starts one twice.
 */
export class PodWorker {
  readonly #dependencies: WorkerDependencies;
  #instance: ContainerInstance;
  readonly #memory: WorkerMemory;
  readonly #probes: PodProbes;
  readonly #messages = new Map<string, string>();
  readonly #readingMessages = new Set<string>();
  readonly #ending = new AbortController();
  readonly #stops: WorkerContext['stops'] = new Map();
  readonly #stopWaiters: { name: string; resolve: () => void }[] = [];
  /** Ids of containers that ran before this worker did. */
  readonly #adopted: Set<string>;
  readonly #onDone: (podUid: string) => void;
  #scheduled = false;
  #cancelWake: () => void = () => {};
  #done = false;
  /** Of a status that is reported unless a better one is soon. */
  #cancelReport: (() => void) | undefined;
  #filesOf: ContainerInstance['spec']['volumeFiles'];

  constructor(instance: ContainerInstance, dependencies: WorkerDependencies, onDone: (podUid: string) => void) {
    this.#dependencies = dependencies;
    this.#instance = instance;
    this.#onDone = onDone;
    const { clock } = dependencies;
    this.#memory = initialMemory(instance, clock.now());
    const observed = dependencies.cache.get(instance.metadata.name);
    this.#adopted = new Set([...observed.containers.values()].flat().map(({ id }) => id));
    adopt(instance, this.#memory, observed);
    this.#probes = new PodProbes(this.#memory.probes, {
      clock,
      attempt: (container, containerId, probe) =>
        runProbe(probe, {
          container,
          containerId,
          podIp: this.#memory.address?.ip ?? '',
          runtime: dependencies.runtime,
          connect: (address, port, timeoutMs) =>
            dependencies.network.connect(this.#instance.metadata.namespace ?? '', address, port, timeoutMs),
        }),
      event: (container, reason, message) =>
        this.#event({ type: 'Warning', reason, message, container: container.name }),
      changed: () => this.changed(),
      random: dependencies.random,
    });
  }

  get instance(): ContainerInstance {
    return this.#instance;
  }

  get memory(): Readonly<WorkerMemory> {
    return this.#memory;
  }

  /** The object changed in the API. */
  setInstance(instance: ContainerInstance): void {
    const before = this.#instance;
    this.#instance = instance;
    if (!sameSpec(before, instance)) {
      // What could not be started may be startable now; crash loops and pulls keep their pace.
      for (const [name, { reason }] of this.#memory.waiting) {
        if (reason === 'CreateContainerConfigError') this.#memory.waiting.delete(name);
      }
      if (!deepEqual(before.spec.volumeFiles, instance.spec.volumeFiles)) this.#memory.notBefore.delete('files');
    }
    this.changed();
  }

  /** The object is gone from the API: the pod is removed without a report. */
  setGone(): void {
    this.#memory.gone = true;
    this.changed();
  }

  /** Ends the pod for good, for what it has done to the host. */
  evict(message: string): void {
    if (isTerminating({ instance: this.#instance, memory: this.#memory })) return;
    this.#memory.verdict = { phase: 'Failed', reason: 'Evicted', message };
    this.#event({ type: 'Warning', reason: 'Evicted', message });
    this.changed();
  }

  /** Looks again, soon; many calls cost one look. */
  changed(): void {
    if (this.#scheduled || this.#done) return;
    this.#scheduled = true;
    this.#dependencies.clock.schedule(0, () => {
      this.#scheduled = false;
      this.#look();
    });
  }

  /** The agent ends: nothing is stopped, the containers run on. */
  detach(): void {
    this.#done = true;
    this.#cancelWake();
    this.#cancelReport?.();
    this.#probes.stop();
  }

  #look(): void {
    if (this.#done) return;
    const { cache, clock, event } = this.#dependencies;
    const memory = this.#memory;
    const observed = cache.get(this.#instance.metadata.name);
    this.#remember(observed);
    if (this.#readMessages(observed)) return;
    let status = this.#judge(observed);
    if (isTerminating({ instance: this.#instance, memory })) {
      this.#ending.abort();
      this.#shortenStops();
    }
    this.#refreshVolumes();

    const now = clock.now();
    const result = step({ instance: this.#instance, observed, memory, now });
    for (const { container, reason, event: cause } of result.waiting) {
      status = undefined;
      memory.waiting.set(container, reason);
      if (cause !== undefined) this.#event(cause);
    }
    for (const entry of result.events) event(this.#instance, entry);
    this.#report(observed, status);
    this.#updateProbes(observed);
    this.#cancelWake();
    this.#cancelWake = () => {};
    if (result.wakeAt !== undefined) {
      this.#cancelWake = clock.schedule(Math.max(result.wakeAt - now, 1), () => this.changed());
    }
    for (const action of result.actions) {
      const [key, operation] = operationOf(action, this.#context(), this.#hooks);
      this.#run(key, operation);
    }
  }

  /** Facts that outlast what the runtime has at the moment. */
  #remember(observed: PodObservation): void {
    const memory = this.#memory;
    const present = new Set<string>();
    for (const [name, records] of observed.containers) {
      const newest = records[0]!.attempt;
      if (newest > (memory.attempts.get(name) ?? -1)) memory.attempts.set(name, newest);
      for (const { id } of records) present.add(id);
    }
    for (const store of [memory.probes, this.#messages]) {
      for (const id of store.keys()) if (!present.has(id)) store.delete(id);
    }
    for (const ids of [memory.killedToRestart, memory.restarting, memory.actuated]) {
      for (const id of ids.keys()) if (!present.has(id) && !memory.starting.has(id)) ids.delete(id);
    }
    if (memory.meteredFrom === undefined && observed.sandboxes.length > 0) {
      const first = Math.min(...observed.sandboxes.map(({ createdAt }) => createdAt));
      memory.meteredFrom = new Date(first).toISOString();
    }
    for (let index = this.#stopWaiters.length - 1; index >= 0; index--) {
      const { name, resolve } = this.#stopWaiters[index]!;
      if (latest(observed, name)?.state === 'running') continue;
      this.#stopWaiters.splice(index, 1);
      resolve();
    }
  }

  /** Termination messages belong to the status of an exit: it is not looked at before they are read. */
  #readMessages(observed: PodObservation): boolean {
    let waits = false;
    for (const records of observed.containers.values()) {
      for (const record of records) {
        if (record.state !== 'exited' || this.#messages.has(record.id)) continue;
        waits = true;
        if (this.#readingMessages.has(record.id)) continue;
        this.#readingMessages.add(record.id);
        const container = containersOf(this.#instance.spec.pod).find(({ name }) => name === record.name);
        void readTerminationMessage(this.#dependencies.files, this.#instance, container, record)
          .catch((error) => `Error on reading termination log: ${(error as Error).message}`)
          .then((message) => {
            this.#messages.set(record.id, message);
            this.#readingMessages.delete(record.id);
            this.changed();
          });
      }
    }
    return waits;
  }

  /**
   * Whether the pod has ended, by deadline or because its containers have. Returns the status it looked at, while that
   * still is the status.
   */
  #judge(observed: PodObservation): ContainerInstanceStatus | undefined {
    const memory = this.#memory;
    let judged: ContainerInstanceStatus | undefined;
    const instance = this.#instance;
    const now = this.#dependencies.clock.now();
    if (memory.verdict === undefined) {
      const end = deadline({ instance, memory });
      const refusal = podRefusal(instance.spec.pod);
      if (end !== undefined && now >= end && !isTerminating({ instance, memory })) {
        memory.verdict = DEADLINE_EXCEEDED;
        const { reason, message } = DEADLINE_EXCEEDED;
        this.#event({ type: 'Normal', reason: reason!, message: message! });
      } else if (refusal !== undefined) {
        memory.verdict = { phase: 'Failed', ...refusal };
        this.#event({ type: 'Warning', ...refusal });
      } else if (!isOnItsWay({ instance, observed, memory })) {
        const { phase, status } = this.#status(observed);
        if (phase === 'Succeeded' || phase === 'Failed') memory.verdict = { phase };
        else judged = status;
      }
    }
    const over = isTerminating({ instance, memory }) && this.#isStopped(observed);
    if (over && memory.meteredFrom !== undefined && memory.meteredTo === undefined) {
      memory.meteredTo = new Date(Math.max(now, Date.parse(memory.meteredFrom))).toISOString();
      return undefined;
    }
    return judged;
  }

  #isStopped(observed: PodObservation): boolean {
    const { busy } = this.#memory;
    if (busy.has('sandbox') || busy.has('start')) return false;
    if (observed.sandboxes.some(({ state }) => state === 'ready')) return false;
    return ![...observed.containers.values()].some((records) => records.some(({ state }) => state === 'running'));
  }

  #status(observed: PodObservation): { phase: ContainerInstanceStatus['phase']; status: ContainerInstanceStatus } {
    const instance = this.#instance;
    const memory = this.#memory;
    return instanceStatus({
      instance,
      observed,
      memory,
      now: this.#dependencies.clock.now(),
      terminationMessages: this.#messages,
      terminated: isTerminating({ instance, memory }) && this.#isStopped(observed),
    });
  }

  #report(observed: PodObservation, judged: ContainerInstanceStatus | undefined, mayWait = true): void {
    const memory = this.#memory;
    // After the clean-up nothing is observed any more: what was written last is the truth.
    if (memory.gone || memory.finalStatusWritten) return;
    if (mayWait && judged === undefined && isOnItsWay({ instance: this.#instance, observed, memory })) {
      this.#cancelReport ??= this.#dependencies.clock.schedule(REPORT_DELAY_MS, () => {
        this.#cancelReport = undefined;
        this.#report(this.#dependencies.cache.get(this.#instance.metadata.name), undefined, false);
      });
      return;
    }
    this.#cancelReport?.();
    this.#cancelReport = undefined;
    const status = judged ?? this.#status(observed).status;
    if (memory.status !== undefined && deepEqual(memory.status, status)) return;
    memory.status = status;
    this.#dependencies.writeStatus(this.#instance, status);
  }

  #updateProbes(observed: PodObservation): void {
    const instance = this.#instance;
    const memory = this.#memory;
    const terminating = isTerminating({ instance, memory });
    const running: ProbedContainer[] = [];
    if (memory.address !== undefined) {
      for (const container of [...(instance.spec.pod.initContainers ?? []), ...instance.spec.pod.containers]) {
        if (!container.livenessProbe && !container.readinessProbe && !container.startupProbe) continue;
        const record = latest(observed, container.name);
        if (record?.state !== 'running') continue;
        const started = container.startupProbe === undefined || memory.probes.get(record.id)?.startup === 'success';
        const startedAt = record.startedAt ?? record.createdAt;
        const adopted = this.#adopted.has(record.id);
        running.push({ container, containerId: record.id, startedAt, started, adopted });
      }
    }
    this.#probes.update(running, terminating);
  }

  #shortenStops(): void {
    const graceSeconds = terminationGraceSeconds(this.#instance, this.#memory);
    if (this.#lastGraceSeconds !== undefined && graceSeconds >= this.#lastGraceSeconds) return;
    this.#lastGraceSeconds = graceSeconds;
    for (const stop of this.#stops.values()) stop.shorten(graceSeconds);
  }
  #lastGraceSeconds: number | undefined;

  #refreshVolumes(): void {
    const { memory, instance } = { memory: this.#memory, instance: this.#instance };
    const files = instance.spec.volumeFiles;
    if (!memory.filesReady || files === this.#filesOf || memory.busy.has('files') || memory.cleanedUp) return;
    if (isTerminating({ instance, memory })) return;
    const before = this.#filesOf;
    this.#filesOf = files;
    if (deepEqual(before, files)) return;
    this.#run('files', async () => {
      await this.#dependencies.files.refresh(instance);
    });
  }

  readonly #hooks: OperationHooks = {
    filesPrepared: (files) => {
      this.#filesOf = files;
    },
    writeFinalStatus: async () => {
      const { cache, statusWritten } = this.#dependencies;
      const { status } = this.#status(cache.get(this.#instance.metadata.name));
      this.#memory.status = status;
      await statusWritten(this.#instance, status);
    },
    stopProbes: () => this.#probes.stop(),
    finish: () => this.#finish(),
  };

  #finish(): void {
    this.detach();
    this.#onDone(this.#instance.metadata.name);
  }

  #run(key: string, operation: () => Promise<void>): void {
    const { clock, logger } = this.#dependencies;
    const memory = this.#memory;
    memory.busy.add(key);
    void operation()
      .then(
        () => {
          memory.failures.delete(key);
          memory.notBefore.delete(key);
        },
        (error: Error) => {
          const failures = (memory.failures.get(key) ?? 0) + 1;
          memory.failures.set(key, failures);
          const delayMs = Math.min(FIRST_RETRY_MS * 2 ** (failures - 1), LONGEST_RETRY_MS);
          memory.notBefore.set(key, clock.now() + delayMs);
          this.#operationFailed(key, error);
          logger.warn({ error, instance: this.#instance.metadata.name, operation: key }, 'an operation failed');
        },
      )
      .finally(() => {
        memory.busy.delete(key);
        this.changed();
      });
  }

  #operationFailed(key: string, error: Error): void {
    const terminating = isTerminating({ instance: this.#instance, memory: this.#memory });
    if (key.startsWith('stop/')) {
      this.#event({ type: 'Warning', reason: 'FailedKillPod', message: `error killing pod: ${error.message}` });
    } else if (terminating) return;
    else if (key === 'files') {
      const reason = error instanceof VolumeError ? 'FailedMount' : 'FailedCreatePodContainer';
      this.#event({ type: 'Warning', reason, message: error.message });
    } else if (key === 'sandbox') {
      const message = `Failed to create pod sandbox: ${error.message}`;
      this.#event({ type: 'Warning', reason: 'FailedCreatePodSandBox', message });
    }
  }

  #event(event: Parameters<WorkerDependencies['event']>[1]): void {
    this.#dependencies.event(this.#instance, event);
  }

  #context(): WorkerContext {
    const uid = this.#instance.metadata.name;
    const { cache, logger } = this.#dependencies;
    return {
      dependencies: this.#dependencies,
      instance: this.#instance,
      memory: this.#memory,
      logger: logger.child({ instance: uid }),
      observed: () => cache.get(uid),
      event: (event) => this.#event(event),
      ending: this.#ending.signal,
      stopped: (name) => {
        if (latest(cache.get(uid), name)?.state !== 'running') return Promise.resolve();
        return new Promise((resolve) => this.#stopWaiters.push({ name, resolve }));
      },
      stops: this.#stops,
    };
  }
}

/** The API server counts changes of the spec: mostly the numbers say enough. */
function sameSpec(before: ContainerInstance, after: ContainerInstance): boolean {
  const { uid, generation } = after.metadata;
  if (generation !== undefined && uid === before.metadata.uid && generation === before.metadata.generation) return true;
  return deepEqual(before.spec, after.spec);
}
