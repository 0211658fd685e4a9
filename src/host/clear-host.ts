import { realpath, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { removeCgroup } from './cgroups.ts';
import { hostCgroup } from './volumes/host-files.ts';
import { mountPoints, unmount } from './volumes/mounts.ts';

/** Removes what a host that runs no more has left: volumes and their mounts, pods' logs, the cgroup above them. */
export async function clearHost(dataDirectory: string, hostName: string): Promise<void> {
  const directory = await realpath(dataDirectory);
  const below = [...(await mountPoints())].filter((path) => path.startsWith(`${directory}/`));
  await unmount(below.sort().reverse());
  await removeCgroup(hostCgroup(directory, hostName));
  for (const name of ['pods', 'memory', 'logs', 'nodes'])
    await rm(join(directory, name), { recursive: true, force: true });
}
