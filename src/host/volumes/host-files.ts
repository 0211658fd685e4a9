import { createHash } from 'node:crypto';
import { chmod, chown, mkdir, open, readdir, realpath, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Container, PodSpec, Volume, VolumeMount } from '../../api/generated/core-v1.ts';
import type { PodAddress } from '../../api/pod-network.ts';
import type { ContainerInstance } from '../../api/pool.ts';
import type { Logger } from '../../base/log.ts';
import type { Mount } from '../../runtime/sandbox-runtime.ts';
import { removeCgroup } from '../cgroups.ts';
import { bytes } from '../quantities.ts';
import { environment } from '../worker/containers/container-config.ts';
import { ContainerStartError } from '../worker/containers/container-start-error.ts';
import { expandReferences } from '../worker/containers/environment.ts';
import { type PodFiles, VolumeError } from '../worker/pod-files.ts';
import { writeFilesAtomically } from './atomic-files.ts';
import { etcHosts } from './etc-hosts.ts';
import { mountMemory, mountPoints, unmount } from './mounts.ts';
import { NodeTrees } from './node-trees.ts';
import { bindSubPath, readInside } from './sub-path.ts';

const LONGEST_MESSAGE_BYTES = 4096;
/** Variables of a container are no longer altogether. */
const LONGEST_ENV_FILE_BYTES = 1024 * 1024;
const DEFAULT_MESSAGE_PATH = '/dev/termination-log';

export interface HostFilesOptions {
  dataDirectory: string;
  /** Of the host: part of the cgroups' path, so that two agents on one machine stay apart. */
  name: string;
  logger: Logger;
}

/**
 * Pods' files on a real host:
 *
 *     logs/UID/CONTAINER/ATTEMPT.log
 *     memory/UID/VOLUME           content of configMap, secret, projected, downwardAPI: one tmpfs for all, never on disk
 *     pods/UID/empty-dir/VOLUME
 *     pods/UID/tmpfs/VOLUME       emptyDir with medium Memory: a tmpfs each, for its size
 *     pods/UID/images/VOLUME      image volumes, mounted by the runtime
 *     pods/UID/host-path/VOLUME   bind mounts of what the tenant's node has there (node-trees.ts)
 *     pods/UID/sub-paths/NAME     bind mounts of volumes' subPaths
 *     pods/UID/termination/CONTAINER.ATTEMPT
 *     pods/UID/etc-hosts
 *     nodes/TENANT/NODE           the file systems that hostPaths show
 */
export async function createHostFiles(options: HostFilesOptions): Promise<PodFiles> {
  await mkdir(options.dataDirectory, { recursive: true });
  const directory = await realpath(options.dataDirectory);
  const memory = join(directory, 'memory');
  await mkdir(memory, { recursive: true, mode: 0o700 });
  await mkdir(join(directory, 'pods'), { recursive: true, mode: 0o711 });
  await mkdir(join(directory, 'logs'), { recursive: true });
  if (!(await mountPoints()).has(memory)) {
    await mountMemory(memory, 0, '0711').catch((error) => {
      options.logger.warn({ error }, 'no tmpfs could be mounted: secrets of pods are written to disk');
    });
  }
  return new HostFiles(directory, hostCgroup(directory, options.name));
}

/** The cgroup above all pods of one host; `directory` is its data directory's real path. */
export function hostCgroup(directory: string, hostName: string): string {
  return `/skypod-${createHash('sha256').update(`${directory}\n${hostName}`).digest('hex').slice(0, 12)}`;
}

class HostFiles implements PodFiles {
  readonly #directory: string;
  readonly #cgroups: string;
  readonly #nodes: NodeTrees;

  constructor(directory: string, cgroups: string) {
    this.#directory = directory;
    this.#nodes = new NodeTrees(join(directory, 'nodes'));
    this.#cgroups = cgroups;
  }

  logDirectory(podUid: string): string {
    return join(this.#directory, 'logs', podUid);
  }

  cgroupParent(podUid: string): string {
    return `${this.#cgroups}/pod${podUid}`;
  }

  #pod(podUid: string, ...rest: string[]): string {
    return join(this.#directory, 'pods', podUid, ...rest);
  }

  #volume(podUid: string, volume: Volume): string {
    if (volume.image !== undefined) return this.#pod(podUid, 'images', volume.name);
    if (volume.hostPath !== undefined) return this.#pod(podUid, 'host-path', volume.name);
    if (volume.emptyDir === undefined) return join(this.#directory, 'memory', podUid, volume.name);
    return this.#pod(podUid, volume.emptyDir.medium === 'Memory' ? 'tmpfs' : 'empty-dir', volume.name);
  }

  async prepare(instance: ContainerInstance): Promise<void> {
    const uid = instance.metadata.name;
    await mkdir(this.logDirectory(uid), { recursive: true });
    await mkdir(this.#pod(uid), { recursive: true, mode: 0o711 });
    for (const volume of instance.spec.pod.volumes ?? []) {
      try {
        await this.#setUp(instance, volume);
      } catch (error) {
        throw new VolumeError(`MountVolume.SetUp failed for volume "${volume.name}" : ${(error as Error).message}`);
      }
    }
  }

  async #setUp(instance: ContainerInstance, volume: Volume): Promise<void> {
    const path = this.#volume(instance.metadata.name, volume);
    const groupId = instance.spec.pod.securityContext?.fsGroup;
    if (volume.emptyDir !== undefined) {
      await mkdir(path, { recursive: true });
      if (volume.emptyDir.medium === 'Memory' && !(await mountPoints()).has(path)) {
        await mountMemory(path, bytes(volume.emptyDir.sizeLimit), '1777');
      }
      if (groupId !== undefined) await chown(path, 0, groupId);
      // A file system in memory keeps its sticky bit, as upstream's.
      const sticky = volume.emptyDir.medium === 'Memory' ? 0o1000 : 0;
      await chmod(path, sticky | (groupId === undefined ? 0o777 : 0o2777));
      return;
    }
    if (volume.image !== undefined) {
      await mkdir(path, { recursive: true });
      return;
    }
    if (volume.hostPath !== undefined) {
      if ((await mountPoints()).has(path)) return;
      const { tenant, node } = nodeOf(instance);
      await this.#nodes.attach(tenant, node, volume.hostPath, path);
      return;
    }
    if (!isFileVolume(volume)) throw new Error(refusal(volume));
    const files = instance.spec.volumeFiles?.[volume.name];
    if (files === undefined) throw new Error('its content has not arrived yet');
    await writeFilesAtomically(path, files, groupId === undefined ? undefined : { groupId });
  }

  async refresh(instance: ContainerInstance): Promise<void> {
    for (const volume of instance.spec.pod.volumes ?? []) {
      if (isFileVolume(volume) && instance.spec.volumeFiles?.[volume.name] !== undefined) {
        await this.#setUp(instance, volume);
      }
    }
  }

  async containerMounts(
    instance: ContainerInstance,
    container: Container,
    attempt: number,
    address: PodAddress,
  ): Promise<Mount[]> {
    const uid = instance.metadata.name;
    const mounts: Mount[] = [];
    for (const [index, mount] of (container.volumeMounts ?? []).entries()) {
      mounts.push(
        await this.#volumeMount(instance, container, mount, `${container.name}.${attempt}.${index}`, address),
      );
    }
    const taken = new Set(mounts.map(({ containerPath }) => containerPath));
    const add = (containerPath: string, hostPath: string) => {
      if (!taken.has(containerPath)) {
        mounts.push({ containerPath, hostPath, readonly: false, propagation: 'private' });
      }
    };
    const hosts = this.#pod(uid, 'etc-hosts');
    await writeFile(hosts, etcHosts(instance, address), { mode: 0o644 });
    add('/etc/hosts', hosts);
    const message = this.#pod(uid, 'termination', `${container.name}.${attempt}`);
    await mkdir(this.#pod(uid, 'termination'), { recursive: true });
    await writeFile(message, '');
    await chmod(message, 0o666);
    add(container.terminationMessagePath ?? DEFAULT_MESSAGE_PATH, message);
    return mounts;
  }

  async #volumeMount(
    instance: ContainerInstance,
    container: Container,
    mount: VolumeMount,
    bindName: string,
    address: PodAddress,
  ): Promise<Mount> {
    const uid = instance.metadata.name;
    const volume = volumeOf(instance.spec.pod, mount);
    const path = this.#volume(uid, volume);
    const subPath = subPathOf(instance, container, mount, address);
    let hostPath = path;
    if (subPath !== '') {
      hostPath = this.#pod(uid, 'sub-paths', bindName);
      try {
        // An earlier attempt with this number may have left its mount.
        await unmount([hostPath]);
        await bindSubPath(path, subPath, hostPath);
      } catch (error) {
        const why = (error as Error).message;
        throw new ContainerStartError(
          'CreateContainerConfigError',
          `failed to prepare subPath for volumeMount "${mount.name}" of container "${container.name}": ${why}`,
        );
      }
    }
    const propagation =
      mount.mountPropagation === 'Bidirectional'
        ? 'bidirectional'
        : mount.mountPropagation === 'HostToContainer'
          ? 'hostToContainer'
          : 'private';
    const readonly = mount.readOnly === true || isFileVolume(volume) || volume.image !== undefined;
    return { containerPath: mount.mountPath, hostPath, readonly, propagation };
  }

  async readVolumeFile(instance: ContainerInstance, name: string, path: string): Promise<string> {
    const volume = instance.spec.pod.volumes?.find((candidate) => candidate.name === name);
    if (volume === undefined)
      throw new Error(`cannot find the volume ${JSON.stringify(name)} referenced by FileKeyRef`);
    return readInside(this.#volume(instance.metadata.name, volume), path, LONGEST_ENV_FILE_BYTES);
  }

  async terminationLog(podUid: string, container: string, attempt: number): Promise<string> {
    let file: Awaited<ReturnType<typeof open>>;
    try {
      file = await open(this.#pod(podUid, 'termination', `${container}.${attempt}`), 'r');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return '';
      throw error;
    }
    try {
      // As the kubelet: of a longer message the end.
      const { size } = await file.stat();
      const length = Math.min(size, LONGEST_MESSAGE_BYTES);
      const { bytesRead, buffer } = await file.read(Buffer.alloc(length), 0, length, size - length);
      return buffer.subarray(0, bytesRead).toString();
    } finally {
      await file.close();
    }
  }

  async lastAttempt(podUid: string, container: string): Promise<number> {
    const names = await readdir(join(this.logDirectory(podUid), container)).catch(() => [] as string[]);
    return Math.max(-1, ...names.map((name) => Number.parseInt(name, 10)).filter((number) => !Number.isNaN(number)));
  }

  async release(podUid: string): Promise<void> {
    await this.#unmountAll(podUid);
    for (const name of ['empty-dir', 'tmpfs', 'images', 'host-path', 'sub-paths', 'etc-hosts']) {
      await rm(this.#pod(podUid, name), { recursive: true, force: true });
    }
    await rm(join(this.#directory, 'memory', podUid), { recursive: true, force: true });
  }

  async #unmountAll(podUid: string): Promise<void> {
    const paths: string[] = [];
    for (const kind of ['sub-paths', 'host-path', 'tmpfs', 'images']) {
      const names = await readdir(this.#pod(podUid, kind)).catch(() => [] as string[]);
      paths.push(...names.map((name) => this.#pod(podUid, kind, name)));
    }
    await unmount(paths);
  }

  async remove(podUid: string): Promise<void> {
    await this.release(podUid);
    await rm(this.#pod(podUid), { recursive: true, force: true });
    await rm(this.logDirectory(podUid), { recursive: true, force: true });
    await removeCgroup(this.cgroupParent(podUid));
  }

  async removeLog(podUid: string, container: string, attempt: number): Promise<void> {
    const directory = join(this.logDirectory(podUid), container);
    const names = await readdir(directory).catch(() => [] as string[]);
    for (const name of names) if (name.startsWith(`${attempt}.log`)) await rm(join(directory, name), { force: true });
    await rm(this.#pod(podUid, 'termination', `${container}.${attempt}`), { force: true });
  }

  imageDirectory(podUid: string, volume: string): string {
    return this.#pod(podUid, 'images', volume);
  }

  async imageDirectories(podUid: string): Promise<string[]> {
    const names = await readdir(this.#pod(podUid, 'images')).catch(() => [] as string[]);
    return names.map((name) => this.#pod(podUid, 'images', name));
  }

  emptyDirectory(podUid: string, volume: string): string {
    return this.#pod(podUid, 'empty-dir', volume);
  }

  nodeTree(instance: ContainerInstance): string | undefined {
    if (!instance.spec.pod.volumes?.some(({ hostPath }) => hostPath !== undefined)) return undefined;
    const { tenant, node } = nodeOf(instance);
    return this.#nodes.tree(tenant, node);
  }

  async collectNodeTrees(instances: Iterable<ContainerInstance>, discard: ReadonlySet<string>): Promise<void> {
    const mounted = [...(await mountPoints())];
    const used = new Set<string>();
    for (const instance of instances) {
      const tree = this.nodeTree(instance);
      if (tree === undefined) continue;
      const own = this.#pod(instance.metadata.name, 'host-path/');
      if (!mounted.some((path) => path.startsWith(own))) continue;
      used.add(tree);
      await this.#nodes.touch(nodeOf(instance).tenant, nodeOf(instance).node);
    }
    await this.#nodes.collect((tree) => used.has(tree), discard, Date.now());
  }

  async list(): Promise<string[]> {
    const uids = new Set<string>();
    for (const kind of ['pods', 'memory', 'logs']) {
      for (const name of await readdir(join(this.#directory, kind)).catch(() => [] as string[])) uids.add(name);
    }
    const found: string[] = [];
    for (const uid of uids) {
      const info = await stat(this.logDirectory(uid)).catch(() => stat(this.#pod(uid)).catch(() => undefined));
      if (info === undefined || info.isDirectory()) found.push(uid);
    }
    return found;
  }
}

const isFileVolume = (volume: Volume): boolean =>
  volume.configMap !== undefined ||
  volume.secret !== undefined ||
  volume.projected !== undefined ||
  volume.downwardAPI !== undefined;

const nodeOf = ({ metadata, spec }: ContainerInstance) => ({
  tenant: metadata.namespace ?? '',
  node: spec.pod.nodeName ?? '',
});

function refusal(volume: Volume): string {
  const kind = Object.keys(volume).find((key) => key !== 'name') ?? 'unknown';
  return `volumes of type ${kind} are not available on this platform`;
}

function volumeOf(pod: PodSpec, mount: VolumeMount): Volume {
  const volume = pod.volumes?.find(({ name }) => name === mount.name);
  if (volume !== undefined) return volume;
  throw new ContainerStartError(
    'CreateContainerConfigError',
    `cannot find volume "${mount.name}" to mount into container`,
  );
}

function subPathOf(
  instance: ContainerInstance,
  container: Container,
  { subPath, subPathExpr }: VolumeMount,
  address: PodAddress,
): string {
  if (!subPathExpr) return subPath ?? '';
  const values = new Map(environment(container, instance, address).map(({ key, value }) => [key, value]));
  const expanded = expandReferences(subPathExpr, values);
  const missing = /\$\(([^)]*)\)/.exec(expanded);
  if (missing !== null && !subPathExpr.includes(`$${missing[0]}`)) {
    throw new ContainerStartError('CreateContainerConfigError', `missing value for "${missing[1]}"`);
  }
  return expanded;
}
