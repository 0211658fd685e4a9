import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { ContainerMemory } from '../sandbox-runtime.ts';

/** The files of cgroup v1 and v2, and the name in `memory.stat` of what no file backs. */
const versions = [
  { hierarchy: 'memory', usage: 'memory.usage_in_bytes', resident: 'total_rss' },
  { hierarchy: '', usage: 'memory.current', resident: 'anon' },
];

/**
 * What a container's control group uses now, which containerd 1.6 does not tell.
 * @returns undefined when the group is gone
 */
export async function containerMemory(cgroup: string, root = '/sys/fs/cgroup'): Promise<ContainerMemory | undefined> {
  for (const { hierarchy, usage, resident } of versions) {
    const directory = join(root, hierarchy, cgroup);
    try {
      const [used, statistics] = await Promise.all([
        readFile(join(directory, usage), 'utf8'),
        readFile(join(directory, 'memory.stat'), 'utf8'),
      ]);
      const line = statistics.split('\n').find((text) => text.startsWith(`${resident} `));
      return { usageBytes: Number(used), rssBytes: Number(line?.slice(resident.length + 1) ?? 0) };
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code !== 'ENOENT' && code !== 'ENODEV') throw error;
    }
  }
  return undefined;
}
