import { existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ContainerResources } from '../sandbox-runtime.ts';

/** Where the machine mounts its control groups; tests have their own. */
const CGROUP_ROOT = '/sys/fs/cgroup';

/** cgroup v2 alone; otherwise one hierarchy a controller (v1, or v1 with an unused v2 beside it). */
function isUnified(root: string): boolean {
  return existsSync(join(root, 'cgroup.controllers'));
}

/**
 * Makes the pod's cgroup with the limits of the whole pod, before containerd puts containers below it. A limit the
 * machine has no controller for is left out, as containerd does for containers.
 */
export function makePodCgroup(cgroupParent: string, resources: ContainerResources, root = CGROUP_ROOT): void {
  if (isUnified(root)) makeUnified(cgroupParent, resources, root);
  else makeLegacy(cgroupParent, resources, root);
}

function makeUnified(cgroupParent: string, resources: ContainerResources, root: string): void {
  const available = readFileSync(join(root, 'cgroup.controllers'), 'utf8').trim().split(' ');
  const wanted = ['cpuset', 'cpu', 'io', 'memory', 'pids'].filter((name) => available.includes(name));
  let directory = root;
  for (const part of cgroupParent.split('/').filter((name) => name !== '')) {
    for (const controller of wanted) write(join(directory, 'cgroup.subtree_control'), `+${controller}`);
    directory = join(directory, part);
    mkdirSync(directory, { recursive: true });
  }
  if (resources.memoryLimitBytes) write(join(directory, 'memory.max'), String(resources.memoryLimitBytes));
  if (resources.cpuShares) write(join(directory, 'cpu.weight'), String(weightOfShares(resources.cpuShares)));
  if (resources.cpuQuota) write(join(directory, 'cpu.max'), `${resources.cpuQuota} ${resources.cpuPeriod ?? 100_000}`);
}

/** The conversion of KEP-2254: shares 2…262144 onto weights 1…10000. */
export function weightOfShares(shares: number): number {
  return Math.max(1, 1 + Math.floor(((Math.min(Math.max(shares, 2), 262_144) - 2) * 9999) / 262_142));
}

function makeLegacy(cgroupParent: string, resources: ContainerResources, root: string): void {
  const settings: Record<string, Record<string, number | undefined>> = {
    memory: { 'memory.limit_in_bytes': resources.memoryLimitBytes },
    cpu: {
      'cpu.shares': resources.cpuShares,
      'cpu.cfs_period_us': resources.cpuQuota ? (resources.cpuPeriod ?? 100_000) : undefined,
      'cpu.cfs_quota_us': resources.cpuQuota,
    },
  };
  for (const [controller, files] of Object.entries(settings)) {
    if (!existsSync(join(root, controller))) continue;
    const directory = join(root, controller, cgroupParent);
    mkdirSync(directory, { recursive: true });
    // Without it a container's own group would not be bounded by the pod's (before kernel 5.11, where it may be absent).
    if (controller === 'memory') write(join(directory, 'memory.use_hierarchy'), '1');
    for (const [file, value] of Object.entries(files)) if (value) write(join(directory, file), String(value));
  }
}

/**
 * Changes the limits of a pod's cgroup that stands; what is left out becomes unlimited.
 * @throws when the kernel refuses (EBUSY: more memory is in use than the new limit allows)
 */
export function updatePodCgroup(cgroupParent: string, resources: ContainerResources, root = CGROUP_ROOT): void {
  const { memoryLimitBytes, cpuShares = 2, cpuQuota, cpuPeriod = 100_000 } = resources;
  const settings: [controller: string, file: string, value: string | number][] = isUnified(root)
    ? [
        ['', 'memory.max', memoryLimitBytes ?? 'max'],
        ['', 'cpu.weight', weightOfShares(cpuShares)],
        ['', 'cpu.max', `${cpuQuota ?? 'max'} ${cpuPeriod}`],
      ]
    : [
        ['memory', 'memory.limit_in_bytes', memoryLimitBytes ?? -1],
        ['cpu', 'cpu.shares', cpuShares],
        ['cpu', 'cpu.cfs_period_us', cpuPeriod],
        ['cpu', 'cpu.cfs_quota_us', cpuQuota ?? -1],
      ];
  for (const [controller, file, value] of settings) {
    const path = join(root, controller, cgroupParent, file);
    if (existsSync(path)) writeFileSync(path, String(value));
  }
}

/** Removes the pod's cgroup in every controller; succeeds where it is gone. The groups above it stay. */
export function removePodCgroup(cgroupParent: string, root = CGROUP_ROOT): void {
  if (cgroupParent.split('/').filter((part) => part !== '' && part !== '..').length === 0) return;
  const hierarchies = isUnified(root) ? [''] : readdirSync(root);
  for (const hierarchy of hierarchies) {
    const directory = join(root, hierarchy, cgroupParent);
    if (!existsSync(directory)) continue;
    for (const child of readdirSync(directory, { withFileTypes: true })) {
      // What a runtime that died left behind; a group with processes in it refuses, and so is never lost.
      if (child.isDirectory()) removeDirectory(join(directory, child.name));
    }
    removeDirectory(directory);
  }
}

/** Removes a group and those above it as far as they are empty. */
export function removeEmptyCgroups(path: string, root = CGROUP_ROOT): void {
  const parts = path.split('/').filter((part) => part !== '' && part !== '.');
  for (const hierarchy of isUnified(root) ? [''] : readdirSync(root)) {
    for (let depth = parts.length; depth > 0; depth--) {
      removeDirectory(join(root, hierarchy, ...parts.slice(0, depth)));
    }
  }
}

function removeDirectory(path: string): void {
  try {
    rmdirSync(path);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code !== 'ENOENT' && code !== 'EBUSY' && code !== 'ENOTEMPTY') throw error;
  }
}

function write(path: string, value: string): void {
  try {
    writeFileSync(path, value);
  } catch {}
}
