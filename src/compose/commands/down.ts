import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { systemClock } from '../../base/clock.ts';
import { silentLogger } from '../../base/log.ts';
import { clearHost } from '../../host/clear-host.ts';
import { createVpcNetwork } from '../../network/vpc/index.ts';
import { createCriRuntime } from '../../runtime/cri/cri-runtime.ts';
import { CommandError } from '../command-error.ts';
import { type DataDirectory, openDataDirectory } from '../data-directory.ts';
import { containerdPidFile, localHostName } from '../host-paths.ts';
import { acquireProcessLock, lockHolder } from '../process-lock.ts';

/** Ends every container of a data directory whose `up` is stopped and removes what is left in the kernel. */
export async function takeDown({ dataDir }: { dataDir: string }): Promise<void> {
  const { root } = openDataDirectory(dataDir, { create: false });
  if (!existsSync(root)) throw new CommandError(`there is no data directory ${root}`);
  // What somebody began to delete by hand is taken down all the same.
  const data = openDataDirectory(dataDir, { create: true });
  for (const name of ['up', 'control-plane', 'host']) {
    const holder = lockHolder(join(data.run, `${name}.pid`));
    if (holder !== undefined) throw new CommandError(`Skypod runs on ${data.root} (process ${holder}): stop it first`);
  }
  const lock = acquireProcessLock(join(data.run, 'host.pid'), (pid) => `process ${pid} uses ${data.root}`);
  try {
    await clearMachine(data);
  } finally {
    lock.release();
  }
  process.stdout.write(`nothing of ${data.root} runs any more; its objects are still in ${data.store}\n`);
}

async function clearMachine(data: DataDirectory): Promise<void> {
  const hadContainers = existsSync(join(data.host, 'containerd')) || existsSync(containerdPidFile(data));
  if (!hadContainers) return;
  if (process.getuid?.() !== 0) throw new CommandError('containers were started by root: run `skypod down` as root');
  const runtime = await createCriRuntime({
    dataDirectory: data.host,
    sharedDirectory: data.host,
    logger: silentLogger,
  });
  await runtime.shutdown();
  const network = await createVpcNetwork({
    dataDirectory: data.host,
    hostIndex: 0,
    logger: silentLogger,
    clock: systemClock,
  });
  await network.destroy();
  await clearHost(data.host, localHostName(data));
}
