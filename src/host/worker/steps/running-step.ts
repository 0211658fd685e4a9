import type { Container } from '../../../api/generated/core-v1.ts';
import { isPodResizePending, pendingResizes } from '../resize.ts';
import { latest, type StepInput, type StepResult } from '../state.ts';
import { deadline, failedProbe, probeGraceSeconds } from './ending.ts';
import { initContainersStep } from './init-containers-step.ts';
import { Plan } from './plan.ts';
import { restartAllStep } from './restart-all.ts';
import { restartsAfterKill, shouldStart } from './restart-policy.ts';

/** The pod is to run: files, then its sandbox, then init containers, then the others. */
export function runningStep(input: StepInput): StepResult {
  const { instance, observed, memory } = input;
  const pod = instance.spec.pod;
  const plan = new Plan(input);
  const end = deadline(input);
  if (end !== undefined) plan.wake(end);
  plan.removeOldRecords();

  if (!memory.filesReady) {
    plan.add('files', { kind: 'prepareFiles' });
    return plan.result;
  }
  if (restartAllStep(input, plan)) return plan.result;
  const sandbox = observed.sandboxes[0];
  const ready = observed.sandboxes.filter(({ state }) => state === 'ready').length;
  if (sandbox === undefined || sandbox.state !== 'ready' || ready > 1) {
    sandboxStep(input, plan);
    return plan.result;
  }
  if (memory.address === undefined) {
    plan.add('sandbox', { kind: 'attachNetwork' });
    return plan.result;
  }
  for (const container of (pod.ephemeralContainers ?? []) as Container[]) {
    if (latest(observed, container.name) === undefined) plan.start(container, 'ephemeral');
  }
  const init = initContainersStep(input, plan);
  if (init === 'failed') {
    plan.stopAll(pod.terminationGracePeriodSeconds ?? 30);
    return plan.result;
  }
  resizeStep(input, plan);
  const sidecarStarts = init.starts;
  if (init.initialized) {
    const kept = mainContainersStep(input, plan, sidecarStarts);
    // Sidecars do not keep a pod alive whose main containers are done.
    if (!kept) plan.stopAll(pod.terminationGracePeriodSeconds ?? 30);
  } else {
    for (const container of sidecarStarts) plan.start(container, 'init');
  }
  return plan.result;
}

function resizeStep(input: StepInput, plan: Plan): void {
  const grace = input.instance.spec.pod.terminationGracePeriodSeconds ?? 30;
  const resizes = pendingResizes(input);
  const restarts = resizes.filter((resize) => resize.restarts);
  for (const { container, record } of restarts) {
    if (record.state !== 'running') continue;
    plan.stop(record, `Container ${container.name} resize requires restart`, grace, [], true);
  }
  if (resizes.length > restarts.length || (restarts.length === 0 && isPodResizePending(input))) {
    plan.add('resize', { kind: 'resizePod' });
  }
}

function sandboxStep(input: StepInput, plan: Plan): void {
  const { instance, observed } = input;
  const pod = instance.spec.pod;
  const grace = pod.terminationGracePeriodSeconds ?? 30;
  const attempt = observed.sandboxes.length === 0 ? 0 : observed.sandboxes[0]!.metadata.attempt + 1;
  if (plan.stopAll(grace)) return;
  const hasRun = observed.containers.size > 0;
  if (attempt > 0 && hasRun && pod.restartPolicy === 'Never') return;
  const created = pod.containers.some(({ name }) => latest(observed, name) !== undefined);
  const wanted = pod.containers.filter((container) => {
    const state = latest(observed, container.name);
    const once = (container.restartPolicy ?? pod.restartPolicy) === 'OnFailure';
    return !(once && state?.state === 'exited' && state.exitCode === 0);
  });
  if (wanted.length === 0 && created) return;
  plan.add('sandbox', { kind: 'createSandbox', attempt });
}

/** Whether any main container runs or is to run. */
function mainContainersStep(input: StepInput, plan: Plan, sidecarStarts: Container[]): boolean {
  const { instance, observed, memory } = input;
  const pod = instance.spec.pod;
  const starts: Container[] = [];
  const stops: (() => void)[] = [];
  let kept = 0;
  for (const container of pod.containers) {
    const state = latest(observed, container.name);
    if (state === undefined || state.state !== 'running') {
      const isReplaced = state !== undefined && memory.restarting.has(state.id);
      if (isReplaced || shouldStart(container, pod, state, false)) {
        if (state?.state === 'unknown') {
          const message = `Container is in "unknown" state, try killing it before restart`;
          stops.push(() => plan.stop(state, message, pod.terminationGracePeriodSeconds ?? 30));
        } else starts.push(container);
        kept++;
      }
      continue;
    }
    const probes = memory.probes.get(state.id);
    const failed = failedProbe(probes);
    if (failed === undefined) {
      kept++;
      continue;
    }
    const restart = restartsAfterKill(container, pod);
    const message = `Container ${container.name} failed ${failed} probe${restart ? ', will be restarted' : ''}`;
    stops.push(() =>
      plan.stop(state, message, probeGraceSeconds(container, failed, pod.terminationGracePeriodSeconds ?? 30)),
    );
    if (restart) kept++;
    // It still runs until the stop is through; only then is there nothing left to keep.
    else if (memory.busy.has(`stop/${state.id}`)) kept++;
  }
  if (kept === 0 && stops.length === 0) return false;
  for (const stop of stops) stop();
  for (const container of sidecarStarts) plan.start(container, 'init');
  for (const container of starts) plan.start(container, 'main');
  return true;
}
