import type { ContainerState } from '../../../runtime/sandbox-runtime.ts';
import { runHook } from '../../lifecycle/run-hook.ts';
import type { WorkerContext } from '../context.ts';
import { containersOf, podDescription } from '../state.ts';
import { isTerminating } from '../steps/ending.ts';

/** Containers always get this long between SIGTERM and SIGKILL, whatever hooks have used up. */
const SHORTEST_GRACE_SECONDS = 2;

export interface StopRequest {
  container: ContainerState;
  message: string;
  graceSeconds: number;
  after: string[];
}

/**
 * preStop, then the container's turn, then SIGTERM and SIGKILL: hook and turn are taken from the same grace period,
 * which may still be shortened meanwhile. Resolves when the container no longer runs.
 */
export async function stopContainer(context: WorkerContext, request: StopRequest): Promise<void> {
  const { dependencies, instance, memory, stops } = context;
  const { runtime, cache, clock } = dependencies;
  const { id, name } = request.container;
  const uid = instance.metadata.name;
  context.event({ type: 'Normal', reason: 'Killing', message: request.message, container: name });
  if (!isTerminating({ instance, memory })) memory.killedToRestart.add(id);

  let deadline = clock.now() + request.graceSeconds * 1000;
  let stopping = false;
  let wake = () => {};
  const remainingSeconds = () => Math.max(Math.ceil((deadline - clock.now()) / 1000), SHORTEST_GRACE_SECONDS);
  stops.set(id, {
    shorten(graceSeconds) {
      const earlier = clock.now() + graceSeconds * 1000;
      if (earlier >= deadline) return;
      deadline = earlier;
      wake();
      // A second stop with less time overtakes the first one, which then returns as well.
      if (stopping) void runtime.stopContainer(id, remainingSeconds()).catch(() => {});
    },
  });
  /** Waits for `work`, or until the grace period is over. */
  const within = async (work: Promise<unknown>): Promise<void> => {
    let settled = false;
    const finished = work.then(
      () => void (settled = true),
      () => void (settled = true),
    );
    while (!settled && clock.now() < deadline) {
      const { promise, resolve } = Promise.withResolvers<void>();
      wake = resolve;
      const cancel = clock.schedule(deadline - clock.now(), resolve);
      await Promise.race([finished, promise]);
      cancel();
    }
  };

  try {
    const hookAbort = new AbortController();
    const hook = containersOf(instance.spec.pod).find((container) => container.name === name)?.lifecycle?.preStop;
    if (hook !== undefined && request.graceSeconds > 0) {
      await within(runPreStop(context, request.container, hookAbort.signal));
      hookAbort.abort();
    }
    if (request.after.length > 0) await within(Promise.all(request.after.map((other) => context.stopped(other))));
    stopping = true;
    await runtime.stopContainer(id, remainingSeconds());
  } finally {
    stops.delete(id);
    await cache.refreshContainer(uid, id).catch(() => {});
  }
}

async function runPreStop(context: WorkerContext, record: ContainerState, signal: AbortSignal): Promise<void> {
  const { dependencies, instance, memory } = context;
  const container = containersOf(instance.spec.pod).find(({ name }) => name === record.name)!;
  const tenant = instance.metadata.namespace ?? '';
  try {
    await runHook(container.lifecycle!.preStop!, {
      container,
      containerId: record.id,
      podIp: memory.address?.ip ?? '',
      pod: podDescription(instance),
      runtime: dependencies.runtime,
      connect: (address, port, timeoutMs) => dependencies.network.connect(tenant, address, port, timeoutMs),
      signal,
    });
  } catch (error) {
    context.logger.debug({ error, container: record.name }, 'a preStop hook failed');
    const message = 'PreStopHook failed';
    context.event({ type: 'Warning', reason: 'FailedPreStopHook', message, container: record.name });
  }
}
