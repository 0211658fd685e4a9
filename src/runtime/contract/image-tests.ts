import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, rmdirSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ImagePullError } from '../sandbox-runtime.ts';
import type { AddTest } from './add-test.ts';

export function imageTests(add: AddTest): void {
  add('a pulled image is found by name, by id and by digest, until it is removed', async ({ runtime, harness }) => {
    const pulled = await runtime.pullImage(harness.image);
    assert.match(pulled.id, /^sha256:[0-9a-f]{64}$/);
    assert.ok(pulled.sizeBytes > 0);
    for (const name of [harness.image, pulled.id, pulled.repoDigests[0]]) {
      assert.equal((await runtime.imageStatus(name))?.id, pulled.id, name);
    }
    assert.deepEqual(
      (await runtime.listImages()).map((image) => image.id),
      [pulled.id],
    );
    await runtime.removeImage(harness.image);
    assert.equal(await runtime.imageStatus(harness.image), undefined);
    assert.deepEqual(await runtime.listImages(), []);
    await runtime.removeImage(harness.image);
    await runtime.pullImage(harness.image);
  });

  add('pulls of one image at once are all answered', async ({ runtime, harness }) => {
    await runtime.removeImage(harness.image);
    const pulled = await Promise.all([1, 2, 3].map(() => runtime.pullImage(harness.image)));
    assert.equal(new Set(pulled.map((image) => image.id)).size, 1);
  });

  add(
    'an image is mounted read-only, and gone again',
    async ({ runtime, harness }) => {
      const { id } = await runtime.pullImage(harness.image);
      const target = mkdtempSync(join(tmpdir(), 'skypod-image-'));
      const hasFiles = () => existsSync(join(target, 'bin/sh'));
      try {
        await runtime.mountImage(id, target);
        await runtime.mountImage(id, target);
        assert.ok(hasFiles());
        assert.throws(() => writeFileSync(join(target, 'file'), ''), { code: 'EROFS' });
      } finally {
        await runtime.unmountImage(target);
        await runtime.unmountImage(target);
      }
      assert.ok(!hasFiles());
      rmdirSync(target);
    },
    'processes',
  );

  for (const kind of ['notFound', 'unauthorized', 'registryUnavailable', 'invalidName'] as const) {
    add(`a pull that fails says why: ${kind}`, async ({ runtime, harness }) => {
      await assert.rejects(runtime.pullImage(harness.failingImages[kind]), (error) => {
        assert.ok(error instanceof ImagePullError, String(error));
        assert.equal(error.kind, kind, error.message);
        return true;
      });
    });
  }
}
