import {
  chmod,
  chown,
  lstat,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  readlink,
  rename,
  rm,
  symlink,
  writeFile,
} from 'node:fs/promises';
import { dirname, join, normalize } from 'node:path';
import type { VolumeFile } from '../../api/pool.ts';

/** A group that may read the files (fsGroup). */
export interface Ownership {
  groupId: number;
}

/**
 * Replaces the files of a volume all at once, the way the kubelet does, so that a program inside sees either all of the
 * old or all of the new, and sees it without a restart:
 *
 *     ..2026_11_21_01_02_03.Xy12ab/password   the files
 *     ..data -> ..2026_11_21_01_02_03.Xy12ab  switched by one rename
 *     password -> ..data/password             what the program opens
 */
export async function writeFilesAtomically(
  directory: string,
  files: VolumeFile[],
  ownership?: Ownership,
): Promise<void> {
  for (const { path } of files) assertInside(path);
  await mkdir(directory, { recursive: true });
  const current = await readlink(join(directory, '..data')).catch(() => undefined);
  if (current !== undefined && (await hasContent(join(directory, current), files))) {
    await linkNames(directory, files);
    return;
  }
  const stamp = new Date().toISOString().slice(0, 19).replace('T', '_').replaceAll(/[-:]/g, '_');
  const fresh = await mkdtemp(join(directory, `..${stamp}.`));
  await chmod(fresh, 0o755);
  for (const { path, data, mode, owner } of files) {
    const target = join(fresh, path);
    await mkdir(dirname(target), { recursive: true, mode: 0o755 });
    await writeFile(target, Buffer.from(data, 'base64'), { mode });
    // Once more: what the umask has taken away is given back.
    await chmod(target, mode);
    if (owner !== undefined) await chown(target, owner, 0);
  }
  if (ownership !== undefined) await giveToGroup(fresh, ownership);
  const name = fresh.slice(directory.length + 1);
  await rm(join(directory, '..data_tmp'), { force: true });
  await symlink(name, join(directory, '..data_tmp'));
  await rename(join(directory, '..data_tmp'), join(directory, '..data'));
  await linkNames(directory, files);
  for (const entry of await readdir(directory)) {
    if (/^\.\.\d{4}_/.test(entry) && entry !== name) await rm(join(directory, entry), { recursive: true, force: true });
  }
}

function assertInside(path: string): void {
  const clean = normalize(path);
  if (path === '' || path.startsWith('/') || clean.split('/').includes('..') || path.startsWith('..')) {
    throw new Error(`invalid path ${JSON.stringify(path)}: it must stay inside the volume`);
  }
}

/** What a program sees at the top: links for what there is, none for what there no longer is. */
async function linkNames(directory: string, files: VolumeFile[]): Promise<void> {
  const wanted = new Set(files.map(({ path }) => normalize(path).split('/')[0]!));
  const present = await readdir(directory);
  for (const name of present) {
    if (!name.startsWith('..') && !wanted.has(name)) await rm(join(directory, name), { recursive: true, force: true });
  }
  for (const name of wanted) if (!present.includes(name)) await symlink(join('..data', name), join(directory, name));
}

async function hasContent(directory: string, files: VolumeFile[]): Promise<boolean> {
  const found = await listFiles(directory).catch(() => undefined);
  if (found === undefined || found.length !== files.length) return false;
  for (const { path, data, mode, owner } of files) {
    try {
      const target = join(directory, path);
      const content = await readFile(target);
      const info = await lstat(target);
      const extra = info.mode & 0o777 & ~0o440;
      if (!content.equals(Buffer.from(data, 'base64')) || extra !== (mode & 0o777 & ~0o440)) return false;
      if (owner !== undefined && owner !== info.uid) return false;
    } catch {
      return false;
    }
  }
  return true;
}

async function listFiles(directory: string): Promise<string[]> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true });
  return entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
}

/** fsGroup of a volume that is read only: the group may read, and new files would belong to it. */
async function giveToGroup(directory: string, { groupId }: Ownership): Promise<void> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true });
  for (const path of [directory, ...entries.map((entry) => join(entry.parentPath, entry.name))]) {
    const { uid, mode } = await lstat(path);
    const isDirectory = (mode & 0o170000) === 0o040000;
    await chown(path, uid, groupId);
    await chmod(path, (mode & 0o7777) | 0o440 | (isDirectory ? 0o2110 : 0));
  }
}
