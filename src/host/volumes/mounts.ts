import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** A file system in memory at `path`; `sizeBytes` 0 leaves the kernel's default (half of the memory). */
export async function mountMemory(path: string, sizeBytes: number, mode: string): Promise<void> {
  const size = sizeBytes > 0 ? `,size=${sizeBytes}` : '';
  await run('mount', ['-t', 'tmpfs', '-o', `mode=${mode},nosuid,nodev${size}`, 'skypod', path]);
}

/** Binds what `source` leads to; nothing of either path is resolved outside the kernel. */
export async function bind(source: string, target: string): Promise<void> {
  await run('mount', ['--no-canonicalize', '--bind', source, target]);
}

/** Takes mounts away, busy or not; what is not mounted is passed over. */
export async function unmount(paths: string[]): Promise<void> {
  if (paths.length === 0) return;
  const mounted = await mountPoints();
  const present = paths.filter((path) => mounted.has(path));
  if (present.length > 0) await run('umount', ['-l', ...present]);
}

export async function mountPoints(): Promise<Set<string>> {
  const table = await readFile('/proc/self/mountinfo', 'utf8');
  const points = new Set<string>();
  for (const line of table.split('\n')) {
    const point = line.split(' ')[4];
    if (point !== undefined)
      points.add(point.replace(/\\([0-7]{3})/g, (_, octal) => String.fromCharCode(Number.parseInt(octal, 8))));
  }
  return points;
}
