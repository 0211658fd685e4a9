import { constants } from 'node:fs';
import { chmod, type FileHandle, mkdir, open, realpath, stat, writeFile } from 'node:fs/promises';
import { dirname, relative } from 'node:path';
import { bind } from './mounts.ts';

// Not in node's constants: Linux, all architectures Node runs on.
const O_PATH = 0o10000000;
const WALK = O_PATH | constants.O_NOFOLLOW;

const through = (handle: FileHandle) => `/proc/self/fd/${handle.fd}`;

export class SubPathError extends Error {}

export type Found = 'directory' | 'file' | 'socket' | 'characterDevice' | 'blockDevice';

interface BindWish {
  accept(kind: Found): boolean;
  /** What is made where nothing is, with the directories above it; undefined: nothing. */
  make: 'directory' | 'file' | undefined;
}

/** Binds `subPath` of a volume to `target`. What is not there is made, a directory with the volume's own mode. */
export async function bindSubPath(volume: string, subPath: string, target: string): Promise<void> {
  if (subPath.startsWith('/')) throw new SubPathError(`subPath ${JSON.stringify(subPath)} must be a relative path`);
  const parts = subPath.split('/').filter((part) => part !== '' && part !== '.');
  if (parts.includes('..')) throw new SubPathError(`subPath ${JSON.stringify(subPath)} must not contain '..'`);
  const isPlain = (kind: Found) => kind === 'directory' || kind === 'file';
  if (await bindInside(volume, parts, target, { accept: isPlain, make: 'directory' })) return;
  throw new SubPathError(`subPath "${parts.join('/')}" is neither a directory nor a file`);
}

/**
 * Binds what is at `parts` below a directory to `target`. Containers can change the directory meanwhile, so after links
 * are resolved once and found to stay inside, every step is opened by the step before it and follows no link: nothing a
 * container does in between can lead outside.
 * @returns false when there is something else than wished for, or nothing.
 */
export async function bindInside(volume: string, parts: string[], target: string, wish: BindWish): Promise<boolean> {
  const root = await realpath(volume);
  const resolved = await resolveInside(root, parts);
  const handle = await openWithin(root, resolved, wish.make);
  if (handle === undefined) return false;
  try {
    const kind = await kindOf(handle);
    if (kind === undefined || !wish.accept(kind)) return false;
    if (kind === 'directory') await mkdir(target, { recursive: true });
    else {
      await mkdir(dirname(target), { recursive: true });
      await writeFile(target, '', { flag: 'a' });
    }
    await bind(`/proc/${process.pid}/fd/${handle.fd}`, target);
    return true;
  } finally {
    await handle.close();
  }
}

/** The text of the file at `path` below a directory. @throws when there is none, or more than the limit in it */
export async function readInside(volume: string, path: string, limitBytes: number): Promise<string> {
  const root = await realpath(volume);
  const parts = path.split('/').filter((part) => part !== '' && part !== '.');
  if (parts.includes('..')) throw new SubPathError(`path ${JSON.stringify(path)} must not contain '..'`);
  const handle = await openWithin(root, await resolveInside(root, parts), undefined);
  if (handle === undefined) throw new SubPathError(`there is no file ${JSON.stringify(path)}`);
  try {
    if ((await kindOf(handle)) !== 'file') throw new SubPathError(`${JSON.stringify(path)} is not a file`);
    const file = await open(through(handle), 'r');
    try {
      const { bytesRead, buffer } = await file.read(Buffer.alloc(limitBytes + 1), 0, limitBytes + 1, 0);
      if (bytesRead > limitBytes) throw new SubPathError(`${JSON.stringify(path)} is too large`);
      return buffer.subarray(0, bytesRead).toString();
    } finally {
      await file.close();
    }
  } finally {
    await handle.close();
  }
}

/** Undefined for links, which nothing is to follow, and pipes. */
async function kindOf(handle: FileHandle): Promise<Found | undefined> {
  const info = await handle.stat();
  if (info.isDirectory()) return 'directory';
  if (info.isFile()) return 'file';
  if (info.isSocket()) return 'socket';
  if (info.isCharacterDevice()) return 'characterDevice';
  return info.isBlockDevice() ? 'blockDevice' : undefined;
}

/** The steps from the root with all links resolved, as far as they exist; the rest as given. */
async function resolveInside(root: string, parts: string[]): Promise<string[]> {
  for (let known = parts.length; known >= 0; known--) {
    let real: string;
    try {
      real = await realpath([root, ...parts.slice(0, known)].join('/'));
    } catch (error) {
      if (isMissing(error)) continue;
      throw error;
    }
    if (real !== root && !real.startsWith(`${root}/`)) {
      throw new SubPathError(`subPath "${parts.join('/')}" leads out of the volume`);
    }
    return [...relative(root, real).split('/'), ...parts.slice(known)].filter((part) => part !== '');
  }
  return parts;
}

const isMissing = (error: unknown) => ['ENOENT', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? '');

async function openWithin(root: string, parts: string[], make: BindWish['make']): Promise<FileHandle | undefined> {
  let handle = await open(root, O_PATH | constants.O_DIRECTORY);
  const mode = (await stat(through(handle))).mode & 0o7777;
  for (const [index, part] of parts.entries()) {
    const path = `${through(handle)}/${part}`;
    let next: FileHandle;
    try {
      next = await open(path, WALK).catch(async (error) => {
        if (error.code !== 'ENOENT' || make === undefined) throw error;
        if (make === 'file' && index === parts.length - 1) await writeFile(path, '', { flag: 'wx', mode: 0o644 });
        else await mkdir(path, { mode });
        const made = await open(path, WALK);
        // What the umask has taken away is given back, to nothing but a directory.
        if ((await made.stat()).isDirectory()) await chmod(through(made), mode);
        return made;
      });
    } catch (error) {
      if (isMissing(error)) return undefined;
      throw error;
    } finally {
      await handle.close();
    }
    handle = next;
  }
  return handle;
}
