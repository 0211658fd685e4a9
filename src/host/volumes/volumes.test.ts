import assert from 'node:assert/strict';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { silentLogger } from '../../base/log.ts';
import { containerSpec, instanceOf } from '../testing/fixtures.ts';
import { writeFilesAtomically } from './atomic-files.ts';
import { createHostFiles } from './host-files.ts';
import { mountPoints, unmount } from './mounts.ts';
import { bindSubPath, readInside, SubPathError } from './sub-path.ts';

const root = mkdtempSync(join(tmpdir(), 'skypod-volumes-'));
after(async () => {
  await unmount([...(await mountPoints())].filter((path) => path.startsWith(`${root}/`)).reverse());
  rmSync(root, { recursive: true, force: true });
});
const file = (path: string, text: string, mode = 0o644) => ({ path, data: Buffer.from(text).toString('base64'), mode });
const skip = process.getuid?.() === 0 ? false : 'needs root';

describe('the files of a volume', () => {
  const directory = join(root, 'atomic');
  const visible = () => readdirSync(directory).filter((name) => !name.startsWith('..'));

  it('change all at once', async () => {
    await writeFilesAtomically(directory, [file('a', '1'), file('deep/er/b', '2', 0o400)]);
    assert.deepEqual(visible(), ['a', 'deep']);
    assert.equal(readFileSync(join(directory, 'deep/er/b'), 'utf8'), '2');
    assert.equal(statSync(join(directory, 'deep/er/b')).mode & 0o777, 0o400);
    const before = readdirSync(directory).filter((name) => /^\.\.\d/.test(name));

    await writeFilesAtomically(directory, [file('a', '1'), file('deep/er/b', '2', 0o400)]);
    assert.deepEqual(
      readdirSync(directory).filter((name) => /^\.\.\d/.test(name)),
      before,
      'unchanged, unwritten',
    );

    await writeFilesAtomically(directory, [file('a', 'new'), file('c', '3')]);
    assert.deepEqual(visible(), ['a', 'c']);
    assert.equal(readFileSync(join(directory, 'a'), 'utf8'), 'new');
    assert.equal(readdirSync(directory).filter((name) => /^\.\.\d/.test(name)).length, 1);
  });

  it('are never written outside', async () => {
    for (const path of ['../x', '/etc/x', 'a/../../x', '..data', '']) {
      await assert.rejects(writeFilesAtomically(join(root, 'bad'), [file(path, 'x')]), /must stay inside/);
    }
  });

  it('belong to fsGroup, which may read them', { skip }, async () => {
    await writeFilesAtomically(join(root, 'group'), [file('a', '1', 0o400)], { groupId: 4242 });
    const { gid, mode } = statSync(join(root, 'group/a'));
    assert.deepEqual([gid, mode & 0o777], [4242, 0o440]);
  });

  it('belong to the user who is to read them', { skip }, async () => {
    const token = { ...file('token', '1', 0o600), owner: 1000 };
    await writeFilesAtomically(join(root, 'owned'), [token, file('other', '2')]);
    const owner = (name: string) => statSync(join(root, 'owned', name)).uid;
    assert.deepEqual([owner('token'), owner('other')], [1000, 0]);
    await writeFilesAtomically(join(root, 'owned'), [{ ...token, owner: 1001 }, file('other', '2')], { groupId: 4242 });
    const { uid, gid, mode } = statSync(join(root, 'owned/token'));
    assert.deepEqual([uid, gid, mode & 0o777], [1001, 4242, 0o640]);
  });
});

describe('a subPath', { skip }, () => {
  const volume = join(root, 'volume');
  const outside = join(root, 'outside');
  const target = join(root, 'target');
  mkdirSync(volume);
  mkdirSync(outside);
  writeFileSync(join(outside, 'secret'), 'secret');

  it('is made, bound, and the same directory', async () => {
    await bindSubPath(volume, 'a/b', target);
    writeFileSync(join(target, 'x'), '1');
    assert.equal(readFileSync(join(volume, 'a/b/x'), 'utf8'), '1');
    chmodSync(volume, 0o3777);
    await bindSubPath(volume, 'wide/open', `${target}-wide`);
    assert.equal(statSync(join(volume, 'wide/open')).mode & 0o7777, 0o3777, 'as the volume');
    await bindSubPath(volume, 'a/b/x', `${target}-file`);
    assert.equal(readFileSync(`${target}-file`, 'utf8'), '1');
    symlinkSync('a/b', join(volume, 'inside'));
    await bindSubPath(volume, 'inside', `${target}-link`);
    assert.ok(existsSync(join(`${target}-link`, 'x')));
  });

  it('never leads out of the volume', async () => {
    symlinkSync(outside, join(volume, 'absolute'));
    symlinkSync('../outside', join(volume, 'relative'));
    for (const subPath of [
      'absolute',
      'relative',
      'absolute/secret',
      'relative/new/deep',
      '../outside',
      'a/../../outside',
      '/etc',
    ]) {
      await assert.rejects(bindSubPath(volume, subPath, `${target}-bad`), SubPathError, subPath);
      await assert.rejects(readInside(volume, subPath, 100), SubPathError, subPath);
    }
    assert.equal(await readInside(volume, 'inside/x', 100), '1');
    await assert.rejects(readInside(volume, 'inside/x', 0), /too large/);
    assert.deepEqual(readdirSync(outside), ['secret']);
    assert.ok(!(await mountPoints()).has(`${target}-bad`));
  });
});

describe('the files of a host', { skip }, () => {
  it('are made for a pod and leave nothing behind, even when they were made by an agent that died', async () => {
    const dataDirectory = join(root, 'host');
    const options = { dataDirectory, name: 'host-1', logger: silentLogger };
    const files = await createHostFiles(options);
    const instance = instanceOf({
      securityContext: { fsGroup: 4242 },
      volumes: [
        { name: 'disk', emptyDir: {} },
        { name: 'ram', emptyDir: { medium: 'Memory', sizeLimit: '1Mi' } },
        { name: 'config', configMap: { name: 'c' } },
      ],
    });
    instance.spec.volumeFiles = { config: [file('key', 'value')] };
    const uid = instance.metadata.name;
    await files.prepare(instance);
    await files.prepare(instance);
    const container = containerSpec('main', {
      volumeMounts: [
        { name: 'disk', mountPath: '/disk', subPath: 'sub' },
        { name: 'ram', mountPath: '/ram' },
        { name: 'config', mountPath: '/etc/app/key', subPath: 'key' },
      ],
    });
    const mounts = await files.containerMounts(instance, container, 0, { ip: '10.0.0.2', hostIp: '10.0.0.1' });
    assert.deepEqual(
      mounts.map(({ containerPath, readonly }) => [containerPath, readonly]),
      [
        ['/disk', false],
        ['/ram', false],
        ['/etc/app/key', true],
        ['/etc/hosts', false],
        ['/dev/termination-log', false],
      ],
    );
    assert.equal(readFileSync(mounts[2]!.hostPath, 'utf8'), 'value');
    assert.match(readFileSync(mounts[3]!.hostPath, 'utf8'), /^10\.0\.0\.2\tweb$/m);
    writeFileSync(mounts[4]!.hostPath, `${'x'.repeat(5000)}end`);
    const message = await files.terminationLog(uid, 'main', 0);
    assert.equal(message.length, 4096);
    assert.ok(message.endsWith('end'));
    const disk = statSync(join(dataDirectory, 'pods', uid, 'empty-dir/disk'));
    assert.deepEqual([disk.gid, disk.mode & 0o7777], [4242, 0o2777]);

    const next = await createHostFiles(options);
    assert.deepEqual(await next.list(), [uid]);
    await next.remove(uid);
    assert.deepEqual(await next.list(), []);
    const left = [...(await mountPoints())].filter((path) => path.startsWith(`${dataDirectory}/pods`));
    assert.deepEqual(left, []);
  });

  it('show at hostPaths a machine of the tenant’s, the same to all its pods of a node', async () => {
    const files = await createHostFiles({ dataDirectory: join(root, 'host'), name: 'host-1', logger: silentLogger });
    const container = containerSpec('a', { volumeMounts: [{ name: 'h', mountPath: '/h' }] });
    const mountOf = async (name: string, hostPath: object, metadata: object = {}, nodeName = 'node-a') => {
      const volumes = [{ name: 'h', hostPath: hostPath as { path: string } }];
      const instance = instanceOf({ volumes, containers: [container], nodeName }, { name, ...metadata });
      await files.prepare(instance);
      await files.prepare(instance);
      const [mount] = await files.containerMounts(instance, container, 0, { ip: '10.128.0.5', hostIp: '10.128.0.1' });
      return { instance, path: mount!.hostPath };
    };
    const marker = { path: '/tmp/job/x', type: 'DirectoryOrCreate' };
    const first = await mountOf('one', marker);
    writeFileSync(join(first.path, 'foo'), '1');
    await files.remove('one');
    assert.ok(!existsSync(first.path));
    const second = await mountOf('two', marker);
    assert.deepEqual(readdirSync(second.path), ['foo'], 'outlives the pod');
    const others = [
      await mountOf('three', marker, { namespace: 'other-tenant' }),
      await mountOf('four', marker, {}, 'node-b'),
    ];
    for (const { path } of others) assert.deepEqual(readdirSync(path), []);
    assert.deepEqual(readdirSync((await mountOf('five', { path: '/var/log', type: 'Directory' })).path), [
      'containers',
      'pods',
    ]);
    await assert.rejects(
      mountOf('six', { path: '/run/containerd/containerd.sock', type: 'Socket' }),
      /MountVolume.SetUp failed for volume "h" : hostPath type check failed: .* is not a socket file/,
    );

    const tree = files.nodeTree(second.instance)!;
    await files.collectNodeTrees([second.instance], new Set([tree]));
    assert.ok(existsSync(join(second.path, 'foo')), 'in use');
    for (const name of ['two', 'three', 'four', 'five', 'six']) await files.remove(name);
    await files.collectNodeTrees([second.instance], new Set());
    assert.ok(existsSync(tree), 'kept for a while');
    await files.collectNodeTrees([second.instance], new Set([tree]));
    assert.ok(!existsSync(tree));
  });

  it('refuse what no tenant may have', async () => {
    const files = await createHostFiles({ dataDirectory: join(root, 'host'), name: 'host-1', logger: silentLogger });
    const instance = instanceOf({ volumes: [{ name: 'n', nfs: { server: 's', path: '/' } }] });
    await assert.rejects(files.prepare(instance), /MountVolume.SetUp failed for volume "n" : volumes of type nfs are/);
    await files.remove(instance.metadata.name);
  });
});
