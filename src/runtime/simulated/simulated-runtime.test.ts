import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runtimeContract } from '../contract/runtime-contract.ts';
import { createSimulatedRuntime } from './simulated-runtime.ts';

runtimeContract('simulated', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'skypod-simulated-'));
  return {
    directory,
    open: async () =>
      createSimulatedRuntime({
        stateDirectory: join(directory, 'state'),
        latencies: { sandboxMs: 2, pullMs: 2, createMs: 1, startMs: 2, stopMs: 1 },
      }),
    async dispose(runtime) {
      await runtime.close();
      rmSync(directory, { recursive: true, force: true });
    },
    image: 'registry.example/busybox:1',
    failingImages: {
      notFound: 'registry.example/simulate:pull-notFound',
      unauthorized: 'registry.example/simulate:pull-unauthorized',
      registryUnavailable: 'registry.invalid/busybox:1',
      invalidName: 'Not/A:Valid:Name',
    },
    makeNetwork: async () => undefined,
    removeNetwork: async () => {},
    cgroupParent: (uid) => `/skypod/${uid}`,
    withoutProcesses: 'a simulated container has no processes',
  };
});
