import type { Container, Probe } from '../../api/generated/core-v1.ts';
import type { Clock } from '../../base/clock.ts';
import type { ProbeOutcome, ProbeResults } from '../worker/state.ts';
import type { ProbeAnswer } from './run-probe.ts';

export type ProbeKind = 'liveness' | 'readiness' | 'startup';
const kinds: ProbeKind[] = ['startup', 'readiness', 'liveness'];
const titles: Record<ProbeKind, string> = { startup: 'Startup', readiness: 'Readiness', liveness: 'Liveness' };
const MOST_RETRIES = 3;

export interface PodProbesOptions {
  clock: Clock;
  /** Attempts the probe once; rejects when it could not be carried out. */
  attempt(container: Container, containerId: string, probe: Probe): Promise<ProbeAnswer>;
  event(container: Container, reason: 'Unhealthy' | 'ProbeWarning', message: string): void;
  /** A threshold was reached: look at the results again. */
  changed(): void;
  /** 0 <= x < 1; spreads the probes of many pods that start or are adopted together. */
  random(): number;
}

export interface ProbedContainer {
  container: Container;
  containerId: string;
  /** Epoch ms. */
  startedAt: number;
  started: boolean;
  /** The container ran before this agent did. */
  adopted: boolean;
}

interface Worker {
  kind: ProbeKind;
  probe: Probe;
  target: ProbedContainer;
  cancel: () => void;
  last?: ProbeOutcome;
  run: number;
  onHold: boolean;
  probing: boolean;
}

/** The probes of one pod. Times only the containers that run; writes what they find into `results`. */
export class PodProbes {
  readonly #options: PodProbesOptions;
  readonly #results: Map<string, ProbeResults>;
  /** `<container id>/<kind>` */
  readonly #workers = new Map<string, Worker>();

  constructor(results: Map<string, ProbeResults>, options: PodProbesOptions) {
    this.#results = results;
    this.#options = options;
  }

  /** Level-triggered: the containers that run now. With `terminating`, only readiness is still asked for. */
  update(running: ProbedContainer[], terminating: boolean): void {
    const wanted = new Set<string>();
    for (const target of running) {
      for (const kind of kinds) {
        const probe = probeOf(target.container, kind);
        if (probe === undefined || (terminating && kind !== 'readiness')) continue;
        const key = `${target.containerId}/${kind}`;
        wanted.add(key);
        const worker = this.#workers.get(key);
        if (worker === undefined) this.#add(key, kind, probe, target);
        else {
          const hasJustStarted = target.started && !worker.target.started;
          worker.target = target;
          worker.probe = probe;
          if (hasJustStarted && kind !== 'startup') this.#schedule(worker, this.#firstDelay(worker));
        }
      }
    }
    for (const [key, worker] of this.#workers) {
      if (wanted.has(key)) continue;
      worker.cancel();
      this.#workers.delete(key);
    }
  }

  stop(): void {
    for (const worker of this.#workers.values()) worker.cancel();
    this.#workers.clear();
  }

  #add(key: string, kind: ProbeKind, probe: Probe, target: ProbedContainer): void {
    const worker: Worker = { kind, probe, target, cancel: () => {}, run: 0, onHold: false, probing: false };
    this.#workers.set(key, worker);
    // Liveness and readiness wait until the container has started; `update` wakes them then.
    if (kind === 'startup' ? !target.started : target.started) this.#schedule(worker, this.#firstDelay(worker));
  }

  #firstDelay({ probe, target, kind }: Worker): number {
    const initial = target.startedAt + (probe.initialDelaySeconds ?? 0) * 1000 - this.#options.clock.now();
    const periodMs = (probe.periodSeconds ?? 10) * 1000;
    // Adopted ones come all at once, and nobody waits for a liveness probe: both are spread over their period.
    const spread = target.adopted || kind === 'liveness' ? this.#options.random() * periodMs : 0;
    return Math.max(initial, 0) + spread;
  }

  #schedule(worker: Worker, delayMs: number): void {
    worker.cancel();
    worker.cancel = this.#options.clock.schedule(delayMs, () => void this.#tick(worker));
  }

  async #tick(worker: Worker): Promise<void> {
    const { kind, probe, target } = worker;
    const key = `${target.containerId}/${kind}`;
    if (worker.probing || worker.onHold || this.#workers.get(key) !== worker) return;
    worker.probing = true;
    const outcome = await this.#probeOnce(worker);
    worker.probing = false;
    if (this.#workers.get(key) !== worker) return;
    if (outcome !== undefined) this.#note(worker, outcome);
    if (!worker.onHold) this.#schedule(worker, (probe.periodSeconds ?? 10) * 1000);
  }

  async #probeOnce({ kind, probe, target }: Worker): Promise<ProbeOutcome | undefined> {
    const { attempt, event } = this.#options;
    for (let tries = 1; ; tries++) {
      try {
        const { outcome, output } = await attempt(target.container, target.containerId, probe);
        if (outcome === 'failure') event(target.container, 'Unhealthy', `${titles[kind]} probe failed: ${output}`);
        if (outcome === 'warning') event(target.container, 'ProbeWarning', `${titles[kind]} probe warning: ${output}`);
        return outcome === 'failure' ? 'failure' : 'success';
      } catch (error) {
        if (tries < MOST_RETRIES) continue;
        const message = `${titles[kind]} probe errored and resulted in unknown state: ${(error as Error).message}`;
        event(target.container, 'Unhealthy', message);
        return undefined;
      }
    }
  }

  #note(worker: Worker, outcome: ProbeOutcome): void {
    const { kind, probe, target } = worker;
    if (worker.last === outcome) worker.run++;
    else {
      worker.last = outcome;
      worker.run = 1;
    }
    const threshold = outcome === 'failure' ? (probe.failureThreshold ?? 3) : (probe.successThreshold ?? 1);
    if (worker.run < threshold) return;
    const results = this.#results.get(target.containerId) ?? {};
    const changed = results[kind] !== outcome;
    results[kind] = outcome;
    this.#results.set(target.containerId, results);
    // After its verdict a startup probe is done, and a container that is to be killed is left alone.
    if (kind === 'startup' || (kind === 'liveness' && outcome === 'failure')) worker.onHold = true;
    if (changed) this.#options.changed();
  }
}

function probeOf(container: Container, kind: ProbeKind): Probe | undefined {
  if (kind === 'liveness') return container.livenessProbe;
  return kind === 'readiness' ? container.readinessProbe : container.startupProbe;
}
