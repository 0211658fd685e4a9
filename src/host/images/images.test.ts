import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { systemClock } from '../../base/clock.ts';
import {
  ImagePullError,
  type ImageStatus,
  type RegistryAuth,
  type SandboxRuntime,
} from '../../runtime/sandbox-runtime.ts';
import { chooseImages } from './collect-images.ts';
import { credentialsFor } from './credentials.ts';
import { ImageManager } from './image-manager.ts';
import { PullRecords } from './pull-records.ts';
import { parseImageReference } from './reference.ts';

const directory = mkdtempSync(join(tmpdir(), 'skypod-images-'));
after(() => rmSync(directory, { recursive: true }));
const alice = { registry: 'registry.example', username: 'alice', password: '1' };
const mallory = { registry: 'registry.example', username: 'mallory', password: '2' };

/** A registry with one private image, which alice alone may pull, and public ones. */
function setUp(records = new PullRecords(undefined)) {
  const present = new Map<string, ImageStatus>();
  const pulls: string[] = [];
  let gate: Promise<void> = Promise.resolve();
  const runtime = {
    imageStatus: async (image: string) => present.get(image),
    async pullImage(image: string, auth?: RegistryAuth) {
      pulls.push(`${image} ${auth?.username ?? '-'}`);
      await gate;
      if (image.includes('private') && auth?.username !== 'alice') throw new ImagePullError('unauthorized', 'denied');
      const status = { id: `sha256:${image}`, repoTags: [image], repoDigests: [], sizeBytes: 42 };
      present.set(image, status);
      return status;
    },
  } as unknown as SandboxRuntime;
  const manager = new ImageManager(runtime, systemClock, records);
  const events: string[] = [];
  const ensure = (image: string, policy: string, credentials = [] as (typeof alice)[]) =>
    manager
      .ensure({ image, policy, credentials, event: ({ reason, message }) => events.push(`${reason}: ${message}`) })
      .then(
        ({ id }) => id,
        (error) => `${error.reason}: ${error.message}`,
      );
  return { pulls, events, ensure, hold: (next: Promise<void>) => (gate = next), present };
}

describe('an image', () => {
  it('is pulled by policy', async () => {
    const { pulls, events, ensure } = setUp();
    assert.equal(
      await ensure('nginx', 'Never'),
      'ErrImageNeverPull: Container image "nginx" is not present with pull policy of Never',
    );
    assert.equal(await ensure('nginx', 'IfNotPresent'), 'sha256:nginx:latest');
    assert.equal(await ensure('nginx', 'IfNotPresent'), 'sha256:nginx:latest');
    assert.equal(await ensure('nginx', 'Always'), 'sha256:nginx:latest');
    assert.equal(await ensure('nginx', 'Never'), 'sha256:nginx:latest');
    assert.deepEqual(pulls, ['nginx:latest -', 'nginx:latest -']);
    assert.match(
      events[2]!,
      /^Pulled: Successfully pulled image "nginx" in \S+ \(\S+ including waiting\)\. Image size: 42 bytes\.$/,
    );
    assert.equal(
      events[3],
      'Pulled: Container image "nginx" already present on machine and can be accessed by the pod',
    );
  });

  it('with a wrong name is refused', async () => {
    const { ensure } = setUp();
    const message =
      'Failed to apply default image tag "Nginx": couldn\'t parse image name "Nginx": invalid reference format: repository name must be lowercase';
    assert.equal(await ensure('Nginx', 'Always'), `InvalidImageName: ${message}`);
    assert.match(await ensure('a b', 'Always'), /InvalidImageName.*invalid reference format$/);
  });

  it('is pulled once for many who ask at once', async () => {
    const { pulls, ensure, hold } = setUp();
    const { promise, resolve } = Promise.withResolvers<void>();
    hold(promise);
    const all = Promise.all([ensure('nginx', 'Always'), ensure('nginx', 'Always'), ensure('nginx', 'IfNotPresent')]);
    setImmediate(resolve);
    assert.equal(new Set(await all).size, 1);
    assert.equal(pulls.length, 1);
  });

  it('that is private stays so on a host that has it, over a crash too', async () => {
    const first = setUp(new PullRecords(directory));
    const image = 'registry.example/private:1';
    assert.equal(await first.ensure(image, 'IfNotPresent', [alice]), `sha256:${image}`);
    for (const records of [undefined, new PullRecords(directory)]) {
      const bench = records === undefined ? first : setUp(records);
      bench.present.set(image, { id: `sha256:${image}`, repoTags: [image], repoDigests: [], sizeBytes: 42 });
      assert.equal(await bench.ensure(image, 'IfNotPresent'), 'ErrImagePull: denied');
      assert.equal(await bench.ensure(image, 'IfNotPresent', [mallory]), 'ErrImagePull: denied');
      assert.match(await bench.ensure(image, 'Never', []), /^ErrImageNeverPull/);
      const pulls = bench.pulls.length;
      assert.equal(await bench.ensure(image, 'IfNotPresent', [alice]), `sha256:${image}`);
      assert.equal(bench.pulls.length, pulls);
    }
  });
});

it('references are parsed as the registries’ grammar has them', () => {
  const rows: [string, string, string][] = [
    ['nginx', 'docker.io/library/nginx', 'nginx:latest'],
    ['bitnami/redis:7', 'docker.io/bitnami/redis', 'bitnami/redis:7'],
    ['localhost/x', 'localhost/x', 'localhost/x:latest'],
    ['127.0.0.1:5055/busybox:1', '127.0.0.1:5055/busybox', '127.0.0.1:5055/busybox:1'],
    [`quay.io/a/b@sha256:${'0'.repeat(64)}`, 'quay.io/a/b', `quay.io/a/b@sha256:${'0'.repeat(64)}`],
  ];
  for (const [image, repository, pullName] of rows)
    assert.deepEqual(parseImageReference(image), { repository, pullName });
});

it('credentials are matched by registry and path, the most specific first', () => {
  const of = (registry: string) => ({ registry, username: registry, password: '' });
  const all = [of('https://index.docker.io/v1/'), of('*.example.com'), of('gcr.io'), of('gcr.io/team')];
  const names = (repository: string) => credentialsFor(repository, all).map(({ username }) => username);
  assert.deepEqual(names('docker.io/library/nginx'), ['https://index.docker.io/v1/']);
  assert.deepEqual(names('gcr.io/team/app'), ['gcr.io/team', 'gcr.io']);
  assert.deepEqual(names('gcr.io/other/app'), ['gcr.io']);
  assert.deepEqual(names('eu.example.com/app'), ['*.example.com']);
  assert.deepEqual(names('a.b.example.com/app'), []);
  assert.deepEqual(names('gcr.io:5000/team/app'), []);
});

it('the longest unused images give way, and no more than needed', () => {
  const image = (name: string, sizeBytes: number): ImageStatus => ({
    id: name,
    repoTags: [`x/${name}:1`],
    repoDigests: [],
    sizeBytes,
  });
  const present = [image('used', 9), image('new', 9), image('old', 5), image('older', 5), image('pause', 1)];
  const now = 10_000_000;
  const lastUsed = new Map([
    ['new', now - 1000],
    ['old', 2000],
    ['older', 1000],
  ]);
  const ids = (toFree: number) => chooseImages(present, new Set(['used']), lastUsed, now, toFree).map(({ id }) => id);
  assert.deepEqual(ids(5), ['older']);
  assert.deepEqual(ids(6), ['older', 'old']);
  assert.deepEqual(ids(1000), ['older', 'old']);
});
