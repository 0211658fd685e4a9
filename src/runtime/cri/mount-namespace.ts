import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { promisify } from 'node:util';
import type { ContainerdPaths } from './paths.ts';

const run = promisify(execFile);

/**
 * containerd lives in a mount namespace of its own, which keeps the containers' mounts out of the machine's table and
 * hides the unified hierarchy of hybrid machines, which crun refuses. The namespace is held by a file, so that a
 * restarted containerd enters the one its running containers are in. Propagation is `slave`: what is mounted on the
 * machine later shows up inside, as far as the machine's mount is shared.
 */
export async function ensureMountNamespace(paths: ContainerdPaths): Promise<void> {
  if (isMountPoint(paths.mountNamespace)) return;
  mkdirSync(paths.runDirectory, { recursive: true, mode: 0o711 });
  // A mount namespace can only be held by a file on a private mount.
  if (!isMountPoint(paths.runDirectory)) await run('mount', ['--bind', paths.runDirectory, paths.runDirectory]);
  await run('mount', ['--make-private', paths.runDirectory]);
  writeFileSync(paths.mountNamespace, '');
  const hideUnified =
    'if grep -q " /sys/fs/cgroup/unified " /proc/self/mountinfo; then umount -l /sys/fs/cgroup/unified; fi';
  await run('unshare', [`--mount=${paths.mountNamespace}`, '--propagation', 'slave', 'sh', '-c', hideUnified]);
}

export async function removeMountNamespace(paths: ContainerdPaths): Promise<void> {
  for (const path of [paths.mountNamespace, paths.runDirectory]) {
    while (isMountPoint(path)) await run('umount', ['-l', path]);
  }
  rmSync(paths.runDirectory, { recursive: true, force: true });
}

/**
 * Makes mounts below `directory` reach the namespaces made afterwards, as systemd does for the whole machine. Nothing to
 * do where the directory is on a shared mount already.
 */
export async function shareMountsBelow(directory: string): Promise<void> {
  mkdirSync(directory, { recursive: true });
  const path = realpathSync(directory);
  const mount = mountTable()
    .filter(({ mountPoint }) => mountPoint === '/' || path === mountPoint || path.startsWith(`${mountPoint}/`))
    .sort((a, b) => a.mountPoint.length - b.mountPoint.length)
    .at(-1);
  if (mount?.shared) return;
  if (mount?.mountPoint !== path) await run('mount', ['--bind', path, path]);
  await run('mount', ['--make-shared', path]);
}

/** Undoes shareMountsBelow and whatever is mounted below `directory`. */
export async function unmountBelow(directory: string): Promise<void> {
  if (!existsSync(directory)) return;
  const path = realpathSync(directory);
  const mounts = mountTable().filter(({ mountPoint }) => mountPoint === path || mountPoint.startsWith(`${path}/`));
  for (const { mountPoint } of mounts.reverse()) await run('umount', ['-l', mountPoint]);
}

function isMountPoint(path: string): boolean {
  return mountTable().some(({ mountPoint }) => mountPoint === path);
}

/** In the order of mounting. Spaces in paths are escaped as `\040` and the like (proc(5)). */
function mountTable(): { mountPoint: string; shared: boolean }[] {
  const table: { mountPoint: string; shared: boolean }[] = [];
  for (const line of readFileSync('/proc/self/mountinfo', 'utf8').split('\n')) {
    if (line === '') continue;
    const words = line.split(' ');
    const mountPoint = words[4].replace(/\\([0-7]{3})/g, (_, octal) => String.fromCharCode(Number.parseInt(octal, 8)));
    const optional = words.slice(6, words.indexOf('-'));
    table.push({ mountPoint, shared: optional.some((word) => word.startsWith('shared:')) });
  }
  return table;
}
