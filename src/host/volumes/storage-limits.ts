import { execFile } from 'node:child_process';
import type { PodSpec } from '../../api/generated/core-v1.ts';
import type { SandboxRuntime } from '../../runtime/sandbox-runtime.ts';
import type { InstanceWorkers } from '../instance-workers.ts';
import { bytes } from '../quantities.ts';
import type { PodFiles } from '../worker/pod-files.ts';
import { NODE_TREE_LIMIT } from './node-trees.ts';

export interface StorageUsage {
  /** Bytes by volume name. */
  emptyDirs: Map<string, number>;
  /** Bytes by container name: its writable layer and its logs. */
  containers: Map<string, number>;
}

const limitedVolumes = (pod: PodSpec) =>
  (pod.volumes ?? []).filter(({ emptyDir }) => emptyDir?.sizeLimit !== undefined && emptyDir.medium !== 'Memory');
const storageLimit = (limits: Record<string, string> | undefined) => limits?.['ephemeral-storage'];
const isLimited = (pod: PodSpec) =>
  limitedVolumes(pod).length > 0 ||
  pod.containers.some(({ resources }) => storageLimit(resources?.limits) !== undefined);

/** Why the pod is to be evicted, in the kubelet's words; undefined while it keeps to its limits. A pure function. */
function storageExcess(pod: PodSpec, usage: StorageUsage): string | undefined {
  for (const { name, emptyDir } of limitedVolumes(pod)) {
    const limit = emptyDir!.sizeLimit!;
    if (bytes(limit) > 0 && (usage.emptyDirs.get(name) ?? 0) > bytes(limit)) {
      return `Usage of EmptyDir volume "${name}" exceeds the limit "${limit}". `;
    }
  }
  for (const { name, resources } of pod.containers) {
    const limit = storageLimit(resources?.limits);
    if (limit !== undefined && (usage.containers.get(name) ?? 0) > bytes(limit)) {
      return `Container ${name} exceeded its local ephemeral storage limit "${limit}". `;
    }
  }
  return undefined;
}

/** Measures the pods that have limits of local storage, and what hostPaths show; evicts those that exceed them. */
export async function enforceStorageLimits({
  workers,
  runtime,
  files,
}: {
  workers: InstanceWorkers;
  runtime: SandboxRuntime;
  files: PodFiles;
}): Promise<void> {
  const all = [...workers.values()];
  const limited = all.filter(({ instance }) => isLimited(instance.spec.pod));
  const trees = new Map(all.flatMap((worker) => [[worker, files.nodeTree(worker.instance)] as const]));
  const paths = [...new Set(trees.values())].filter((tree) => tree !== undefined);
  if (limited.length === 0 && paths.length === 0) return;
  for (const { instance } of limited) {
    const uid = instance.metadata.name;
    for (const { name } of limitedVolumes(instance.spec.pod)) paths.push(files.emptyDirectory(uid, name));
    for (const { name } of instance.spec.pod.containers) paths.push(`${files.logDirectory(uid)}/${name}`);
  }
  const sizes = await diskUsage(paths);
  const full = new Set<string>();
  for (const [worker, tree] of trees) {
    if (tree === undefined || (sizes.get(tree) ?? 0) <= bytes(NODE_TREE_LIMIT)) continue;
    full.add(tree);
    worker.evict(`Usage of hostPath volumes on the node exceeds the limit "${NODE_TREE_LIMIT}". `);
  }
  const instances = all.map(({ instance }) => instance);
  if (full.size > 0) await files.collectNodeTrees(instances, full);
  if (limited.length === 0) return;
  const layers = new Map<string, number>();
  for (const row of await runtime.stats()) layers.set(`${row.podUid}/${row.name}`, row.writableLayerBytes ?? 0);
  for (const worker of limited) {
    const uid = worker.instance.metadata.name;
    const pod = worker.instance.spec.pod;
    const emptyDirs = limitedVolumes(pod).map(
      ({ name }) => [name, sizes.get(files.emptyDirectory(uid, name)) ?? 0] as const,
    );
    const containers = pod.containers.map(({ name }) => {
      const logs = sizes.get(`${files.logDirectory(uid)}/${name}`) ?? 0;
      return [name, logs + (layers.get(`${uid}/${name}`) ?? 0)] as const;
    });
    const excess = storageExcess(pod, { emptyDirs: new Map(emptyDirs), containers: new Map(containers) });
    if (excess !== undefined) worker.evict(excess);
  }
}

/** Bytes on disk by path; what is not there is left out. */
function diskUsage(paths: string[]): Promise<Map<string, number>> {
  return new Promise((resolve) => {
    // It complains about files that vanish meanwhile, and still measures the others.
    const child = execFile('du', ['-s', '-B1', '-x', '--files0-from=-'], { maxBuffer: 64 << 20 }, (_error, stdout) => {
      const sizes = new Map<string, number>();
      for (const line of stdout.split('\n')) {
        const tab = line.indexOf('\t');
        if (tab > 0) sizes.set(line.slice(tab + 1), Number(line.slice(0, tab)));
      }
      resolve(sizes);
    });
    child.stdin!.on('error', () => {});
    child.stdin!.end(paths.join('\0'));
  });
}
