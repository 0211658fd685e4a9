import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type RequestListener, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { listenLocally } from '../../../base/testing/local-server.ts';
import { ImagePullError } from '../../sandbox-runtime.ts';
import { type CriRuntime, createCriRuntime } from '../cri-runtime.ts';
import { cannotRunContainers } from '../testing/test-bench.ts';
import { parseRegistries } from './policy.ts';

const listen = async (handle: RequestListener): Promise<[Server, string]> => {
  const server = createServer(handle);
  return [server, `127.0.0.1:${await listenLocally(server)}`];
};
const digestOf = (bytes: Buffer | string) => `sha256:${createHash('sha256').update(bytes).digest('hex')}`;

/** A registry that a tenant runs, pulled from by a real containerd. */
describe('a hostile registry', { skip: cannotRunContainers(), timeout: 120_000 }, () => {
  let directory: string;
  let runtime: CriRuntime;
  let servers: Server[];
  let secret: string;
  let secretAsked = 0;
  let hostile: string;
  let answer: RequestListener;

  before(async () => {
    directory = mkdtempSync(join(tmpdir(), 'skypod-hostile-'));
    const [secretServer, secretAddress] = await listen((_, response) => {
      secretAsked++;
      response.end('{}');
    });
    const [hostileServer, hostileAddress] = await listen((request, response) => answer(request, response));
    servers = [secretServer, hostileServer];
    [secret, hostile] = [secretAddress, hostileAddress];
    runtime = await createCriRuntime({ dataDirectory: directory, registries: parseRegistries(`public,${hostile}`) });
  });
  after(async () => {
    await runtime.shutdown();
    for (const server of servers) {
      server.closeAllConnections();
      server.close();
    }
    rmSync(directory, { recursive: true, force: true });
  });

  const pull = (image: string, auth?: { username: string; password: string }) =>
    runtime.pullImage(image, auth).then(
      () => assert.fail('it was pulled'),
      (error: ImagePullError) => {
        assert.ok(error instanceof ImagePullError, String(error));
        assert.equal(secretAsked, 0, error.message);
        assert.doesNotMatch(error.message, /ns=|\/token\//);
        return error;
      },
    );

  it('is not asked when it is nobody’s: nor is anything else of the machine’s networks', async () => {
    for (const name of [secret, 'localhost:1', '10.0.0.1:5000', '169.254.169.254', '[::1]:1', '192.168.0.1']) {
      const error = await pull(`${name}/private/image:1`);
      assert.equal(error.kind, 'unauthorized', error.message);
    }
  });

  it('sends nobody elsewhere for manifests, blobs or tokens', async () => {
    answer = (_, response) => response.writeHead(307, { location: `http://${secret}/x` }).end();
    const redirected = await pull(`${hostile}/a/b:1`);
    assert.match(redirected.message, /failed to do request: Head ".*plain http to 127\.0\.0\.1 is not taken/);
    answer = (_, response) =>
      response.writeHead(401, { 'www-authenticate': `Bearer realm="http://${secret}/token",service="s"` }).end();
    await pull(`${hostile}/a/b:1`);
    await pull(`${hostile}/a/b:1`, { username: 'u', password: 'p' });
  });

  it('sends nobody elsewhere for layers, in a manifest or a blob that is one', async () => {
    const config = JSON.stringify({ architecture: 'amd64', os: 'linux', rootfs: { type: 'layers', diff_ids: [] } });
    const layer = { mediaType: 'application/vnd.oci.image.layer.v1.tar', digest: digestOf('x'), size: 1 };
    const manifest = JSON.stringify({
      schemaVersion: 2,
      mediaType: 'application/vnd.oci.image.manifest.v1+json',
      config: { mediaType: 'application/vnd.oci.image.config.v1+json', digest: digestOf(config), size: config.length },
      layers: [{ ...layer, urls: [`http://${secret}/layer`] }],
    });
    const digest = digestOf(manifest);
    const served = (hasManifests: boolean): RequestListener => {
      return (request, response) => {
        const path = request.url ?? '';
        const isHead = request.method === 'HEAD';
        if (path.includes('/manifests/') && (isHead || hasManifests)) {
          response.setHeader('content-type', 'application/vnd.oci.image.manifest.v1+json');
          response.setHeader('docker-content-digest', digest);
          response.setHeader('content-length', manifest.length);
          return response.end(isHead ? undefined : manifest);
        }
        if (path.endsWith(digest)) return response.end(manifest);
        if (path.endsWith(digestOf(config))) return response.end(config);
        return response.writeHead(404).end();
      };
    };
    for (const hasManifests of [true, false]) {
      answer = served(hasManifests);
      const error = await pull(`${hostile}/a/b:1`);
      assert.match(error.message, /foreign layers|unexpected status/);
    }
  });
});
