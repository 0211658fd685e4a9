import assert from 'node:assert/strict';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { mountPoints, unmount } from './mounts.ts';
import { NodeTrees } from './node-trees.ts';

const root = mkdtempSync(join(tmpdir(), 'skypod-node-trees-'));
after(async () => {
  await unmount([...(await mountPoints())].filter((path) => path.startsWith(`${root}/`)).reverse());
  rmSync(root, { recursive: true, force: true });
});

describe('the file systems at hostPaths', { skip: process.getuid?.() === 0 ? false : 'needs root' }, () => {
  const trees = new NodeTrees(join(root, 'nodes'));
  let count = 0;
  const attach = async (path: string, type = '') => {
    const target = join(root, `target-${count++}`);
    await trees.attach('acme', 'node', { path, type }, target);
    return target;
  };
  const tree = trees.tree('acme', 'node');

  test('are those of a machine just installed', async () => {
    assert.ok(readdirSync(await attach('/')).includes('etc'));
    assert.match(readFileSync(await attach('/etc/../etc/hosts', 'File'), 'utf8'), /^127\.0\.1\.1\tnode$/m);
    assert.equal(statSync(await attach('/tmp', 'Directory')).mode & 0o7777, 0o1777);
    assert.deepEqual(readdirSync(await attach('/proc')), []);
  });

  test('are made as the type asks, and held to it', async () => {
    assert.ok(statSync(await attach('/data/mine')).isDirectory());
    assert.ok(statSync(await attach('/data/mine', 'Directory')).isDirectory());
    assert.ok(statSync(await attach('/data/other', 'DirectoryOrCreate')).isDirectory());
    assert.ok(statSync(await attach('/data/file', 'FileOrCreate')).isFile());
    assert.ok(statSync(await attach('/data/file')).isFile());
    const refused = (path: string, type: string, what: string) =>
      assert.rejects(attach(path, type), { message: `hostPath type check failed: ${path} is not a ${what}` });
    await refused('/none', 'Directory', 'directory');
    await refused('/data/file', 'Directory', 'directory');
    await refused('/data/file', 'DirectoryOrCreate', 'directory');
    await refused('/data/file/below', 'FileOrCreate', 'file');
    await refused('/etc/shadow', 'File', 'file');
    await refused('/data', 'FileOrCreate', 'file');
    await refused('/run/containerd/containerd.sock', 'Socket', 'socket file');
    await refused('/dev/null', 'CharDevice', 'character device');
    await refused('/dev/sda', 'BlockDevice', 'block device');
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(join(tree, 'data/socket'), resolve));
    assert.ok(statSync(await attach('/data/socket', 'Socket')).isSocket());
    await new Promise((resolve) => server.close(resolve));
  });

  test('lead nowhere else, whatever links a tenant makes', async () => {
    const outside = join(root, 'outside');
    mkdirSync(outside);
    writeFileSync(join(outside, 'secret'), 'secret');
    symlinkSync(outside, join(tree, 'absolute'));
    symlinkSync('../../../outside', join(tree, 'relative'));
    for (const path of ['/absolute', '/absolute/secret', '/relative', '/relative/secret', '/relative/new']) {
      await assert.rejects(attach(path), /leads out of the volume/, path);
    }
    assert.deepEqual(readdirSync(outside), ['secret']);
    assert.throws(() => trees.tree('..', 'node'), /names no directory/);
    assert.throws(() => trees.tree('acme', 'a/b'), /names no directory/);
    assert.throws(() => trees.tree('acme', ''), /names no directory/);
  });

  test('go when they have not been used for long', async () => {
    const nowMs = Date.now();
    await trees.collect(() => false, new Set(), nowMs);
    assert.ok(existsSync(tree));
    await trees.collect((used) => used === tree, new Set(), nowMs + 7_200_000);
    assert.ok(existsSync(tree));
    utimesSync(tree, new Date(nowMs - 7_200_000), new Date(nowMs - 7_200_000));
    await trees.collect(() => false, new Set(), nowMs);
    assert.ok(!existsSync(tree));
    assert.deepEqual(readdirSync(join(root, 'nodes')), ['acme']);
    assert.ok(!readdirSync(await attach('/')).includes('data'));
  });
});
