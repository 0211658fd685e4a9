import type { Container } from '../../../api/generated/core-v1.ts';
import type { ContainerState } from '../../../runtime/sandbox-runtime.ts';
import type { Action, ContainerRole, StepInput, StepResult } from '../state.ts';
import { containersOf, podDescription } from '../state.ts';
import { currentDelayMs, formatDuration, restartKey, waitsUntil } from './back-off.ts';

/** Collects a step's result; knows what is under way or must wait. */
export class Plan {
  readonly result: StepResult = { actions: [], waiting: [], events: [] };
  readonly #input: StepInput;

  constructor(input: StepInput) {
    this.#input = input;
  }

  wake(at: number): void {
    if (this.result.wakeAt === undefined || at < this.result.wakeAt) this.result.wakeAt = at;
  }

  /** Adds the action unless the operation `key` runs already or failed a moment ago. */
  add(key: string, action: Action): void {
    const { memory, now } = this.#input;
    if (memory.busy.has(key)) return;
    const notBefore = memory.notBefore.get(key) ?? 0;
    if (now < notBefore) this.wake(notBefore);
    else this.result.actions.push(action);
  }

  stop(container: ContainerState, message: string, graceSeconds: number, after: string[] = [], restarts = false): void {
    this.add(`stop/${container.id}`, {
      kind: 'stopContainer',
      container,
      message,
      graceSeconds,
      after,
      ...(restarts && { restarts }),
    });
  }

  /**
   * Starts the container, or says why it has to wait. Containers of a pod start one after the other, as the kubelet's
   * do; a container that has to wait does not hold up the next one.
   */
  start(container: Container, role: ContainerRole): void {
    const { instance, observed, memory, now } = this.#input;
    const { name, image = '' } = container;
    const waiting = memory.waiting.get(name);
    const key = restartKey(container);

    const crashed = crashRecord(this.#input, name);
    if (crashed !== undefined) {
      const until = waitsUntil(memory.restartBackOff, key, crashed.finishedAt ?? crashed.createdAt, now);
      if (until !== undefined) {
        this.wake(until);
        if (waiting?.reason === 'CrashLoopBackOff' && waiting.retryAt === until) return;
        const delay = formatDuration(currentDelayMs(memory.restartBackOff, key));
        const pod = podDescription(instance);
        this.result.waiting.push({
          container: name,
          reason: {
            reason: 'CrashLoopBackOff',
            message: `back-off ${delay} restarting failed container=${name} pod=${pod}`,
            retryAt: until,
          },
          event: {
            type: 'Warning',
            reason: 'BackOff',
            message: `Back-off restarting failed container ${name} in pod ${pod}`,
            container: name,
          },
        });
        return;
      }
    }

    // A container that was changed waits for nothing that the one before it had to wait for.
    const changed = waiting?.reason === 'CrashLoopBackOff' || (waiting?.image ?? image) !== image;
    if (waiting !== undefined && !changed && now < waiting.retryAt) {
      this.wake(waiting.retryAt);
      return;
    }
    if (waiting !== undefined && !changed && pullFailures.has(waiting.reason)) {
      const entry = memory.imageBackOff.entries.get(image);
      const until = entry && waitsUntil(memory.imageBackOff, image, entry.updatedAt, now);
      if (until !== undefined) {
        this.wake(until);
        const message = `Back-off pulling image "${image}"`;
        this.result.waiting.push({
          container: name,
          reason: {
            reason: 'ImagePullBackOff',
            message: waiting.message === undefined ? message : `${message}: ${waiting.reason}: ${waiting.message}`,
            retryAt: until,
            image,
          },
          event: { type: 'Normal', reason: 'BackOff', message, container: name },
        });
        this.result.events.push({
          type: 'Warning',
          reason: 'Failed',
          message: 'Error: ImagePullBackOff',
          container: name,
        });
        return;
      }
    }

    if (this.result.actions.some((action) => action.kind === 'startContainer')) return;
    const newest = observed.containers.get(name)?.[0]?.attempt ?? -1;
    const attempt = Math.max(newest, memory.attempts.get(name) ?? -1) + 1;
    this.add('start', { kind: 'startContainer', container, role, attempt });
  }

  /** Records of dead containers beyond the two newest (the kubelet keeps one besides the current). */
  removeOldRecords(): void {
    for (const [, states] of this.#input.observed.containers) {
      let dead = 0;
      states.forEach((state, index) => {
        if (state.state === 'running' || state.state === 'created') return;
        dead++;
        if (dead > 1 && index > 1) {
          this.add(`remove/${state.id}`, { kind: 'removeContainer', containerId: state.id });
        }
      });
    }
  }

  /** Stops everything that runs; sidecars only after the main containers, and in reverse order. */
  stopAll(graceSeconds: number, nameMessage = (name: string) => `Stopping container ${name}`): boolean {
    const { instance, observed } = this.#input;
    const pod = instance.spec.pod;
    const sidecars = (pod.initContainers ?? []).filter(({ restartPolicy }) => restartPolicy === 'Always');
    const mains = pod.containers.map(({ name }) => name);
    const names = new Set(containersOf(pod).map(({ name }) => name));
    let any = false;
    for (const [name, states] of observed.containers) {
      for (const state of states) {
        if (state.state !== 'running') continue;
        any = true;
        const sidecar = sidecars.findIndex((other) => other.name === name);
        const after = sidecar < 0 ? [] : [...mains, ...sidecars.slice(sidecar + 1).map((later) => later.name)];
        this.stop(state, nameMessage(name), names.has(name) ? graceSeconds : 0, after);
      }
    }
    return any;
  }
}

const pullFailures = new Set(['ErrImagePull', 'ImagePullBackOff', 'RegistryUnavailable']);

/** The newest exit that counts for the restart back-off: one that the agent did not cause itself. */
export function crashRecord(
  { observed, memory }: Pick<StepInput, 'observed' | 'memory'>,
  name: string,
): ContainerState | undefined {
  return observed.containers
    .get(name)
    ?.find((state) => state.state === 'exited' && !memory.killedToRestart.has(state.id));
}
