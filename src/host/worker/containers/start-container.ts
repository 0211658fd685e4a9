import type { Container } from '../../../api/generated/core-v1.ts';
import { runHook } from '../../lifecycle/run-hook.ts';
import type { WorkerContext } from '../context.ts';
import { mountImageVolumes } from '../image-volumes.ts';
import { isPodResizePending, resizePod } from '../resize.ts';
import { podDescription } from '../state.ts';
import { forgetOthers, lengthen, restartKey } from '../steps/back-off.ts';
import { crashRecord } from '../steps/plan.ts';
import { containerConfig, sandboxConfig } from './container-config.ts';
import { ContainerStartError } from './container-start-error.ts';
import { withFileVariables } from './env-files.ts';
import { stopContainer } from './stop-container.ts';

/** After a failed start that has no back-off of its own. */
const RETRY_MS = 10_000;
/** ErrImagePull is shown this long before it becomes ImagePullBackOff. */
const PULL_ERROR_SHOWN_MS = 2_000;
const sandboxErrors = new Set(['CreateContainerError', 'RunContainerError']);
const pullErrors = new Set(['ErrImagePull', 'RegistryUnavailable']);

/** Image, container, start, postStart: the kubelet's steps. Failures end up in memory.waiting. */
export async function startContainer(context: WorkerContext, container: Container, attempt: number): Promise<void> {
  const { dependencies, memory, observed } = context;
  const { clock } = dependencies;
  const crashed = crashRecord({ observed: observed(), memory }, container.name);
  const waitedFor = memory.waiting.get(container.name);
  const key = restartKey(container);
  const backOffBefore = memory.restartBackOff.entries.get(key);
  if (crashed !== undefined) {
    forgetOthers(memory.restartBackOff, container);
    lengthen(memory.restartBackOff, key, crashed.finishedAt ?? crashed.createdAt, clock.now());
  }
  try {
    await start(context, container, attempt);
    // A container that ended at once may wait for another reason by now.
    if (memory.waiting.get(container.name) === waitedFor) memory.waiting.delete(container.name);
  } catch (error) {
    if (context.ending.aborted) return;
    const known = error instanceof ContainerStartError;
    if (await sandboxIsLost(context, error as Error)) {
      // Not the container's fault: it starts at once in the next sandbox.
      if (backOffBefore === undefined) memory.restartBackOff.entries.delete(key);
      else memory.restartBackOff.entries.set(key, backOffBefore);
      return;
    }
    if (!known) context.logger.error({ error, container: container.name }, 'a container could not be started');
    const reason = known ? error.reason : 'CreateContainerError';
    const message = (error as Error).message;
    let retryAt = clock.now() + RETRY_MS;
    const { image = '' } = container;
    if (pullErrors.has(reason)) {
      lengthen(memory.imageBackOff, image, clock.now(), clock.now());
      retryAt = clock.now() + PULL_ERROR_SHOWN_MS;
    } else if (reason === 'RunContainerError' || reason === 'PostStartHookError') {
      // There is a record of the attempt now: its restart waits as any other's.
      retryAt = clock.now();
    }
    const ofPull = pullErrors.has(reason) && { image };
    memory.waiting.set(container.name, { reason, ...(message !== '' && { message }), retryAt, ...ofPull });
  }
}

/** Whether the start failed because the sandbox died, which the cache may not know yet. */
async function sandboxIsLost({ dependencies, observed }: WorkerContext, error: Error): Promise<boolean> {
  if (!(error instanceof ContainerStartError) || !sandboxErrors.has(error.reason)) return false;
  await dependencies.cache.lookAgain();
  return !observed().sandboxes.some(({ state }) => state === 'ready');
}

async function start(context: WorkerContext, container: Container, attempt: number): Promise<void> {
  const { memory } = context;
  const startedIds: string[] = [];
  try {
    await startIt(context, container, attempt, (id) => startedIds.push(id));
  } finally {
    for (const id of startedIds) memory.starting.delete(id);
  }
}

async function startIt(
  context: WorkerContext,
  container: Container,
  attempt: number,
  made: (containerId: string) => void,
): Promise<void> {
  const { dependencies, instance, memory } = context;
  const { runtime, cache, files, images, starts } = dependencies;
  const uid = instance.metadata.name;
  const { name } = container;
  const failed = (message: string) =>
    context.event({ type: 'Warning', reason: 'Failed', message: `Error: ${message}`, container: name });

  const image = await untilEnding(
    context,
    images.ensure({
      image: container.image ?? '',
      policy: container.imagePullPolicy ?? 'IfNotPresent',
      credentials: instance.spec.registryCredentials ?? [],
      event: (event) => context.event({ ...event, container: name }),
    }),
  ).catch((error) => {
    if (error instanceof ContainerStartError) failed(error.reason);
    throw error;
  });

  await untilEnding(context, mountImageVolumes(context, container)).catch((error) => {
    if (context.ending.aborted) throw error;
    failed((error as Error).message);
    throw error instanceof ContainerStartError
      ? error
      : new ContainerStartError('CreateContainerError', (error as Error).message);
  });

  const started = await starts.run(async () => {
    if (context.ending.aborted) throw new Error('the pod is ending');
    const sandbox = context.observed().sandboxes.find(({ state }) => state === 'ready');
    const address = memory.address;
    if (sandbox === undefined || address === undefined) {
      throw new ContainerStartError('CreateContainerError', 'the sandbox is gone');
    }
    const configError = instance.spec.configErrors?.[name];
    let id: string;
    try {
      if (configError !== undefined) throw new ContainerStartError('CreateContainerConfigError', configError);
      const count = attempt > 0 ? attempt : (await files.lastAttempt(uid, name)) + 1;
      const filled = await withFileVariables(container, (volume, path) => files.readVolumeFile(instance, volume, path));
      const mounts = await files.containerMounts(instance, filled, count, address);
      const { hostMemoryBytes } = dependencies;
      const policy = dependencies.policyOf(instance.metadata.namespace ?? '');
      const config = containerConfig({
        instance,
        container: filled,
        attempt: count,
        image,
        address,
        mounts,
        hostMemoryBytes,
        policy,
      });
      const pod = sandboxConfig({
        instance,
        attempt: sandbox.metadata.attempt,
        address,
        logDirectory: files.logDirectory(uid),
        cgroupParent: files.cgroupParent(uid),
        policy,
      });
      // Its limits must fit into the pod's, which may just have grown.
      if (isPodResizePending(context)) await resizePod(context);
      id = await runtime.createContainer(sandbox.id, config, pod);
      memory.actuated.set(id, container.resources ?? {});
      memory.starting.add(id);
      made(id);
    } catch (error) {
      const known = error instanceof ContainerStartError;
      failed((error as Error).message);
      throw known ? error : new ContainerStartError('CreateContainerError', (error as Error).message);
    }
    context.event({ type: 'Normal', reason: 'Created', message: 'Container created', container: name });
    try {
      await runtime.startContainer(id);
    } catch (error) {
      failed((error as Error).message);
      await cache.refreshContainer(uid, id).catch(() => {});
      throw new ContainerStartError('RunContainerError', (error as Error).message);
    }
    await cache.refreshContainer(uid, id).catch(() => {});
    context.event({ type: 'Normal', reason: 'Started', message: 'Container started', container: name });
    return id;
  });
  const hook = container.lifecycle?.postStart;
  if (hook !== undefined) await postStart(context, container, started);
}

async function postStart(context: WorkerContext, container: Container, containerId: string): Promise<void> {
  const { dependencies, instance, memory, ending } = context;
  const tenant = instance.metadata.namespace ?? '';
  try {
    await untilEnding(
      context,
      runHook(container.lifecycle!.postStart!, {
        container,
        containerId,
        podIp: memory.address?.ip ?? '',
        pod: podDescription(instance),
        runtime: dependencies.runtime,
        connect: (address, port, timeoutMs) => dependencies.network.connect(tenant, address, port, timeoutMs),
        signal: ending,
      }),
    );
  } catch (error) {
    if (ending.aborted) return;
    const message = 'PostStartHook failed';
    context.event({ type: 'Warning', reason: 'FailedPostStartHook', message, container: container.name });
    const record = context
      .observed()
      .containers.get(container.name)
      ?.find(({ id }) => id === containerId);
    if (record?.state === 'running') {
      const graceSeconds = instance.spec.pod.terminationGracePeriodSeconds ?? 30;
      await stopContainer(context, { container: record, message: 'FailedPostStartHook', graceSeconds, after: [] });
    }
    throw new ContainerStartError('PostStartHookError', (error as Error).message);
  }
}

/** Gives up waiting when the pod is to end; what was asked for goes on unheard. */
async function untilEnding<T>({ ending }: WorkerContext, work: Promise<T>): Promise<T> {
  work.catch(() => {});
  const { promise, reject } = Promise.withResolvers<never>();
  const end = () => reject(new Error('the pod is ending'));
  if (ending.aborted) end();
  ending.addEventListener('abort', end, { once: true });
  try {
    return await Promise.race([work, promise]);
  } finally {
    ending.removeEventListener('abort', end);
  }
}
