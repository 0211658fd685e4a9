import type { Container } from '../../../api/generated/core-v1.ts';
import { isRestartableInit, latest, type StepInput } from '../state.ts';
import { probeGraceSeconds } from './ending.ts';
import type { Plan } from './plan.ts';
import { restartsAfter } from './restart-policy.ts';

/**
 * Which init containers to start, looking from the last one backwards: records of completed ones may be gone, so the
 * furthest that left a trace says how far the pod has come. Restartable ones (sidecars) are kept running for good; the
 * next container starts once a sidecar has started (its startup probe succeeded).
 * @returns 'failed' when an init container failed for good.
 */
export function initContainersStep(
  input: StepInput,
  plan: Plan,
): 'failed' | { initialized: boolean; starts: Container[] } {
  const { instance, observed, memory } = input;
  const pod = instance.spec.pod;
  const inits = pod.initContainers ?? [];
  if (inits.length === 0) return { initialized: true, starts: [] };

  let initialized = pod.containers.some(({ name }) => {
    const state = latest(observed, name)?.state;
    return state === 'created' || state === 'running';
  });
  let reached = initialized;
  const starts: Container[] = [];
  const grace = pod.terminationGracePeriodSeconds ?? 30;
  const last = inits.length - 1;
  const advance = (index: number) => {
    if (index === last) initialized = true;
    else if (!reached) starts.push(inits[index + 1]!);
  };

  for (let index = last; index >= 0; index--) {
    const container = inits[index]!;
    const sidecar = isRestartableInit(container);
    const state = latest(observed, container.name);
    if (state === undefined) {
      if (reached && sidecar) starts.push(container);
      continue;
    }
    if (reached && !sidecar) continue;
    switch (state.state) {
      case 'created':
        starts.push(container);
        break;
      case 'running': {
        if (!sidecar) break;
        const results = memory.probes.get(state.id);
        if (container.startupProbe !== undefined && results?.startup !== 'success') {
          if (results?.startup === 'failure') {
            const message = `Init container ${container.name} failed startup probe`;
            plan.stop(state, message, probeGraceSeconds(container, 'startup', grace));
          }
          break;
        }
        advance(index);
        if (results?.liveness === 'failure') {
          const message = `Init container ${container.name} failed liveness probe`;
          plan.stop(state, message, probeGraceSeconds(container, 'liveness', grace));
        }
        break;
      }
      case 'exited':
        if (sidecar) starts.push(container);
        else if (state.exitCode !== 0) {
          if (!restartsAfter(container, pod, state.exitCode ?? 1)) return 'failed';
          starts.push(container);
        } else advance(index);
        break;
      default: {
        const message = 'Init container is in "unknown" state, try killing it before restart';
        if (!sidecar && pod.restartPolicy === 'Never') return 'failed';
        plan.stop(state, message, grace);
      }
    }
    reached = true;
  }
  if (!reached) starts.push(inits[0]!);
  return { initialized, starts: starts.reverse() };
}
