import assert from 'node:assert/strict';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { makePodCgroup, removeEmptyCgroups, removePodCgroup, updatePodCgroup, weightOfShares } from './pod-cgroup.ts';

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'skypod-cgroup-'));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

const resources = { cpuShares: 512, cpuQuota: 50_000, memoryLimitBytes: 1 << 20 };

test('cgroup v2: controllers are handed down and the limits written', () => {
  writeFileSync(join(root, 'cgroup.controllers'), 'cpu memory pids misc\n');
  makePodCgroup('/skypod/pod1', resources, root);
  const read = (path: string) => readFileSync(join(root, path), 'utf8');
  assert.equal(read('cgroup.subtree_control'), '+pids');
  assert.equal(read('skypod/cgroup.subtree_control'), '+pids');
  assert.equal(read('skypod/pod1/memory.max'), String(1 << 20));
  assert.equal(read('skypod/pod1/cpu.max'), '50000 100000');
  assert.equal(read('skypod/pod1/cpu.weight'), '20');
});

test('cgroup v1: limits go to each hierarchy, whatever else is mounted beside them', () => {
  for (const controller of ['memory', 'cpu', 'unified']) mkdirSync(join(root, controller));
  makePodCgroup('/skypod/pod1', resources, root);
  const read = (path: string) => readFileSync(join(root, path), 'utf8');
  assert.equal(read('memory/skypod/pod1/memory.limit_in_bytes'), String(1 << 20));
  assert.equal(read('cpu/skypod/pod1/cpu.shares'), '512');
  assert.equal(read('cpu/skypod/pod1/cpu.cfs_quota_us'), '50000');
  assert.ok(!existsSync(join(root, 'unified/skypod')));
});

test('removal takes the pod in every hierarchy, then what is empty above it', () => {
  for (const path of ['cpu/skypod/pod1/left-over', 'memory/skypod/pod1', 'memory/skypod/pod2']) {
    mkdirSync(join(root, path), { recursive: true });
  }
  removePodCgroup('/skypod/pod1', root);
  removePodCgroup('/skypod/pod1', root);
  assert.ok(!existsSync(join(root, 'cpu/skypod/pod1')));
  assert.ok(existsSync(join(root, 'memory/skypod/pod2')));
  removeEmptyCgroups('/skypod', root);
  assert.ok(!existsSync(join(root, 'cpu/skypod')));
  assert.ok(existsSync(join(root, 'memory/skypod/pod2')));
  removePodCgroup('/', root);
  assert.ok(existsSync(join(root, 'memory')));
});

test('shares become weights as KEP-2254 has it', () => {
  assert.deepEqual([2, 1024, 262_144, 0].map(weightOfShares), [1, 39, 10_000, 1]);
});

test('a pod that stands is given other limits; what is left out is unlimited', () => {
  for (const controller of ['memory', 'cpu']) mkdirSync(join(root, controller));
  makePodCgroup('/skypod/pod1', resources, root);
  const read = (path: string) => readFileSync(join(root, path), 'utf8');
  updatePodCgroup('/skypod/pod1', { cpuShares: 1024, cpuQuota: 70_000, memoryLimitBytes: 2 << 20 }, root);
  assert.equal(read('memory/skypod/pod1/memory.limit_in_bytes'), String(2 << 20));
  assert.equal(read('cpu/skypod/pod1/cpu.shares'), '1024');
  assert.equal(read('cpu/skypod/pod1/cpu.cfs_quota_us'), '70000');
  updatePodCgroup('/skypod/pod1', { cpuShares: 2 }, root);
  assert.equal(read('memory/skypod/pod1/memory.limit_in_bytes'), '-1');
  assert.equal(read('cpu/skypod/pod1/cpu.cfs_quota_us'), '-1');
});
