import { randomUUID } from 'node:crypto';
import { existsSync, renameSync } from 'node:fs';
import { chmod, mkdir, mkdtemp, readdir, rename, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { join, posix } from 'node:path';
import { bindInside, type Found } from './sub-path.ts';

/** So much may pods of one tenant and node keep below hostPaths, on one host. */
export const NODE_TREE_LIMIT = '2Gi';
/** Kept so long when no pod has anything of it, for the next one: pods of a Job follow one another. */
const IDLE_MS = 60 * 60_000;
const DISCARDED = '.discarded-';
const UNFINISHED = '.new-';

/** Directories that every machine has; here nothing is in them. */
const directories = [
  ...['bin', 'boot', 'dev', 'etc', 'home', 'lib', 'media', 'mnt', 'opt', 'proc', 'root', 'run', 'sbin', 'srv', 'sys'],
  ...['usr/bin', 'usr/lib', 'usr/local', 'usr/share', 'var/cache', 'var/lib', 'var/log/containers', 'var/log/pods'],
  'var/run',
];
const forAll = ['tmp', 'var/tmp'];

const kinds: Record<string, { kind: Found; name: string; make?: 'file' | 'directory' }> = {
  Directory: { kind: 'directory', name: 'directory' },
  DirectoryOrCreate: { kind: 'directory', name: 'directory', make: 'directory' },
  File: { kind: 'file', name: 'file' },
  FileOrCreate: { kind: 'file', name: 'file', make: 'file' },
  Socket: { kind: 'socket', name: 'socket file' },
  CharDevice: { kind: 'characterDevice', name: 'character device' },
  BlockDevice: { kind: 'blockDevice', name: 'block device' },
};

/**
 * What pods find at hostPaths: the file systems of machines just installed, one for each tenant and virtual node, and
 * shared by its pods on this host. No machine stands behind a virtual node, and none of the host's own files is a
 * tenant's affair.
 *
 *     nodes/TENANT/NODE/etc/hosts
 */
export class NodeTrees {
  readonly #directory: string;
  /** Binds under way, by tree: it stays meanwhile. */
  readonly #attaching = new Map<string, number>();

  constructor(directory: string) {
    this.#directory = directory;
  }

  tree(tenant: string, node: string): string {
    for (const name of [tenant, node]) {
      if (!/^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$/.test(name)) throw new Error(`${JSON.stringify(name)} names no directory`);
    }
    return join(this.#directory, tenant, node);
  }

  /** Binds `path` of a tenant's node to `target`. @throws with the kubelet's words when there is not what the type asks for */
  async attach(tenant: string, node: string, { path, type = '' }: { path: string; type?: string }, target: string) {
    const tree = this.tree(tenant, node);
    this.#attaching.set(tree, (this.#attaching.get(tree) ?? 0) + 1);
    try {
      await this.#install(tree, node);
      await this.touch(tenant, node);
      const parts = posix
        .normalize(path)
        .split('/')
        .filter((part) => part !== '');
      const wanted = kinds[type];
      const found = await bindInside(tree, parts, target, {
        accept: (kind) => wanted === undefined || wanted.kind === kind,
        // Without a type whatever is missing becomes a directory, as container runtimes have it.
        make: type === '' ? 'directory' : wanted?.make,
      });
      if (!found) throw new Error(`hostPath type check failed: ${path} is not a ${wanted!.name}`);
    } finally {
      const others = this.#attaching.get(tree)! - 1;
      if (others === 0) this.#attaching.delete(tree);
      else this.#attaching.set(tree, others);
    }
  }

  /** It is in use now. */
  async touch(tenant: string, node: string): Promise<void> {
    const now = new Date();
    await utimes(this.tree(tenant, node), now, now).catch(() => {});
  }

  /** Removes the trees of which no pod has anything, and that are too old or `discard`ed. */
  async collect(isUsed: (tree: string) => boolean, discard: ReadonlySet<string>, nowMs: number): Promise<void> {
    for (const tree of await this.list()) {
      const info = await stat(tree).catch(() => undefined);
      if (info === undefined || (!discard.has(tree) && nowMs - info.mtimeMs < IDLE_MS)) continue;
      if (isUsed(tree) || this.#attaching.has(tree)) continue;
      // Out of the way before anything is awaited: who comes now finds a new one.
      renameSync(tree, join(this.#directory, `${DISCARDED}${randomUUID()}`));
    }
    for (const name of await readdir(this.#directory).catch(() => [] as string[])) {
      const path = join(this.#directory, name);
      if (name.startsWith(UNFINISHED) && nowMs - ((await stat(path).catch(() => undefined))?.mtimeMs ?? 0) < IDLE_MS)
        continue;
      if (name.startsWith('.')) await rm(path, { recursive: true, force: true });
    }
  }

  async list(): Promise<string[]> {
    const names = (directory: string) => readdir(directory).catch(() => [] as string[]);
    const trees: string[] = [];
    for (const tenant of await names(this.#directory)) {
      if (tenant.startsWith('.')) continue;
      for (const node of await names(join(this.#directory, tenant))) trees.push(join(this.#directory, tenant, node));
    }
    return trees;
  }

  async #install(tree: string, node: string): Promise<void> {
    if (existsSync(tree)) return;
    await mkdir(join(tree, '..'), { recursive: true, mode: 0o711 });
    const fresh = await mkdtemp(join(this.#directory, UNFINISHED));
    await chmod(fresh, 0o755);
    for (const directory of [...directories, ...forAll]) {
      await mkdir(join(fresh, directory), { recursive: true });
    }
    for (const directory of forAll) await chmod(join(fresh, directory), 0o1777);
    const hosts = `127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n127.0.1.1\t${node}\n`;
    await writeFile(join(fresh, 'etc/hosts'), hosts, { mode: 0o644 });
    try {
      await rename(fresh, tree);
    } catch (error) {
      // Another pod was faster.
      await rm(fresh, { recursive: true, force: true });
      if (!existsSync(tree)) throw error;
    }
  }
}
