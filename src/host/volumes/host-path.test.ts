import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { hostPathKind, makeHostPath } from './host-path.ts';

const root = mkdtempSync(join(tmpdir(), 'skypod-host-path-'));
after(() => rmSync(root, { recursive: true, force: true }));

test('a virtual node has the directories of any machine, and hardly a file', () => {
  const kind = (path: string, type = '') => hostPathKind(path, type, 'node');
  assert.equal(kind('/var/log/', 'Directory'), 'directory');
  assert.equal(kind('/data/mine'), 'directory');
  assert.equal(kind('/data/mine', 'DirectoryOrCreate'), 'directory');
  assert.equal(kind('/etc/hosts'), 'file');
  assert.equal(kind('/etc/hosts', 'File'), 'file');
  assert.equal(kind('/etc/../etc/hosts', 'File'), 'file');
  assert.equal(kind('/etc/mine', 'FileOrCreate'), 'file');
  assert.throws(() => kind('/data/mine', 'Directory'), /type check failed: \/data\/mine is not a directory/);
  assert.throws(() => kind('/etc/shadow', 'File'), /type check failed: \/etc\/shadow is not a file/);
  assert.throws(() => kind('/run/containerd/containerd.sock', 'Socket'), /is not a socket file/);
  assert.throws(() => kind('/dev/sda', 'BlockDevice'), /is not a block device/);
});

test('what a pod finds is its own, and nothing of the machine', async () => {
  const hosts = join(root, 'pod/hosts');
  await makeHostPath({ path: '/etc/hosts', type: 'FileOrCreate' }, hosts, 'node-a');
  assert.match(readFileSync(hosts, 'utf8'), /^127\.0\.1\.1\tnode-a$/m);
  writeFileSync(hosts, 'changed');
  await makeHostPath({ path: '/etc/hosts', type: 'FileOrCreate' }, hosts, 'node-a');
  assert.equal(readFileSync(hosts, 'utf8'), 'changed', 'made once');

  const whole = join(root, 'pod/root');
  await makeHostPath({ path: '/' }, whole, 'node-a');
  assert.deepEqual(readdirSync(whole), ['etc']);
  const temporary = join(root, 'pod/tmp');
  await makeHostPath({ path: '/tmp', type: 'Directory' }, temporary, 'node-a');
  assert.equal(statSync(temporary).mode & 0o7777, 0o1777);
});
