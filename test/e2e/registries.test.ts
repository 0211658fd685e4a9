import assert from 'node:assert/strict';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, describe, it } from 'node:test';
import { listenLocally } from '../../src/base/testing/local-server.ts';
import { eventually } from '../lib/eventually.ts';
import { isRoot, type Skypod, startSkypod } from '../lib/skypod.ts';

/** What a tenant learns of the machine's networks by the names of images: nothing. */
describe('images of registries that the operator does not allow', {
  skip: isRoot ? false : 'containers need root',
}, () => {
  let skypod: Skypod;
  let secret: Server;
  let asked = 0;
  before(async () => {
    secret = createServer((_, response) => {
      asked++;
      response.end('{}');
    });
    await listenLocally(secret);
    skypod = await startSkypod({ runtime: 'containerd', args: ['--registries', 'public'] });
  });
  after(async () => {
    await skypod?.destroy();
    secret.closeAllConnections();
    secret.close();
  });

  it('are not pulled, and the pod says why', { timeout: 120_000 }, async () => {
    const { port } = secret.address() as AddressInfo;
    const images = [`127.0.0.1:${port}/a/b:1`, `localhost:${port}/a/b:1`, '169.254.169.254/latest/meta-data:1'];
    for (const [index, image] of images.entries()) {
      await skypod.kubectl('run', `probe-${index}`, `--image=${image}`, '--restart=Never');
    }
    for (const index of images.keys()) {
      const waiting = await eventually(`probe-${index} fails`, async () => {
        const pod = await skypod.kubectl.json('get', 'pod', `probe-${index}`);
        const state = pod.status.containerStatuses?.[0]?.state?.waiting;
        return state?.reason === 'ErrImagePull' && state;
      });
      assert.match(waiting.message, /is at no public address, and not among those that the operator allows$/);
    }
    assert.equal(asked, 0);
  });
});
