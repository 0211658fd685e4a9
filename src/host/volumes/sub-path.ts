import { constants } from 'node:fs';
import { type FileHandle, mkdir, open, realpath, stat, writeFile } from 'node:fs/promises';
import { dirname, relative } from 'node:path';
import { bind } from './mounts.ts';

// Not in node's constants: Linux, all architectures Node runs on.
const O_PATH = 0o10000000;
const WALK = O_PATH | constants.O_NOFOLLOW;

const through = (handle: FileHandle) => `/proc/self/fd/${handle.fd}`;

export class SubPathError extends Error {}

/**
 * Binds `subPath` of a volume to `target`. The containers of the pod can change the volume meanwhile, so after links
 * are resolved once and found to stay inside, every step is opened by the step before it and follows no link: nothing a
 * container does in between can lead outside. What is not there is made, a directory with the volume's own mode.
 */
export async function bindSubPath(volume: string, subPath: string, target: string): Promise<void> {
  if (subPath.startsWith('/')) throw new SubPathError(`subPath ${JSON.stringify(subPath)} must be a relative path`);
  const parts = subPath.split('/').filter((part) => part !== '' && part !== '.');
  if (parts.includes('..')) throw new SubPathError(`subPath ${JSON.stringify(subPath)} must not contain '..'`);
  const root = await realpath(volume);
  const resolved = await resolveInside(root, parts);
  const handle = await openWithin(root, resolved);
  try {
    const isDirectory = (await stat(through(handle))).isDirectory();
    if (isDirectory) await mkdir(target, { recursive: true });
    else {
      await mkdir(dirname(target), { recursive: true });
      await writeFile(target, '', { flag: 'a' });
    }
    await bind(`/proc/${process.pid}/fd/${handle.fd}`, target);
  } finally {
    await handle.close();
  }
}

/** The steps from the root with all links resolved, as far as they exist; the rest as given. */
async function resolveInside(root: string, parts: string[]): Promise<string[]> {
  for (let known = parts.length; known >= 0; known--) {
    let real: string;
    try {
      real = await realpath([root, ...parts.slice(0, known)].join('/'));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') continue;
      throw error;
    }
    if (real !== root && !real.startsWith(`${root}/`)) {
      throw new SubPathError(`subPath "${parts.join('/')}" leads out of the volume`);
    }
    return [...relative(root, real).split('/'), ...parts.slice(known)].filter((part) => part !== '');
  }
  return parts;
}

async function openWithin(root: string, parts: string[]): Promise<FileHandle> {
  let handle = await open(root, O_PATH | constants.O_DIRECTORY);
  const mode = (await stat(through(handle))).mode & 0o7777;
  for (const part of parts) {
    const path = `${through(handle)}/${part}`;
    let next: FileHandle;
    try {
      next = await open(path, WALK).catch(async (error) => {
        if (error.code !== 'ENOENT') throw error;
        await mkdir(path, { mode });
        return await open(path, WALK);
      });
      // O_PATH with O_NOFOLLOW opens a link itself: binding that would follow it.
      const info = await stat(through(next)).catch(() => undefined);
      if (info === undefined || (!info.isDirectory() && !info.isFile())) {
        await next.close();
        throw new SubPathError(`subPath "${parts.join('/')}" is neither a directory nor a file`);
      }
    } finally {
      await handle.close();
    }
    handle = next;
  }
  return handle;
}
