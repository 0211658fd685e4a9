import { readdir, rmdir } from 'node:fs/promises';
import { join } from 'node:path';

const ROOT = '/sys/fs/cgroup';

/** The hierarchies: one on cgroup v2, one a controller on v1 and hybrid machines. */
async function hierarchies(): Promise<string[]> {
  const entries = await readdir(ROOT, { withFileTypes: true }).catch(() => []);
  if (entries.some(({ name }) => name === 'cgroup.controllers')) return [ROOT];
  return entries.filter((entry) => entry.isDirectory()).map(({ name }) => join(ROOT, name));
}

/**
 * Removes a pod's cgroup and what is below it, in every hierarchy. The runtime makes it and normally removes it; this is
 * for what a crash of either side leaves. A group that still holds processes stays.
 */
export async function removeCgroup(path: string): Promise<void> {
  const below = async (directory: string): Promise<void> => {
    const entries = await readdir(directory, { withFileTypes: true }).catch(() => []);
    for (const entry of entries) if (entry.isDirectory()) await below(join(directory, entry.name));
    await rmdir(directory).catch((error: NodeJS.ErrnoException) => {
      if (!['ENOENT', 'EBUSY', 'ENOTEMPTY'].includes(error.code ?? '')) throw error;
    });
  };
  for (const hierarchy of await hierarchies()) await below(join(hierarchy, path));
}
