import { chmod, mkdir, stat, writeFile } from 'node:fs/promises';
import { join, posix } from 'node:path';

/** Directories that every machine has; here nothing is in them. */
const directories = new Set([
  ...[
    '/',
    '/bin',
    '/boot',
    '/dev',
    '/etc',
    '/home',
    '/lib',
    '/media',
    '/mnt',
    '/opt',
    '/proc',
    '/root',
    '/run',
    '/sbin',
  ],
  ...['/srv', '/sys', '/tmp', '/usr', '/usr/bin', '/usr/lib', '/usr/local', '/usr/share', '/var', '/var/cache'],
  ...['/var/lib', '/var/log', '/var/log/containers', '/var/log/pods', '/var/run', '/var/tmp'],
]);

/** The files a virtual node has. */
export function nodeFile(path: string, nodeName: string): string | undefined {
  if (path !== '/etc/hosts') return undefined;
  return `127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n127.0.1.1\t${nodeName}\n`;
}

/**
 * What a pod finds at a hostPath: the file system of a machine just installed, of the pod's own, gone with it. No machine
 * stands behind a virtual node, and none of its hosts' files is a tenant's affair.
 * @throws with the kubelet's words when there is not what the type asks for
 */
export function hostPathKind(path: string, type: string, nodeName: string): 'directory' | 'file' {
  const place = posix.normalize(path).replace(/(.)\/$/, '$1');
  const isFile = nodeFile(place, nodeName) !== undefined;
  const isDirectory = directories.has(place);
  const refuse = (what: string) => new Error(`hostPath type check failed: ${path} is not a ${what}`);
  switch (type) {
    // Without a type whatever is missing becomes a directory, as container runtimes have it.
    case '':
      return isFile ? 'file' : 'directory';
    case 'DirectoryOrCreate':
      if (isFile) throw refuse('directory');
      return 'directory';
    case 'Directory':
      if (!isDirectory) throw refuse('directory');
      return 'directory';
    case 'FileOrCreate':
      if (isDirectory) throw refuse('file');
      return 'file';
    case 'File':
      if (!isFile) throw refuse('file');
      return 'file';
    case 'Socket':
      throw refuse('socket file');
    case 'CharDevice':
      throw refuse('character device');
    default:
      throw refuse('block device');
  }
}

/** Makes it at `target`, once. */
export async function makeHostPath(
  { path, type = '' }: { path: string; type?: string },
  target: string,
  nodeName: string,
): Promise<void> {
  const kind = hostPathKind(path, type, nodeName);
  if ((await stat(target).catch(() => undefined)) !== undefined) return;
  await mkdir(join(target, '..'), { recursive: true, mode: 0o711 });
  const place = posix.normalize(path);
  if (kind === 'file') {
    await writeFile(target, nodeFile(place, nodeName) ?? '', { mode: 0o644 });
    return;
  }
  await mkdir(target);
  await chmod(target, place === '/tmp' || place === '/var/tmp' ? 0o1777 : 0o755);
  const hosts = nodeFile('/etc/hosts', nodeName)!;
  if (place === '/etc') await writeFile(join(target, 'hosts'), hosts, { mode: 0o644 });
  if (place !== '/') return;
  await mkdir(join(target, 'etc'));
  await writeFile(join(target, 'etc/hosts'), hosts, { mode: 0o644 });
}
