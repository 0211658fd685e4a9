import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { promisify } from 'node:util';
import type { ContainerdPaths } from './paths.ts';

const run = promisify(execFile);
const MOST_BYTES = 16 * 1024 * 1024;

interface SnapshotMount {
  Type: string;
  Source: string;
  Options: string[] | null;
}

/**
 * Images as read-only file systems: a view of the image's snapshot, mounted. containerd 1.6 has no such mount of its own.
 * The view, named for its target, keeps the layers from containerd's garbage collection until it is removed.
 */
export class ImageMounts {
  readonly #paths: ContainerdPaths;

  constructor(paths: ContainerdPaths) {
    this.#paths = paths;
  }

  /** @param imageId the digest of the image's configuration */
  async mount(imageId: string, target: string): Promise<void> {
    await this.unmount(target);
    const config = JSON.parse(await this.#ctr('content', 'get', imageId));
    const parent = chainId(config.rootfs?.diff_ids ?? []);
    const mounts: SnapshotMount[] = JSON.parse(await this.#ctr('snapshots', 'view', '--mounts', keyOf(target), parent));
    try {
      for (const mount of mounts) await apply(mount, target);
    } catch (error) {
      await this.unmount(target);
      throw error;
    }
  }

  /** Succeeds where nothing is mounted. */
  async unmount(target: string): Promise<void> {
    await run('umount', ['-l', target]).catch(() => {});
    await this.#ctr('snapshots', 'remove', keyOf(target)).catch((error: Error) => {
      if (!/not found/.test(error.message)) throw error;
    });
  }

  async #ctr(...words: string[]): Promise<string> {
    const place = ['--address', this.#paths.socket, '--namespace', 'k8s.io'];
    const { stdout } = await run('ctr', [...place, ...words], { maxBuffer: MOST_BYTES });
    return stdout;
  }
}

const keyOf = (target: string): string => `image-volume-${createHash('sha256').update(target).digest('hex')}`;

/** The name of the snapshot that all layers together make. Source: ChainID of the OCI image specification. */
function chainId(diffIds: string[]): string {
  if (diffIds.length === 0) throw new Error('the image has no layers');
  return diffIds.reduce((chain, diffId) => `sha256:${createHash('sha256').update(`${chain} ${diffId}`).digest('hex')}`);
}

/** Nothing of an image volume can be written, executed with rights of its own, or be a device. */
async function apply({ Type: type, Source: source, Options: options }: SnapshotMount, target: string): Promise<void> {
  const isBind = type === 'bind' || (options ?? []).some((option) => option === 'bind' || option === 'rbind');
  const safe = 'ro,nosuid,nodev,noexec';
  if (!isBind) {
    const own = (options ?? []).filter((option) => option !== 'rw' && option !== 'ro');
    await run('mount', ['-t', type, '-o', [...own, safe].join(','), source, target]);
    return;
  }
  await run('mount', ['--bind', source, target]);
  await run('mount', ['-o', `remount,bind,${safe}`, target]);
}
