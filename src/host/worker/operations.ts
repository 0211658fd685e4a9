import type { ContainerInstanceSpec } from '../../api/pool.ts';
import { startContainer } from './containers/start-container.ts';
import { stopContainer } from './containers/stop-container.ts';
import type { WorkerContext } from './context.ts';
import { createSandbox, networkRequest, stopSandboxes } from './create-sandbox.ts';
import { releaseImageVolumes } from './image-volumes.ts';
import { removePod } from './remove-pod.ts';
import { resizePod } from './resize.ts';
import type { Action } from './state.ts';

/** What operations need of the worker itself. */
export interface OperationHooks {
  filesPrepared(files: ContainerInstanceSpec['volumeFiles']): void;
  /** Resolves when the API server has the status as it is now. */
  writeFinalStatus(): Promise<void>;
  stopProbes(): void;
  /** Nothing is left to do for the instance. */
  finish(): void;
}

/** The key an action goes under in memory.busy, and what it does. */
export function operationOf(
  action: Action,
  context: WorkerContext,
  hooks: OperationHooks,
): [string, () => Promise<void>] {
  const { dependencies, instance, memory } = context;
  const { files, runtime, cache, network } = dependencies;
  const uid = instance.metadata.name;
  switch (action.kind) {
    case 'prepareFiles':
      return [
        'files',
        async () => {
          await files.prepare(instance);
          hooks.filesPrepared(instance.spec.volumeFiles);
          memory.filesReady = true;
        },
      ];
    case 'attachNetwork':
      return [
        'sandbox',
        async () => {
          memory.address = await network.setUp(networkRequest(instance));
        },
      ];
    case 'createSandbox':
      return ['sandbox', () => createSandbox(context, action.attempt)];
    case 'stopSandboxes':
      return [
        'sandbox',
        async () => {
          await stopSandboxes(context);
          await releaseImageVolumes(dependencies, uid);
          await files.release(uid);
        },
      ];
    case 'startContainer':
      return ['start', () => startContainer(context, action.container, action.attempt)];
    case 'stopContainer':
      return [
        `stop/${action.container.id}`,
        () => {
          if (action.restarts) memory.restarting.add(action.container.id);
          return stopContainer(context, action);
        },
      ];
    case 'resizePod':
      return ['resize', () => resizePod(context)];
    case 'removeContainer':
      return [
        `remove/${action.containerId}`,
        async () => {
          const records = [...cache.get(uid).containers.values()].flat();
          const record = records.find(({ id }) => id === action.containerId);
          await runtime.removeContainer(action.containerId);
          if (action.startsOver && record !== undefined) memory.waiting.delete(record.name);
          else if (record !== undefined) await files.removeLog(uid, record.name, record.attempt);
          cache.containerRemoved(uid, action.containerId);
        },
      ];
    case 'writeFinalStatus':
      return [
        'finish',
        async () => {
          await hooks.writeFinalStatus();
          memory.finalStatusWritten = true;
        },
      ];
    case 'cleanUp':
      return [
        'finish',
        async () => {
          hooks.stopProbes();
          await removePod(dependencies, instance.metadata.namespace ?? '', uid);
          memory.cleanedUp = true;
          if (memory.gone) hooks.finish();
        },
      ];
    case 'deleteInstance':
      return [
        'finish',
        async () => {
          await dependencies.deleteInstance(instance);
          hooks.finish();
        },
      ];
  }
}
